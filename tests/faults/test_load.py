"""More than the gateway can deliver: bounded memory, exact accounts, data dropped before events."""

import os
import resource
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen
from typing import Any

import pytest

from brokers import Mosquitto, broker, free_port
from daemons import Process, events, said, wait_until
from evidence import Listener
from fast_modbus import load
from loaded_site import Load
from otgate.spool.ranges import Ranges
from publishing import Feeder, catalog, publishing
from throttle import Throttle

__all__ = ["broker"]

pytestmark = pytest.mark.lab

CAP_MB = 96
GROWTH_MB = 32
CGROUP = Path("/sys/fs/cgroup/memory")


@dataclass
class Overload:
    """A gateway between a load and a link that can be made slow."""

    site: Path
    process: Process
    broker: Mosquitto
    link: Throttle
    listener: Listener
    modbus: Popen[bytes]

    def field(self) -> dict[str, Any]:
        return said(self.site, "field")

    def spooled(self, lane: str) -> int:
        """Return how many samples the field side numbered; none when it does not answer."""
        spool = self.field().get("conduits", {}).get("analytics", {}).get("spool", {})
        return int(spool.get("samples", {}).get(lane, 0))

    def resident_mb(self) -> dict[str, float]:
        return {side: status_mb(pid, "VmRSS") for side, pid in self.process.children.items()}

    def peak_mb(self) -> float:
        return max(status_mb(pid, "VmHWM") for pid in self.process.children.values())

    def calm(self) -> None:
        """Let the devices change no more."""
        self.modbus.send_signal(signal.SIGUSR1)

    def accounted(self, lane: str) -> int:
        """Return the samples of a lane that arrived or were announced as a gap, or both.

        Both: a gap also covers what arrived just before an outage, was to come again and is gone.
        """
        accounts = self.listener.ledger.accounts.items()
        known = [Ranges([*a.received, *a.announced]) for s, a in accounts if s.lane == lane]
        return sum(stop - start for ranges in known for start, stop in ranges)

    def await_account(self, limit_s: float = 60.0) -> None:
        """Wait until everything numbered has arrived or was announced; assert that it is exact."""
        until = time.monotonic() + limit_s
        while (differs := self.open_account()) and time.monotonic() < until:
            time.sleep(0.2)
        assert differs == {}, (self.listener.gaps, said(self.site, "bus-analytics"))
        assert self.listener.lost == 0

    def open_account(self) -> dict[str, tuple[int, int]]:
        """Return, of each lane that does not add up, what is accounted for and what was spooled."""
        found = {lane: (self.accounted(lane), self.spooled(lane)) for lane in ("data", "event")}
        return {lane: pair for lane, pair in found.items() if pair[0] != pair[1]}


def status_mb(pid: int, name: str) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1000 for line in lines if line.startswith(name))


@contextmanager
def overload(folder: Path, **sizes: Any) -> Iterator[Overload]:
    site_load = Load(free_port(), **sizes)
    with (
        load(site_load.modbus_port, event_s=1.0) as modbus,
        Mosquitto(folder / "broker") as mosquitto,
        Throttle(mosquitto.port) as link,
    ):
        site = site_load.write(folder / "site", link.port)
        with (
            Listener(mosquitto.port, keep="no") as listener,
            Process(site / "run.log", "run", site, "--log", "json") as process,
        ):
            listener.await_news(0)
            yield Overload(site, process, mosquitto, link, listener, modbus)


@pytest.mark.slow
def test_a_slow_link_keeps_its_connection_and_gets_events_first(tmp_path: Path) -> None:
    with overload(tmp_path) as found:
        found.link.rate = 2000
        before, events_before = found.spooled("data"), found.accounted("event")
        wait_until(lambda: found.accounted("event") > events_before + 64, limit_s=60)
        assert found.link.connections == 1
        assert found.spooled("data") - before > 4 * (found.accounted("data") - before)
        found.link.rate = 0
        found.calm()
        found.await_account()
        assert not [told for told in events(found.process.log) if told["event"] == "broker_lost"]


@pytest.mark.slow
async def test_a_message_that_is_under_way_for_longer_than_the_patience_arrives(
    tmp_path: Path, broker: Mosquitto
) -> None:
    feeder = Feeder(tmp_path / "spool", catalog(500))
    # what the link itself holds is 4 s long: less than the patience, a message more
    with Throttle(broker.port, buffer_bytes=2048) as link:
        near = f"mqtt://127.0.0.1:{link.port}"
        async with publishing(tmp_path / "spool", tmp_path / "s", near, keepalive_s=30) as running:
            await running.until(lambda now: now["messages"] >= 4 and not now["in_flight"])
            link.rate = 1200
            feeder.measure(times=3, count=500)  # three messages of 10 s each
            await running.until(lambda now: now["samples"] == 1500, limit_s=90)
            assert running.publisher.status()["connections"] == 1
    feeder.close()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_broker_a_hundred_times_too_slow_costs_old_data_and_no_event(tmp_path: Path) -> None:
    with overload(tmp_path, registers=500, spool_mb=2) as found:
        time.sleep(2)
        before = found.resident_mb()
        found.link.rate = 4000  # of 400 kB a second
        wait_until(lambda: found.spooled("data") > 500_000, found.process.log, limit_s=150)
        after = found.resident_mb()
        assert all(after[side] - before[side] <= GROWTH_MB for side in before), (before, after)
        found.link.rate = 0
        found.calm()
        found.await_account()
        assert found.listener.gaps["data removed"] > 100_000
        assert not [name for name in found.listener.gaps if name.startswith("event")]
        assert found.peak_mb() < CAP_MB


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_an_outage_beyond_what_the_spool_keeps_costs_no_memory(tmp_path: Path) -> None:
    with overload(tmp_path, registers=500, spool_mb=2) as found:
        time.sleep(2)
        before = found.resident_mb()
        found.broker.freeze()
        wait_until(lambda: found.spooled("data") > 400_000, found.process.log, limit_s=150)
        after = found.resident_mb()
        assert all(after[side] - before[side] <= GROWTH_MB for side in before), (before, after)
        found.broker.thaw()
        found.calm()
        found.await_account()
        assert found.listener.gaps["data removed"] > 100_000
        assert found.peak_mb() < CAP_MB


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_ten_thousand_points_each_100_ms_are_delivered_or_announced(tmp_path: Path) -> None:
    with overload(tmp_path, devices=10, registers=1000, spool_mb=8) as found, capped(found):
        time.sleep(30)
        assert found.peak_mb() < CAP_MB
        found.calm()
        print(f"{found.spooled('data')} spooled, peak {found.peak_mb():.0f} MB")
        found.await_account(limit_s=120)
        assert found.process.children  # nobody died of it
        assert not [told for told in events(found.process.log) if told["event"] == "side_died"]


@contextmanager
def capped(found: Overload) -> Iterator[None]:
    """Put each side into a memory control group of 96 MB, where the machine lets us."""
    groups = []
    for side, pid in found.process.children.items():
        group = CGROUP / f"otgate-{os.getpid()}-{side}"
        try:
            group.mkdir()
            (group / "memory.limit_in_bytes").write_text(str(CAP_MB * 1_000_000))
            (group / "cgroup.procs").write_text(str(pid))
        except OSError:
            break  # the peak of the resident memory is asserted all the same
        groups.append(group)
    try:
        yield
    finally:
        found.process.stop()
        for group in groups:
            group.rmdir()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_backlog_drains_ten_times_as_fast_as_it_grew_while_reading_goes_on(
    tmp_path: Path,
) -> None:
    with overload(tmp_path, period_s=0.2) as found:
        found.broker.freeze()
        wait_until(lambda: found.spooled("data") > 30_000, found.process.log, limit_s=120)
        overruns = counted(found, "overruns")
        found.broker.thaw()
        wait_until(lambda: found.spooled("data") - found.accounted("data") > 25_000)
        begun, waiting = time.monotonic(), found.spooled("data") - found.accounted("data")
        before = found.accounted("data")
        wait_until(lambda: found.spooled("data") - found.accounted("data") < 500, limit_s=60)
        took_s = time.monotonic() - begun
        rate = (found.accounted("data") - before) / took_s
        print(f"drained {waiting} at {rate:.0f} samples a second; live 1000")
        assert rate >= 10 * 1000
        assert counted(found, "overruns") - overruns <= 2


def counted(found: Overload, what: str) -> int:
    return sum(device[what] for device in found.field()["devices"].values())


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_devices_beyond_the_limit_of_files_are_told_and_the_others_are_read(
    tmp_path: Path,
) -> None:
    sizes = Load(free_port(), devices=80, registers=2, statuses=1, period_s=1.0)
    with Mosquitto(tmp_path / "broker") as mosquitto, Listener(mosquitto.port) as listener:
        site = sizes.write(tmp_path / "site", mosquitto.port)
        with Process(site / "run.log", "run", site, "--log", "json") as process:
            with load(sizes.modbus_port):
                wait_until(lambda: good(site) == 80, process.log, limit_s=60)
                limited(process, 64)
            wait_until(lambda: good(site) == 0, process.log)
            with load(sizes.modbus_port):
                wait_until(lambda: good(site) > 20 and told_of_files(site), process.log)
                received = listener.received
                listener.await_news(received + 100)
                assert good(site) < 80
                limited(process, 1024)
                wait_until(lambda: good(site) == 80, process.log, limit_s=60)
            assert not [told for told in events(process.log) if told["event"] == "side_died"]
            assert said(site, "field")["conduits"]["analytics"]["spool"]["faults"] == 0


def limited(process: Process, files: int) -> None:
    """Let both sides open only so many files from now on."""
    for pid in process.children.values():
        _, most = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (files, most))


def told_of_files(site: Path) -> bool:
    """Tell whether the devices that do not fit are told why."""
    devices = said(site, "field").get("devices", {}).values()
    lost = [device["error"] for device in devices if device["state"] == "lost"]
    return bool(lost) and all("oo many open files" in error for error in lost)


def states(site: Path) -> list[str]:
    return [device["state"] for device in said(site, "field").get("devices", {}).values()]


def good(site: Path) -> int:
    return states(site).count("good")

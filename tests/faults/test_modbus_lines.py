"""The driver under the supervisor against the simulator, on every transport that both have."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import trustme

from modbus_peers import LOOPBACK, Asked, serving
from otgate.errors import Refused
from otgate.model import Device, Kind, Point
from otgate.supervisor import Pace, State
from otgate_modbus import Modbus
from otgate_sim.faults import Fault
from otgate_sim.modbus_endpoints import Shown
from otgate_sim.sim_verb import write_map
from otgate_sim.simulation import Settings, Simulation
from pems import keep_private
from puppet import Running, running

PACE = Pace(first_s=0.1, least_s=0.05, most_s=0.3)
POINTS = (
    Point("ia", Kind.MEASUREMENT, "hr 100", "u16", unit="A", eu_hi=600.0, scale=0.1),
    Point("cb", Kind.STATUS, "di 3", "bool"),
    Point("p", Kind.MEASUREMENT, "ir 10", "f32", unit="kW"),
)
REAL = {
    "tcp": "tcp://192.0.2.1",
    "tcps": "tcps://192.0.2.1",
    "udp": "udp://192.0.2.1",
    "rtu+tcp": "rtu+tcp://192.0.2.1:4001",
    "serial": "serial:///dev/serial/by-id/usb-1?baud=115200",
}

SLOW = [pytest.param(scheme, marks=pytest.mark.slow) for scheme in ("rtu+tcp", "udp")]


def one(name: str, url: str, period_s: float = 0.3, **settings: Any) -> Device:
    block = Modbus.settings(url=url, **{"timeout_s": 0.2, **settings})
    return Device(name, "modbus", "bay", POINTS, {"normal": period_s}, block)


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """Certificates of one authority for both ends."""
    folder, authority = tmp_path_factory.mktemp("tls"), trustme.CA()
    authority.cert_pem.write_to_path(folder / "ca.pem")
    for name in ("gateway", "device"):
        issued = authority.issue_cert(LOOPBACK)
        issued.cert_chain_pems[0].write_to_path(folder / f"{name}.pem")
        keep_private(issued, folder / f"{name}.key")
    files = {"ca": "ca.pem", "cert": "gateway.pem", "key": "gateway.key"}
    return {key: str(folder / file) for key, file in files.items()}


class Field:
    """A simulated site and the supervisor that reads it."""

    def __init__(self, simulation: Simulation, run: Running) -> None:
        self.simulation = simulation
        self.run = run

    def state(self, name: str) -> State:
        return self.run.status(name).state

    def shows(self, name: str, fault: Fault) -> None:
        self.simulation.troubles[name].begin(fault)

    def good(self, point: int) -> list[Any]:
        """Return every good value of a point that was emitted."""
        return [
            value
            for batch in self.run.got.batches
            for at, value, quality in zip(
                batch.index.tolist(), batch.values.tolist(), batch.quality.tolist(), strict=True
            )
            if at == point and not quality
        ]

    async def becomes(self, state: State, *names: str) -> None:
        await until(lambda: all(self.state(name) is state for name in names))


async def until(condition: Callable[[], bool], within_s: float = 20.0) -> None:
    async with asyncio.timeout(within_s):
        while not condition():  # noqa: ASYNC110  a status has no event
            await asyncio.sleep(0.01)


@asynccontextmanager
async def field(*devices: Device, **settings: Any) -> AsyncIterator[Field]:
    simulation = Simulation(devices, Settings(late_s=0.3, **settings))
    async with simulation.serving() as urls:
        there = [
            Device(each.id, "modbus", "bay", each.points, each.scans,
                   each.settings.model_copy(update={"url": urls[each.id]}))
            for each in devices
        ]  # fmt: skip
        async with running(Modbus(), there, pace=PACE) as run:
            yield Field(simulation, run)


def on(scheme: str, tls: Mapping[str, str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a device's settings and the simulation's for a transport."""
    if scheme != "tcps":
        return {}, {}
    folder = Path(tls["ca"]).parent
    return {"tls": tls}, {"shown": Shown(folder / "device.pem", folder / "device.key")}


@pytest.mark.parametrize("scheme", REAL)
async def test_a_simulated_device_is_read(scheme: str, tls: Mapping[str, str]) -> None:
    settings, made = on(scheme, tls)
    async with field(one("a", REAL[scheme], **settings), **made) as site:
        await site.becomes(State.GOOD, "a")
        assert not any(map(any, site.run.qualities("a")))
        assert site.simulation.urls["a"].startswith(f"{scheme}://")


@pytest.mark.parametrize("fault", [fault for fault in Fault if fault is not Fault.NONE])
@pytest.mark.parametrize("scheme", ["serial", *SLOW])
async def test_a_fault_passes_and_no_wrong_value_is_good(scheme: str, fault: Fault) -> None:
    async with field(one("a", REAL[scheme])) as site:
        await site.becomes(State.GOOD, "a")
        before = site.run.status("a").scans
        site.shows("a", fault)
        await until(
            lambda: (
                site.simulation.troubles["a"].spoilt > 2 or site.run.status("a").scans > before + 6
            )
        )
        site.shows("a", Fault.NONE)
        await site.becomes(State.GOOD, "a")
        amperes = site.simulation.plant.bays["a"].current_a(0)
        assert all(value == pytest.approx(amperes, rel=0.2) for value in site.good(0))


@pytest.mark.parametrize("scheme", ["serial", SLOW[0]])
async def test_a_dead_unit_takes_no_slot_of_the_others(scheme: str) -> None:
    units = [one(f"u{unit}", REAL[scheme], period_s=0.5, unit=unit) for unit in range(1, 6)]
    names = [each.id for each in units if each.id != "u3"]
    async with field(*units) as site:
        await site.becomes(State.GOOD, *(each.id for each in units))
        site.shows("u3", Fault.SILENT)
        await site.becomes(State.LOST, "u3")
        before = {name: site.run.status(name) for name in names}
        await until(lambda: site.run.status("u1").scans - before["u1"].scans >= 10)
        for name, then in before.items():
            now = site.run.status(name)
            assert now.failures == then.failures, name
            assert now.overruns - then.overruns <= 1, name
        site.shows("u3", Fault.NONE)
        await site.becomes(State.GOOD, "u3")


async def test_a_terminal_that_hangs_up_is_opened_again_where_it_comes_back() -> None:
    async with field(one("a", REAL["serial"])) as site:
        await site.becomes(State.GOOD, "a")
        site.shows("a", Fault.CLOSE)
        await site.becomes(State.LOST, "a")
        site.shows("a", Fault.NONE)
        await site.becomes(State.GOOD, "a")


async def test_terminals_are_linked_where_it_is_said_and_taken_away(tmp_path: Path) -> None:
    async with field(one("a", REAL["serial"]), terminals=tmp_path) as site:
        assert site.simulation.urls["a"] == f"serial://{tmp_path}/usb-1?baud=115200"
        assert terminals_in(tmp_path) == {"usb-1": "/dev/pts"}
    assert terminals_in(tmp_path) == {}


def terminals_in(folder: Path) -> dict[str, str]:
    """Return the links of a folder, and the folders that they lead to."""
    return {link.name: str(link.readlink().parent) for link in folder.iterdir()}


async def test_what_is_at_the_place_of_a_terminal_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "usb-1").write_text("mine")
    simulation = Simulation([one("a", REAL["serial"])], Settings(terminals=tmp_path))
    with pytest.raises(OSError, match="there already"):
        async with simulation.serving():
            pass
    assert (tmp_path / "usb-1").read_text() == "mine"


async def test_a_device_under_tls_needs_something_to_show(tls: Mapping[str, str]) -> None:
    simulation = Simulation([one("a", REAL["tcps"], tls=tls)], Settings())
    with pytest.raises(Refused, match="give --cert and --key"):
        async with simulation.serving():
            pass


def test_the_map_leaves_no_way_to_the_real_device(tmp_path: Path) -> None:
    real = one("a", "tcp://192.0.2.1", backup="tcp://192.0.2.2")
    other = SimpleNamespace(id="b", settings=SimpleNamespace(tls="files"))
    write_map(tmp_path / "map", [real, other], {"a": "tcp://x", "b": "mms://y"})  # type: ignore[list-item]
    assert json.loads((tmp_path / "map").read_text()) == {
        "a": {"url": "tcp://x", "backup": None},
        "b": {"url": "mms://y", "tls": None},
    }


# Manners, with a server scripted for them


async def test_the_backup_is_read_while_the_first_is_away_and_kept_until_it_fails() -> None:
    async with serving() as first, serving() as second:
        urls = [f"tcp://{LOOPBACK}:{server.port}" for server in (first, second)]
        device = one("a", urls[0], backup=urls[1])
        async with running(Modbus(), [device], pace=PACE) as run:
            await until(lambda: bool(first.asked))
            first.stop()
            first.hang_up()
            await until(lambda: bool(second.asked))
            before = len(first.asked)
            await until(lambda: len(second.asked) > 6)
            assert len(first.asked) == before
            await until(lambda: run.status("a").state is State.GOOD)


async def test_a_server_with_another_client_is_tried_with_growing_pauses() -> None:
    async with serving() as server:
        server.refuses = True
        async with running(Modbus(), [one("a", f"tcp://{LOOPBACK}:{server.port}")], pace=PACE):
            await until(lambda: server.connections >= 3)
            before = server.connections
            await asyncio.sleep(1.0)
            assert server.connections - before <= 1.0 / PACE.least_s
            server.refuses = False
            await until(lambda: bool(server.asked))


async def test_a_server_that_closes_what_rests_is_never_comm_lost() -> None:
    async with serving() as server:
        loop = asyncio.get_running_loop()

        def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
            writer.write(asked.honest())
            if asked.function == 4:
                loop.call_later(1.7, writer.close)

        server.answers = answer
        device = one("a", f"tcp://{LOOPBACK}:{server.port}", period_s=2.0)
        async with running(Modbus(), [device], pace=PACE) as run:
            await until(lambda: server.connections >= 3)
            assert run.status("a").state is State.GOOD
            assert not any(map(any, run.qualities("a")))

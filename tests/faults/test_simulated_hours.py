"""Hours of faults in seconds: both sides on a virtual clock, judged; and the judge, judged."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec import structs

from cut_disk import Tails
from otgate.model import Lane
from otgate.publish import last as last_module
from otgate.publish.delivery import Delivery
from otgate.publish.payload import Last
from otgate.publish.retry import Next, Retry
from otgate.publish.session import Session
from otgate.publish.window import Window
from otgate.spool.items import Frame, Gap, GapReason
from otgate.spool.reader import SpoolReader
from otgate_sim.registers import Table
from simulation.devices import Registers
from simulation.faults import Fault
from simulation.machine import Disk
from simulation.site import POLICY, Written
from simulation.world import CAPS, World

ROOT = Path(__file__).resolve().parents[2]
MINUTES_S, HOUR_S = 600.0, 3600.0
EDIT = Fault(60, 0, "process", "edit bus", 5)
CALM_S = 60.0
"""Without faults: enough for every device to be read, and for all of it to be delivered."""


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    return Written.into(tmp_path_factory.mktemp("site"))


def run(written: Written, *faults: Fault, seed: int = 1, seconds: float = CALM_S) -> World:
    """Run a world in which nothing goes wrong but this."""
    return World(written, seed, seconds, faults).run()


@pytest.mark.parametrize("seed", [1, 2])
def test_ten_minutes_of_faults_violate_no_invariant(written: Written, seed: int) -> None:
    world = World(written, seed, MINUTES_S).run()
    assert world.history.violations == [], "\n".join(world.history.last)
    assert world.befalling.count > 3
    assert world.judge.delivered >= world.judge.samples - world.judge.gaps > 500


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seeds", [range(first, first + 5) for first in (101, 106, 111, 116)])
def test_hours_of_faults_violate_no_invariant(written: Written, seeds: range) -> None:
    for seed in seeds:
        world = World(written, seed, HOUR_S).run()
        assert world.history.violations == [], f"seed {seed}\n" + "\n".join(world.history.last)


def test_a_seed_gives_the_same_history_again(written: Written) -> None:
    kill, crash = Fault(15, 0, "process", "kill both", 0), Fault(25, 0, "broker", "crash", 3)
    first, again, other = (run(written, kill, crash, seed=seed).history for seed in (7, 7, 8))
    assert first.count == again.count > 50
    assert first.digest == again.digest != other.digest


@pytest.mark.slow
def test_a_seed_gives_the_same_history_in_another_process() -> None:
    soak = [sys.executable, ROOT / "tests/soak/simulated.py", "--seed", "9", "--hours", "0.2"]
    told = {
        subprocess.run(soak, env={"PYTHONHASHSEED": order}, check=True, capture_output=True).stdout
        for order in ("1", "2")
    }
    assert len(told) == 1


# What simulations have found.


def test_a_broker_that_answers_pings_alone_is_left_on_a_long_line_too(written: Written) -> None:
    world = World(written, 12, 150.0, [Fault(30, 60, "broker", "silent", 0)])
    world.delays = [0.05, 0.05, 0.3]
    told = "\n".join(world.run().history.last)
    assert "no PUBACK for 8 s" in told
    assert world.history.violations == []


def test_a_message_that_the_broker_passes_over_is_sent_again(written: Written) -> None:
    world = run(written, Fault(30, 0, "broker", "skip", 0), seconds=120)
    assert "acknowledges what came later" in "\n".join(world.history.last)
    assert world.history.violations == []


def test_a_power_cut_right_after_the_disk_is_well_again_takes_nothing_of_what_it_held_up(
    written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("simulation.machine.Tails", [Tails.NOTHING])
    faults = Fault(30, 35.4, "disk", "io error", 0), Fault(66, 0, "power", "cut", 3)
    world = World(written, 1, 150.0, faults)
    backlog = replace(world.bus_file.backlog, order="live")
    world.bus_file = replace(world.bus_file, backlog=backlog)
    world.run()
    first, *_ = (book for book in world.judge.books.values() if book.lane is Lane.DATA)
    assert first.received.first_hole == first.next_seq > 70
    assert world.history.violations == []


def test_a_window_of_one_has_room_for_what_is_live_a_backlog_and_newest_values(
    written: Written,
) -> None:
    world = World(written, 1, 700.0, [Fault(30, 150, "broker line", "refused", 0)])
    world.delays[2] = 0.25
    backlog = replace(world.bus_file.backlog, order="live")
    world.bus_file = replace(world.bus_file, window=1, last="on", max_points=2, backlog=backlog)
    assert world.run().history.violations == []


def test_another_broker_in_the_same_place_and_an_edited_bus_file_lose_nothing(
    written: Written,
) -> None:
    world = World(written, 3, 150.0, [Fault(30, 0, "broker", "exchange", 8), EDIT])
    world.only_311, before = False, world.bus_file
    assert world.run().history.violations == []
    assert world.broker.only_311
    assert world.bus.lives == 2
    assert world.bus_file != before


@pytest.mark.slow
def test_a_device_that_closes_upon_everything_for_a_while_has_all_its_points_again(
    written: Written,
) -> None:
    world = run(written, Fault(30, 40, "device", "close", 2), seconds=300)
    assert world.history.violations == []


# The judge finds what is wrong.


def read_as(change: Callable[[list[Any]], list[Any]]) -> Callable[..., list[Any]]:
    """Return a way of reading a spool that changes what is read."""
    honest = SpoolReader.read

    def read(self: SpoolReader, *given: Any, **named: Any) -> list[Any]:
        return change(honest(self, *given, **named))

    return read


def frames(change: Callable[[Frame], Any]) -> Callable[[list[Any]], list[Any]]:
    """Return a change of frames alone."""
    return lambda items: [change(item) if isinstance(item, Frame) else item for item in items]


def with_batch(**changes: Callable[[Any], Any]) -> Callable[[Frame], Frame]:
    """Return a change of columns."""

    def changed(frame: Frame) -> Frame:
        columns = {name: change(getattr(frame.batch, name)) for name, change in changes.items()}
        return replace(frame, batch=replace(frame.batch, **columns))

    return changed


def given_up(frame: Frame) -> Gap:
    """Announce a frame as lost that lies there."""
    count, at_ns = len(frame.batch), frame.batch.received_ns
    return Gap(frame.lane, frame.epoch, frame.seq, count, at_ns, at_ns, GapReason.DROPPED)


def found(world: World, invariant: str) -> bool:
    return any(f" {invariant}:" in told for told in world.history.violations)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("invariant", "change"),
    [
        ("no quality raised", frames(with_batch(quality=np.zeros_like))),
        (
            "nothing invented",
            frames(with_batch(values=lambda values: values + values.dtype.type(1))),
        ),
        ("nothing invented", frames(with_batch(received_ns=lambda ns: ns + 1_000_000_000))),
        ("order", lambda items: items[::-1]),
        ("nothing lost", frames(given_up)),
        ("nothing lost", lambda items: [one for one in items if getattr(one, "seq", 1) % 5]),
    ],
)
def test_the_judge_finds_a_bus_side_that_tells_other_things_than_it_read(
    written: Written,
    monkeypatch: pytest.MonkeyPatch,
    invariant: str,
    change: Callable[[list[Any]], list[Any]],
) -> None:
    monkeypatch.setattr(SpoolReader, "read", read_as(change))
    offline = Fault(15, 20, "broker line", "refused", 0)  # so that there is something to reorder
    assert found(run(written, offline, seconds=120), invariant)


@pytest.mark.slow
def test_the_judge_finds_samples_that_are_acknowledged_and_never_sent(
    written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def swallow(self: Delivery, frame: Frame) -> None:
        self._reader.acknowledge(frame.lane, frame.epoch, frame.seq, len(frame.batch))

    monkeypatch.setattr(Delivery, "_send_samples", swallow)
    assert found(run(written), "nothing lost")


@pytest.mark.slow
def test_the_judge_finds_a_value_that_no_device_served(
    written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = Registers.read

    def read(self: Registers, table: Table, address: int, count: int) -> list[int] | None:
        words = honest(self, table, address, count)
        return words and [word ^ 1 for word in words]

    monkeypatch.setattr(Registers, "read", read)
    assert found(run(written), "nothing invented")


@pytest.mark.slow
def test_the_judge_finds_a_denied_point_that_crosses(tmp_path: Path) -> None:
    open_policy = POLICY.replace("tags_all: [feeder]", "zone: [bay]").replace(
        "effect: deny", "effect: allow"
    )
    assert found(run(Written.into(tmp_path, open_policy)), "no denied byte")


@pytest.mark.slow
def test_the_judge_finds_a_disk_that_lies_about_what_is_synced(
    written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Disk, "sync", lambda self, descriptor: None)
    monkeypatch.setattr(Disk, "written_back", lambda self: None)
    monkeypatch.setattr("simulation.machine.Names", ["new"])
    monkeypatch.setattr("simulation.machine.Tails", ["nothing"])
    offline = Fault(5, 50, "broker line", "nothing", 0)
    cut = Fault(40, 0, "power", "cut", 3)
    assert found(run(written, offline, cut, seconds=200), "nothing lost")


@pytest.mark.slow
def test_the_judge_finds_an_outage_without_end(
    written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Retry, "after", lambda *_: Next(0, 1e9))
    assert found(run(written, Fault(30, 0, "broker", "crash", 0)), "every outage ends")


@pytest.mark.slow
def test_the_judge_finds_what_piles_up(written: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    honest = Session.acknowledged

    def leak(self: Session, packet_id: int, code: int) -> None:
        for _ in range(CAPS["timers"]):
            self._loop.call_later(1e9, print)
        honest(self, packet_id, code)

    monkeypatch.setattr(Session, "acknowledged", leak)
    assert found(run(written), "memory bounded")


@pytest.mark.slow
def test_the_judge_finds_more_in_flight_than_the_broker_takes(
    written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Window, "fits", lambda *_: True)
    world = World(written, 1, CALM_S, [Fault(20, 20, "broker", "silent", 0)])
    world.receive_maximum, world.only_311 = 2, False
    assert found(world.run(), "memory bounded")


@pytest.mark.slow
def test_the_judge_finds_a_retained_value_that_goes_back(
    written: Written, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = last_module.encode_json

    def backwards(told: Any) -> bytes:
        old = told.received_us % 2 if isinstance(told, Last) else 0
        return honest(structs.replace(told, received_us=told.received_us - 10**9) if old else told)

    monkeypatch.setattr(last_module, "encode_json", backwards)
    world = World(written, 1, CALM_S, [])
    world.bus_file = replace(world.bus_file, last="on")
    assert found(world.run(), "order")

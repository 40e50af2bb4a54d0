"""The parts of a delay by themselves: its clock, its journal, and where points stand."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from otgate.app.delay.clock import KEEP_NS, Boot, DelayClock, this_boot
from otgate.app.delay.journal import Journal, Sending, Sent, packed
from otgate.app.delay.places import places
from otgate.model import Lane
from otgate.spool.catalog import Catalog, CatalogDevice, CatalogPoint
from otgate.spool.cursor import LaneCursor
from otgate.spool.state_file import StateFile
from spools import FULL, NOW_NS, FaultyFiles, QuickFiles

HOUR_NS = 3600 * 1_000_000_000


@dataclass
class Machine:
    """A machine that runs, and the clock that anybody can set."""

    directory: Path
    id: str = "a"
    ran_ns: int = 7 * HOUR_NS
    unix_ns: int = NOW_NS

    def clock(self, files: QuickFiles | None = None) -> DelayClock:
        file = StateFile(self.directory / "clock.json", files or QuickFiles())
        return DelayClock(file, lambda: self.unix_ns, Boot(self.id, lambda: self.ran_ns))


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_a_clock_begins_at_the_systems_time_and_runs_with_the_machine(machine: Machine) -> None:
    clock = machine.clock()
    assert clock.now_ns() == NOW_NS
    machine.ran_ns += HOUR_NS
    machine.unix_ns -= 9 * HOUR_NS
    assert clock.now_ns() == NOW_NS + HOUR_NS
    assert clock.unix_ns(NOW_NS) == machine.unix_ns - HOUR_NS


def test_a_restart_of_the_process_changes_nothing(machine: Machine) -> None:
    machine.clock()
    machine.ran_ns += HOUR_NS
    machine.unix_ns = 0
    assert machine.clock().now_ns() == NOW_NS + HOUR_NS


@pytest.mark.parametrize("boot", ["b", ""], ids=["another", "none is told"])
def test_another_run_of_the_machine_goes_on_where_the_last_was_kept(
    machine: Machine, boot: str
) -> None:
    machine.clock()
    machine.id, machine.ran_ns, machine.unix_ns = boot, 9 * HOUR_NS, NOW_NS + 50 * HOUR_NS
    assert machine.clock().now_ns() == NOW_NS


def test_a_machine_that_ran_for_less_than_before_was_started_anew(machine: Machine) -> None:
    machine.clock()
    machine.ran_ns = 0
    assert machine.clock().now_ns() == NOW_NS


def test_the_time_is_written_down_once_a_minute(machine: Machine) -> None:
    clock = machine.clock()
    assert not clock.is_due
    machine.ran_ns += KEEP_NS
    assert clock.is_due
    clock.keep()
    assert not clock.is_due


def test_a_time_that_could_not_be_written_down_is_still_due(machine: Machine) -> None:
    files = FaultyFiles()
    clock = machine.clock(files)
    machine.ran_ns += KEEP_NS
    files.faults["write"] = FULL
    clock.keep()
    assert clock.is_due


@pytest.mark.parametrize("kept", ["", "[]", '{"boot": "a"}', '{"boot": 1, "since_boot_ns": "x"}'])
def test_a_clock_that_cannot_be_read_begins_again_and_says_so(machine: Machine, kept: str) -> None:
    (machine.directory / "clock.json").write_text(kept)
    with capture_logs() as logs:
        assert machine.clock().now_ns() == NOW_NS
    assert logs[0]["event"] == "delay_clock_unreadable"


def test_this_machine_tells_its_run() -> None:
    boot = this_boot()
    assert boot.id == this_boot().id != ""
    assert 0 < boot.now_ns() <= boot.now_ns()


# Journal

SENT = [Sent(5, 0, 3, 3), Sent(5, 3, 2, 0), Sent(5, 5, 4, 1), Sent(6, 0, 1, 1), Sent(6, 9, 1, 1)]


def about(sent: Sequence[Sent]) -> Sending:
    return Sending(77, dict.fromkeys(Lane, 100), {Lane.DATA: sent, Lane.EVENT: []})


def test_what_was_noted_is_read_again(tmp_path: Path) -> None:
    journal = Journal(StateFile(tmp_path / "released.json", QuickFiles()))
    cursors = {lane: LaneCursor() for lane in Lane}
    assert journal.load(cursors) is None
    cursors[Lane.DATA].next_epoch(0, 0, 5, 40)
    cursors[Lane.DATA].acknowledge(5, 0, 3)
    journal.save(cursors, about(SENT))
    again = {lane: LaneCursor() for lane in Lane}
    assert journal.load(again) == about(SENT)
    assert (again[Lane.DATA].floor, again[Lane.DATA].base(5)) == ((5, 3), 40)


@pytest.mark.parametrize(
    ("end", "there"), [(99, 0), (100, 0), (102, 0), (103, 2), (104, 3), (105, 4), (999, 5)]
)
def test_what_arrived_is_what_the_other_spool_has_to_its_end(end: int, there: int) -> None:
    assert list(about(SENT).arrived(Lane.DATA, end)) == SENT[:there]


def test_a_full_hand_fits_the_room_that_its_file_has_from_the_start() -> None:
    each = [Sent(1 << 39, 37 * number, 37, 37) for number in range(1000)]
    both = Sending(1 << 39, dict.fromkeys(Lane, 1 << 40), dict.fromkeys(Lane, each))
    assert len(json.dumps(packed(both), separators=(",", ":"))) < 7000


# Places


def catalog(*devices: tuple[str, Sequence[CatalogPoint]]) -> Catalog:
    return Catalog("s", "g", "c", tuple(CatalogDevice.of(name, found) for name, found in devices))


A, B, C = (CatalogPoint(name, "measurement", 0, unit="A") for name in "abc")


def test_points_are_found_by_device_and_name_wherever_they_stand() -> None:
    older = catalog(("d", [A, B]), ("e", [A]), ("gone", [A]))
    newest = catalog(("new", [A]), ("e", [A]), ("d", [C, B, A]))
    found = places(older, newest)
    assert found is not None
    assert found.tolist() == [4, 3, 1, -1]
    assert places(older, catalog(*[(d.id, d.points()) for d in older.devices])) is None
    assert places(catalog(), newest) is not None


@pytest.mark.parametrize(
    "other",
    [
        CatalogPoint("a", "status", 0, unit="A"),
        CatalogPoint("a", "measurement", 1, unit="A"),
        CatalogPoint("a", "measurement", 0, unit="kA"),
        CatalogPoint("a", "measurement", 0, unit="A", states={1: "on"}),
        CatalogPoint("a", "measurement", 0, unit="A", flags=True),
    ],
    ids=["kind", "type", "unit", "states", "flags"],
)
def test_a_point_that_means_something_else_is_another_one(other: CatalogPoint) -> None:
    found = places(catalog(("d", [A, B])), catalog(("d", [other, B])))
    assert found is not None
    assert found.tolist() == [-1, 1]


def test_a_point_described_otherwise_is_the_same() -> None:
    named = CatalogPoint("a", "measurement", 0, unit="A", name="Current", owner="us")
    found = places(catalog(("d", [A, B])), catalog(("d", [named, B])))
    assert found is not None
    assert found.tolist() == [0, 1]

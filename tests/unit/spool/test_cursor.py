import errno
import json
from pathlib import Path

import pytest

from otgate.model import Lane
from otgate.spool.cursor import HISTORY_S, MOST_RANGES, CursorFile, LaneCursor, Place
from spools import FaultyFiles


class Seconds:
    """A clock that a test turns."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def seconds() -> Seconds:
    return Seconds()


@pytest.fixture
def cursor(seconds: Seconds) -> LaneCursor:
    cursor = LaneCursor(seconds)
    cursor.stand_at(Place(5, 0), 100)
    return cursor


def test_acknowledged_in_order_the_floor_follows(cursor: LaneCursor) -> None:
    cursor.acknowledge(5, 0, 10)
    cursor.acknowledge(5, 10, 12)
    assert cursor.floor == Place(5, 12)


def test_the_floor_waits_for_a_hole(cursor: LaneCursor) -> None:
    cursor.acknowledge(5, 10, 12)
    assert cursor.floor == Place(5, 0)
    assert cursor.missing(5, 0, 20) == [(0, 10), (12, 20)]
    cursor.acknowledge(5, 0, 10)
    assert cursor.floor == Place(5, 12)


def test_the_floor_enters_the_next_epoch_once_its_own_is_done(cursor: LaneCursor) -> None:
    cursor.next_epoch(5, 10, 8, 110)
    cursor.acknowledge(8, 0, 3)
    assert cursor.floor == Place(5, 0)
    cursor.acknowledge(5, 0, 10)
    assert cursor.floor == Place(8, 3)
    assert cursor.base(8) == 110


def test_an_empty_epoch_is_done_at_once(cursor: LaneCursor) -> None:
    cursor.next_epoch(5, 0, 6, 100)
    cursor.next_epoch(6, 0, 8, 100)
    assert cursor.floor == Place(8, 0)


def test_what_lies_behind_the_floor_changes_nothing(cursor: LaneCursor) -> None:
    cursor.next_epoch(5, 0, 6, 100)
    cursor.changed = False
    cursor.acknowledge(5, 0, 9)
    cursor.acknowledge(6, 4, 4)
    assert cursor.floor == Place(6, 0)
    assert not cursor.changed


def test_rewind_takes_back_the_last_seconds_only(cursor: LaneCursor, seconds: Seconds) -> None:
    cursor.acknowledge(5, 0, 10)
    seconds.now += 5
    cursor.acknowledge(5, 10, 20)
    cursor.rewind(seconds.now - 3)
    assert cursor.floor == Place(5, 10)


def test_rewind_leaves_what_was_acknowledged_earlier_out_of_order(
    cursor: LaneCursor, seconds: Seconds
) -> None:
    cursor.acknowledge(5, 10, 20)
    seconds.now += 5
    cursor.acknowledge(5, 0, 10)
    cursor.rewind(seconds.now - 3)
    assert cursor.floor == Place(5, 0)
    assert cursor.missing(5, 0, 20) == [(0, 10)]


def test_rewind_goes_back_over_epochs(cursor: LaneCursor, seconds: Seconds) -> None:
    cursor.acknowledge(5, 0, 4)
    seconds.now += 5
    cursor.acknowledge(5, 4, 10)
    cursor.next_epoch(5, 10, 6, 110)
    cursor.next_epoch(6, 0, 8, 110)
    cursor.acknowledge(8, 0, 3)
    cursor.rewind(seconds.now - 1)
    assert cursor.floor == Place(5, 4)
    cursor.acknowledge(5, 4, 10)
    cursor.acknowledge(8, 0, 3)
    assert cursor.floor == Place(8, 3)


def test_history_is_bounded(cursor: LaneCursor, seconds: Seconds) -> None:
    for n in range(500):
        cursor.acknowledge(5, n, n + 1)
        seconds.now += 1
    cursor.rewind(seconds.now - 10_000)
    assert cursor.floor.seq >= 500 - HISTORY_S - 2


def test_a_burst_is_one_piece_of_history(cursor: LaneCursor) -> None:
    for n in range(500):
        cursor.acknowledge(5, n, n + 1)
    assert len(cursor._history) == 1


def test_epochs_left_long_ago_are_forgotten(cursor: LaneCursor, seconds: Seconds) -> None:
    for epoch in range(5, 300):
        cursor.acknowledge(epoch, 0, 1)
        cursor.next_epoch(epoch, 1, epoch + 1, epoch)
        seconds.now += 10
    assert len(cursor._acked) < 12
    assert len(cursor._bases) < 12


def saved(file: CursorFile, cursor: LaneCursor) -> bool:
    return file.save(file.spelled({Lane.DATA: cursor}))


def test_a_cursor_survives_its_file(cursor: LaneCursor, tmp_path: Path) -> None:
    cursor.acknowledge(5, 0, 7)
    cursor.acknowledge(5, 9, 12)
    cursor.acknowledge(8, 0, 2)
    cursor.last_ns = 77
    assert saved(CursorFile(tmp_path, FaultyFiles()), cursor)
    again = LaneCursor()
    assert CursorFile(tmp_path, FaultyFiles()).load({Lane.DATA: again})
    assert (again.floor, again.base(5), again.last_ns) == (Place(5, 7), 100, 77)
    assert again.missing(5, 7, 20) == [(7, 9), (12, 20)]
    assert again.missing(8, 0, 3) == [(2, 3)]


def restarted(seconds: Seconds, cursor: LaneCursor, since_s: float) -> LaneCursor:
    later = LaneCursor(seconds)
    later.restore(json.loads(json.dumps(cursor.as_json(since_s))))
    return later


def test_a_restarted_cursor_stands_where_it_stood_and_can_be_rewound(
    cursor: LaneCursor, seconds: Seconds
) -> None:
    cursor.acknowledge(5, 0, 10)
    seconds.now += 5
    cursor.acknowledge(5, 10, 20)
    later = restarted(seconds, cursor, seconds.now - 3)
    assert later.floor == Place(5, 20)
    later.rewind(seconds.now)
    assert later.floor == Place(5, 10)


def test_a_restarted_cursor_is_rewound_over_epochs(cursor: LaneCursor, seconds: Seconds) -> None:
    cursor.acknowledge(5, 0, 4)
    seconds.now += 5
    cursor.acknowledge(5, 4, 10)
    cursor.next_epoch(5, 10, 8, 110)
    cursor.acknowledge(8, 0, 3)
    later = restarted(seconds, cursor, seconds.now - 1)
    later.next_epoch(5, 10, 8, 110)
    assert later.floor == Place(8, 3)
    later.rewind(seconds.now)
    assert later.floor == Place(5, 4)
    assert later.base(5) == 100


def test_without_a_file_a_cursor_stands_before_everything(tmp_path: Path) -> None:
    cursor = LaneCursor()
    assert CursorFile(tmp_path, FaultyFiles()).load({Lane.DATA: cursor})
    assert cursor.floor == Place(0, 0)


GOOD = {
    "epoch": "00000005",
    "complete_through": 7,
    "samples_before_epoch": 0,
    "last_spooled_ns": 0,
    "acknowledged": [["00000005", 9, 12]],
}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '"x"',
        '{"format": 2, "lanes": {}}',
        '{"format": 1}',
        '{"format": 1, "lanes": {"data": null}}',
        '{"format": 1, "lanes": {"data": {}}}',
        *(
            json.dumps({"format": 1, "lanes": {"data": GOOD | bad}})
            for bad in (
                {"epoch": 5},
                {"epoch": "x"},
                {"complete_through": -1},
                {"complete_through": "7"},
                {"samples_before_epoch": True},
                {"acknowledged": [[1, 2, 3]]},
                {"acknowledged": [["00000005", 2]]},
                {"acknowledged": None},
            )
        ),
        "\x00" * 40,
        "[" * 100_000,
    ],
)
def test_a_damaged_cursor_is_put_aside_and_said(text: str, tmp_path: Path) -> None:
    (tmp_path / "cursor.json").write_text(text)
    file, cursor = CursorFile(tmp_path, FaultyFiles()), LaneCursor()
    assert not file.load({Lane.DATA: cursor})
    assert cursor.floor == Place(0, 0)
    assert (tmp_path / "cursor.damaged").read_text() == text
    assert "put aside as cursor.damaged" in file.problem


def kept(cursor: LaneCursor, folder: Path) -> Place:
    """Save, go on, save without a sync; return where a reader that is killed now begins."""
    file = CursorFile(folder, FaultyFiles())
    saved(file, cursor)
    cursor.acknowledge(5, 0, 7)
    file.save_unsynced(file.spelled({Lane.DATA: cursor}))
    return restored(folder)


def unsynced(folder: Path) -> Path:
    (found,) = folder.glob("cursor.unsynced*")
    return found


def restored(folder: Path) -> Place:
    again = LaneCursor()
    assert CursorFile(folder, FaultyFiles()).load({Lane.DATA: again})
    return again.floor


def test_a_kill_leaves_what_is_not_synced(cursor: LaneCursor, tmp_path: Path) -> None:
    assert kept(cursor, tmp_path) == Place(5, 7)


@pytest.mark.parametrize("left", [b"", b"\0" * 300, b"garbage", b"\2\0\0\0\0\0\0\0[]"])
def test_a_power_cut_leaves_what_was_synced(
    cursor: LaneCursor, tmp_path: Path, left: bytes
) -> None:
    kept(cursor, tmp_path)
    unsynced(tmp_path).write_bytes(left)
    assert restored(tmp_path) == Place(5, 0)


def test_half_of_what_is_not_synced_counts_for_nothing(cursor: LaneCursor, tmp_path: Path) -> None:
    kept(cursor, tmp_path)
    whole = unsynced(tmp_path).read_bytes()
    unsynced(tmp_path).write_bytes(whole[:-40])
    assert restored(tmp_path) == Place(5, 0)


def test_a_torn_save_leaves_the_one_before(cursor: LaneCursor, tmp_path: Path) -> None:
    file = CursorFile(tmp_path, FaultyFiles())
    saved(file, cursor)
    for stop in (7, 9):
        cursor.acknowledge(5, 0, stop)
        before = {path: path.read_bytes() for path in tmp_path.iterdir()}
        file.save_unsynced(file.spelled({Lane.DATA: cursor}))
    (torn,) = (path for path in tmp_path.iterdir() if before.get(path) != path.read_bytes())
    torn.write_bytes(torn.read_bytes()[:50])
    assert restored(tmp_path) == Place(5, 7)


def test_a_shorter_save_over_a_longer_one_counts(cursor: LaneCursor, tmp_path: Path) -> None:
    file = CursorFile(tmp_path, FaultyFiles())
    saved(file, cursor)
    for start in range(100, 200, 2):
        cursor.acknowledge(5, start, start + 1)
    file.save_unsynced(file.spelled({Lane.DATA: cursor}))
    file.save_unsynced(file.spelled({Lane.DATA: cursor}))
    cursor.acknowledge(5, 0, 300)
    file.save_unsynced(file.spelled({Lane.DATA: cursor}))
    file.save_unsynced(file.spelled({Lane.DATA: cursor}))
    assert restored(tmp_path) == Place(5, 300)


def test_the_newer_save_counts_though_it_stands_further_back(
    cursor: LaneCursor, tmp_path: Path
) -> None:
    file = CursorFile(tmp_path, FaultyFiles())
    cursor.acknowledge(5, 0, 7)
    file.save_unsynced(file.spelled({Lane.DATA: cursor}))
    cursor.rewind(0)
    saved(file, cursor)
    assert restored(tmp_path) == Place(5, 0)


def test_saves_are_numbered_on_after_a_restart(cursor: LaneCursor, tmp_path: Path) -> None:
    kept(cursor, tmp_path)
    again, file = LaneCursor(), CursorFile(tmp_path, FaultyFiles())
    file.load({Lane.DATA: again})
    again.acknowledge(5, 7, 9)
    saved(file, again)
    assert restored(tmp_path) == Place(5, 9)


def test_who_removes_the_cursor_begins_anew(cursor: LaneCursor, tmp_path: Path) -> None:
    kept(cursor, tmp_path)
    (tmp_path / "cursor.json").unlink()
    assert restored(tmp_path) == Place(0, 0)


def test_a_failed_save_leaves_the_old_file(cursor: LaneCursor, tmp_path: Path) -> None:
    files = FaultyFiles()
    file = CursorFile(tmp_path, files)
    assert saved(file, cursor)
    before = (tmp_path / "cursor.json").read_bytes()
    cursor.acknowledge(5, 0, 7)
    for operation in ("reuse", "write", "sync", "exchange"):
        files.faults = {operation: errno.ENOSPC}
        assert not saved(file, cursor)
        assert "No space left" in file.problem
        assert (tmp_path / "cursor.json").read_bytes() == before
    files.faults = {}
    files.short_writes = 1
    assert not saved(file, cursor)
    assert saved(file, cursor)
    assert file.problem == ""


def test_two_ends_that_take_turns_are_rewound_as_two_stretches(
    cursor: LaneCursor, seconds: Seconds
) -> None:
    for number in range(1000):
        cursor.acknowledge(5, number, number + 1)
        cursor.acknowledge(5, 5000 + number, 5001 + number)
    assert len(cursor._history) == 2
    seconds.now += 1
    cursor.acknowledge(5, 6000, 6001)
    cursor.rewind(seconds.now)
    assert cursor.missing(5, 0, 7000) == [(1000, 5000), (6000, 7000)]


def test_of_too_many_ranges_the_shortest_come_again(cursor: LaneCursor) -> None:
    for number in range(MOST_RANGES + 2):
        start = 10 + 100 * number
        cursor.acknowledge(5, start, start + (50 if number not in {3, 7} else 1))
    cursor.rewind(float("inf"))
    assert len(cursor.as_json()["acknowledged"]) == MOST_RANGES
    assert cursor.missing(5, 310, 311) == [(310, 311)]
    assert cursor.missing(5, 710, 711) == [(710, 711)]


def test_what_is_left_between_two_places_is_counted(cursor: LaneCursor) -> None:
    cursor.acknowledge(5, 2, 4)
    cursor.know(9, 200)
    cursor.acknowledge(9, 1, 3)
    assert cursor.unacknowledged(Place(5, 1), Place(9, 10)) == 109 - 2 - 2
    assert cursor.unacknowledged(Place(5, 3), Place(5, 10)) == 6


def test_what_is_under_way_is_not_missing_until_the_next_rewind(cursor: LaneCursor) -> None:
    cursor.acknowledge(5, 0, 2)
    cursor.leave([(5, 3, 5), (5, 8, 9)])
    assert cursor.missing(5, 0, 10) == [(2, 3), (5, 8), (9, 10)]
    assert cursor.floor == Place(5, 2)
    cursor.leave([])
    assert cursor.missing(5, 0, 10) == [(2, 10)]

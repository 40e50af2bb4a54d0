import time
from pathlib import Path

import pytest

from otgate.spool.files import OperatingSystem
from otgate.spool.segment import Log, SegmentId
from otgate.spool.shelf import Catalogs, Shelf
from spools import FaultyFiles

FIRST, SECOND = SegmentId(77, 0), SegmentId(77, 1)


class Hasty(FaultyFiles):
    """Trusts the time of a directory soon."""

    settled_ns = 50_000_000


@pytest.fixture
def files() -> Hasty:
    return Hasty()


@pytest.fixture
def shelf(tmp_path: Path, files: Hasty) -> Shelf:
    (tmp_path / FIRST.name).touch()
    return Shelf(files, tmp_path, Log.DATA, Catalogs())


def settled(files: Hasty, directory: Path) -> None:
    while files.stamp(directory) is None:
        time.sleep(0.01)


def test_a_directory_that_has_not_changed_is_not_listed_again(shelf: Shelf, files: Hasty) -> None:
    settled(files, shelf.directory)
    assert [shelf.listed() for _ in range(5)] == [[FIRST]] * 5
    assert files.calls["names"] == 1


def test_a_segment_that_appears_later_is_found(shelf: Shelf, files: Hasty) -> None:
    settled(files, shelf.directory)
    assert shelf.listed() == [FIRST]
    (shelf.directory / SECOND.name).touch()
    assert shelf.listed() == [FIRST, SECOND]


def test_a_directory_that_changed_a_moment_ago_has_no_stamp_yet(tmp_path: Path) -> None:
    patient = OperatingSystem()  # another change may come within one tick of the file system
    (tmp_path / FIRST.name).touch()
    assert patient.stamp(tmp_path) is None


def test_a_directory_that_comes_back_is_listed(shelf: Shelf, files: Hasty, tmp_path: Path) -> None:
    settled(files, shelf.directory)
    assert shelf.listed() == [FIRST]
    elsewhere = tmp_path.with_name("elsewhere")
    tmp_path.rename(elsewhere)
    assert shelf.listed() == ()
    elsewhere.rename(tmp_path)
    assert shelf.listed() == [FIRST]


def test_a_directory_that_cannot_be_listed_is_tried_again(shelf: Shelf, files: Hasty) -> None:
    settled(files, shelf.directory)
    files.faults["names"] = 5
    assert shelf.listed() == ()
    files.faults.clear()
    assert shelf.listed() == [FIRST]

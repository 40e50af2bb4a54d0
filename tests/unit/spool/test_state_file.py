import errno
import json
import os
from pathlib import Path

import pytest

from disks import fill, small_disk
from otgate.spool.files import OS
from otgate.spool.state_file import LEAST_BYTES, StateFile
from spools import FaultyFiles

__all__ = ["small_disk"]

OPERATIONS = ["reuse", "write", "sync", "exchange"]


@pytest.fixture
def files() -> FaultyFiles:
    return FaultyFiles()


def kept(path: Path) -> object:
    return json.loads(path.read_bytes())


def test_what_was_written_last_is_read(tmp_path: Path) -> None:
    file = StateFile(tmp_path / "state" / "a.json", OS)
    for number in (1, 22, 333, 4):
        file.write(b"%d" % number)
        assert json.loads(StateFile(file.path, OS).read()) == number


def test_nothing_kept_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        StateFile(tmp_path / "a.json", OS).read()


@pytest.mark.parametrize("size", [LEAST_BYTES, 3 * LEAST_BYTES, 100_000])
def test_it_grows_and_shrinks(size: int, tmp_path: Path) -> None:
    file = StateFile(tmp_path / "a.json", OS)
    for text in ("short", "x" * size, "shorter", "y" * (2 * size), "z"):
        file.write(json.dumps(text).encode())
        assert kept(file.path) == text


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_failed_write_leaves_the_old_content(
    operation: str, files: FaultyFiles, tmp_path: Path
) -> None:
    file = StateFile(tmp_path / "a.json", files)
    file.write(b"1")
    files.faults = {operation: errno.EIO}
    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        file.write(b"2")
    assert kept(file.path) == 1
    files.faults = {}
    file.write(b"3")
    assert kept(file.path) == 3


def test_a_short_write_leaves_the_old_content(files: FaultyFiles, tmp_path: Path) -> None:
    file = StateFile(tmp_path / "a.json", files)
    file.write(b"1")
    files.short_writes = 1
    with pytest.raises(OSError, match="No space left"):
        file.write(json.dumps("x" * 20_000).encode())
    assert kept(file.path) == 1


def test_a_spare_that_could_not_be_synced_is_not_used_again(
    files: FaultyFiles, tmp_path: Path
) -> None:
    file = StateFile(tmp_path / "a.json", files)
    file.write(b"1")
    files.faults = {"sync": errno.EIO}
    with pytest.raises(OSError, match="error"):
        file.write(b"2")
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_without_an_exchange_one_name_replaces_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(type(OS), "_libc", object())
    file = StateFile(tmp_path / "a.json", OS)
    for number in range(3):
        file.write(b"%d" % number)
        assert kept(file.path) == number


def test_names_are_exchanged_at_once(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a")
    (tmp_path / "b").write_text("b")
    OS.exchange(tmp_path / "a", tmp_path / "b")
    assert [(tmp_path / name).read_text() for name in "ab"] == ["b", "a"]
    with pytest.raises(FileNotFoundError):
        OS.exchange(tmp_path / "absent", tmp_path / "b")


def test_state_goes_on_being_saved_with_no_byte_free(small_disk: Path) -> None:
    file = StateFile(small_disk / "state" / "a.json", OS)
    file.write(b"0")
    fill(small_disk / "ballast")
    assert OS.room(small_disk) == 0
    with pytest.raises(OSError, match="No space left"):
        (small_disk / "other").write_bytes(bytes(5000))
    for number in range(100):
        file.write(json.dumps([number] * (number * 10)).encode())
        assert kept(file.path) == [number] * (number * 10)

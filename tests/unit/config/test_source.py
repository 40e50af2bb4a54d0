from pathlib import Path

import pytest

from otgate.config.diagnostic import Diagnostics, Place
from otgate.config.source import Source, read_source


def said(path: Path, cap_bytes: int = 1000) -> list[tuple[str, int, int]]:
    found = Diagnostics()
    assert read_source(path, cap_bytes, found) is None
    return [(one.code, one.line, one.column) for one in found]


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"ok\n\xb0C", ("wrong-encoding", 2, 1)),
        (b"a\xc3", ("wrong-encoding", 1, 2)),
        (b"\xfe\xff\x00a", ("wrong-encoding", 1, 1)),
        (b"PK\x03\x04", ("wrong-encoding", 1, 1)),
        (b"a\nb\x00c", ("illegal-character", 2, 2)),
        ("a\u2028b".encode(), ("illegal-character", 1, 2)),
        ("a\ufeffb".encode(), ("illegal-character", 1, 2)),
        (b"x" * 1001, ("file-too-large", 1, 1)),
    ],
)
def test_bytes_that_are_no_text_are_refused_at_their_place(
    tmp_path: Path, raw: bytes, expected: tuple[str, int, int]
) -> None:
    (tmp_path / "f").write_bytes(raw)
    assert said(tmp_path / "f") == [expected]


def test_a_file_of_the_largest_size_is_read(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"x" * 1000)
    source = read_source(tmp_path / "f", 1000, Diagnostics())
    assert source is not None
    assert source.text == "x" * 1000


@pytest.mark.parametrize("name", ["absent", "folder", "nul\0name", "x" * 300])
def test_what_cannot_be_opened_is_a_diagnostic(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder").mkdir()
    assert said(tmp_path / name) == [("unreadable-file", 1, 1)]


def test_a_place_ends_within_its_line() -> None:
    source = Source("f", "ab\ncd")
    assert source.place(1, 1) == Place("f", 1, 1, 3)
    assert source.place(2, 3) == Place("f", 2, 3, 4)

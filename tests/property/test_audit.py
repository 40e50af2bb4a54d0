"""Whatever is done to an audit log, an anchor of its last line shows it."""

import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from audit_logs import files, written
from otgate.observe.audit.anchor import Anchored
from otgate.observe.audit.proof import proved
from otgate.observe.audit.record import digest

COUNT = 12
Lines = list[bytes]
Tamper = Callable[[Lines, st.DataObject], Lines]


def edited(kept: Lines, data: st.DataObject) -> Lines:
    at = data.draw(st.integers(0, len(kept) - 1))
    line = bytearray(kept[at])
    place = data.draw(st.integers(0, len(line) - 1))
    line[place] ^= data.draw(st.integers(1, 255))
    return [*kept[:at], bytes(line), *kept[at + 1 :]]


def deleted(kept: Lines, data: st.DataObject) -> Lines:
    at = data.draw(st.integers(0, len(kept) - 1))
    count = data.draw(st.integers(1, len(kept) - at))
    return kept[:at] + kept[at + count :]


def swapped(kept: Lines, data: st.DataObject) -> Lines:
    return data.draw(st.permutations(kept))


def repeated(kept: Lines, data: st.DataObject) -> Lines:
    at, to = (data.draw(st.integers(0, len(kept) - 1)) for _ in "ab")
    return [*kept[:to], kept[at], *kept[to:]]


@cache
def genuine() -> tuple[str, Lines]:
    """The name and the lines of a log."""
    with tempfile.TemporaryDirectory() as directory:
        kept = written(Path(directory), COUNT)
        return files(Path(directory))[0].name, kept


@given(st.lists(st.sampled_from([edited, deleted, swapped, repeated]), min_size=1), st.data())
def test_no_tampering_goes_unseen(steps: list[Tamper], data: st.DataObject) -> None:
    name, before = genuine()
    kept = before
    for step in steps:
        kept = step(kept, data) if kept else kept
    with tempfile.TemporaryDirectory() as directory:
        Path(directory, name).write_bytes(b"".join(line + b"\n" for line in kept))
        proof = proved(Path(directory), anchors=[Anchored(digest(before[-1]), COUNT + 1)])
    assert bool(proof.breaks) == (kept != before)

"""Audit logs for tests: written by the real writer, spoilt by hand."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from otgate.observe.audit.book import Ends
from otgate.observe.audit.journal import Keeping
from otgate.observe.audit.log import Audit

DAY_NS = 86_400_000_000_000
NOON_NS = 1_800_000_000_000_000_000 // DAY_NS * DAY_NS + DAY_NS // 2


def keeping(directory: Path, size_bytes: int = 64 << 20, keep_s: float = 90 * 86400.0) -> Keeping:
    return Keeping(directory, size_bytes, keep_s)


class Clock:
    """A clock that a test sets."""

    def __init__(self, now_ns: int = NOON_NS) -> None:
        self.now_ns = now_ns

    def __call__(self) -> int:
        self.now_ns += 1_000_000
        return self.now_ns


@contextmanager
def audit(directory: Path, ends: Ends | None = None, clock: Clock | None = None) -> Iterator[Audit]:
    """A log that is closed in the end."""
    opened = Audit(keeping(directory), ends, clock or Clock())
    try:
        yield opened
    finally:
        opened.close()


def written(
    directory: Path, count: int, ends: Ends | None = None, verb: str = "reload"
) -> list[bytes]:
    """Write a log of ``count`` records and a checkpoint; return its lines."""
    with audit(directory, ends) as log:
        for number in range(count):
            log.note("asked", verb=verb, number=number)
    return lines(directory)


def files(directory: Path) -> list[Path]:
    return sorted(directory.glob("*.jsonl"))


def lines(directory: Path) -> list[bytes]:
    """The whole lines of a log, which may be written meanwhile."""
    return [line for path in files(directory) for line in path.read_bytes().split(b"\n")[:-1]]


def records(directory: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines(directory)]


def events(directory: Path) -> list[str]:
    return [record["event"] for record in records(directory)]


def rewrite(directory: Path, kept: Sequence[bytes]) -> None:
    """Put other lines into the one file of a log."""
    (path,) = files(directory)
    path.write_bytes(b"".join(line + b"\n" for line in kept))

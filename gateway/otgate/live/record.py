"""What was commissioned so far: one JSON line a verdict, and a report that its own hash covers."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from otgate.errors import Refused

HEADER = (
    "point", "name", "unit", "expected", "device", "conduits", "verdict", "doubts", "note",
    "tester", "at",
)  # fmt: skip


class Verdict(StrEnum):
    """What the engineer says of a point."""

    PASS = "pass"  # noqa: S105  no password
    FAIL = "fail"
    SKIP = "skip"


@dataclass(frozen=True, slots=True)
class Entry:
    """One verdict. Values are spelled as they were shown."""

    point: str
    name: str
    unit: str
    expected: str
    device: str
    conduits: Mapping[str, Mapping[str, str]]
    """What was seen in the spool and at the broker, by conduit; or why nothing may be."""
    verdict: str
    doubts: Sequence[str]
    note: str
    tester: str
    at: str
    """ISO 8601 in UTC."""
    map_hash: str
    policy_hash: str

    def cells(self) -> list[str]:
        """Return it as a row below `HEADER`."""
        ways = "; ".join(
            f"{conduit}: {', '.join(f'{place} {text}' for place, text in seen.items())}"
            for conduit, seen in self.conduits.items()
        )
        doubts = "; ".join(self.doubts)
        return [
            self.point, self.name, self.unit, self.expected, self.device, ways, self.verdict,
            doubts, self.note, self.tester, self.at,
        ]  # fmt: skip


class Record:
    """The verdicts of a site in a file that only grows; a later verdict of a point counts."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._entries: dict[str, Entry] = {}
        self._load()

    def _load(self) -> None:
        try:
            text = self._path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return
        except (OSError, UnicodeDecodeError) as error:
            raise Refused(f"{self._path} cannot be read: {error}") from error
        for number, line in enumerate(text.splitlines(), 1):
            try:
                entry = Entry(**json.loads(line))
            except (ValueError, TypeError) as error:
                message = f"{self._path}:{number}: this is no verdict ({error})"
                raise Refused(f"{message}; repair or delete the line") from error
            self._entries[entry.point] = entry

    def add(self, entry: Entry) -> None:
        """Write a verdict down at once.

        Raises:
            Refused: it cannot be written.
        """
        line = json.dumps(asdict(entry), ensure_ascii=False)
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with self._path.open("a", encoding="utf-8") as file:
                file.write(f"{line}\n")
        except OSError as error:
            raise Refused(f"{self._path} cannot be written: {error.strerror}") from error
        self._entries[entry.point] = entry

    def of(self, point: str, map_hash: str) -> Entry | None:
        """Return the verdict of a point under a point map, if it was passed or failed."""
        entry = self._entries.get(point)
        settled = entry is not None and entry.verdict != Verdict.SKIP
        return entry if settled and entry is not None and entry.map_hash == map_hash else None

    def entries(self, points: Sequence[str]) -> list[Entry]:
        """Return the newest verdict of each of ``points`` that has one."""
        return [self._entries[point] for point in points if point in self._entries]


def rows(entries: Sequence[Entry]) -> list[list[str]]:
    """Return a report as rows, the header first."""
    return [list(HEADER), *(entry.cells() for entry in entries)]


def digest(text: str) -> str:
    """Return the SHA-256 of a report's text."""
    return hashlib.sha256(text.encode()).hexdigest()

"""A diagnostic: something wrong with a file, as a value with a place."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from otgate.config.codes import severity_of


class Severity(StrEnum):
    """Whether a file is refused because of it."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Place:
    """A stretch of one line of a file. Lines and columns count from 1, in characters."""

    file: str
    line: int = 1
    column: int = 1
    end_column: int = 2
    """The column after the last one that is meant."""


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One thing wrong, where, and what to write instead."""

    code: str
    severity: Severity
    file: str
    line: int
    column: int
    end_column: int
    message: str
    help: str = ""


class Diagnostics:
    """Everything said about a set of files so far."""

    def __init__(self) -> None:
        self._said: dict[Diagnostic, None] = {}
        self.errors = 0

    def __len__(self) -> int:
        return len(self._said)

    def __iter__(self) -> Iterator[Diagnostic]:
        return iter(self._said)

    def say(
        self,
        code: str,
        place: Place,
        message: str,
        help_: str = "",
        severity: Severity | None = None,
    ) -> None:
        """Add one diagnostic; saying the same twice at one place says it once."""
        weight = severity or Severity(severity_of(code))
        said = Diagnostic(
            code, weight, place.file, place.line, place.column, place.end_column, message, help_
        )
        if said not in self._said:
            self._said[said] = None
            self.errors += weight is Severity.ERROR

    def sorted(self) -> list[Diagnostic]:
        """Return everything said, by file, line and column."""
        return sorted(self._said, key=lambda d: (d.file, d.line, d.column, d.code, d.message))

"""A diagnostic: something wrong with a file, as a value with a place."""

import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import islice

from otgate.config.codes import severity_of

VARIABLE = re.compile(r"`[^`]*`|[0-9.]+")
"""What differs where several have the same mistake."""


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
class Use:
    """One of several that were made from the same lines, and where that is said."""

    file: str
    line: int
    column: int
    name: str
    """As people know it: `device f7`."""


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
    uses: tuple[Use, ...] = ()
    """Who has it, where a line stands for several: the one that the message is of goes first."""


class Diagnostics:
    """Everything said about a set of files so far."""

    def __init__(self) -> None:
        self._said: dict[Diagnostic, dict[Use, None]] = {}
        self._alike: dict[Diagnostic, Diagnostic] = {}
        self.use: Use | None = None
        """Of whom is spoken."""
        self.errors = 0
        """How often an error was said, repeated ones too."""

    def __len__(self) -> int:
        return len(self._said)

    def __iter__(self) -> Iterator[Diagnostic]:
        return (replace(one, uses=tuple(uses)) for one, uses in self._said.items())

    @contextmanager
    def of(self, use: Use | None) -> Iterator[None]:
        """Let what is said meanwhile be of ``use``; the same of others is said once."""
        before, self.use = self.use, use
        try:
            yield
        finally:
            self.use = before

    def since(self, count: int) -> list[Diagnostic]:
        """Return what was said after the first ``count``, without who has it."""
        return list(islice(self._said, count, None))

    def again(self, said: Iterable[Diagnostic]) -> None:
        """Say the same of whom is spoken now."""
        for one in said:
            self.errors += one.severity is Severity.ERROR
            if self.use is not None:
                self._said[one][self.use] = None

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
        known = said if self.use is None else self._like(said, self.use)
        uses = self._said.setdefault(known, {})
        self.errors += weight is Severity.ERROR
        if self.use is not None:
            uses[self.use] = None

    def _like(self, said: Diagnostic, use: Use) -> Diagnostic:
        """Return what others said at the same place, but for names and numbers, else ``said``."""
        if said in self._said:
            return said
        form = replace(said, message=VARIABLE.sub("", said.message), help="")
        like = self._alike.setdefault(form, said)
        return said if use in self._said.get(like, ()) else like

    def sorted(self) -> list[Diagnostic]:
        """Return everything said, by file, line and column."""
        return sorted(self, key=lambda d: (d.file, d.line, d.column, d.code, d.message))

"""A diagnostic: something wrong with a file, as a value with a place."""

import re
from collections import Counter
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


MAX_PER_FILE = 100
"""Errors, and warnings, that are kept of one file: nobody mends more at a time."""

MAX_IN_ALL = 1000
"""Diagnostics that are kept of all files together."""


NOT_SHOWN = "not-shown"
"""The code of what stands for the others of a file."""


def in_order(one: Diagnostic) -> tuple[object, ...]:
    """Sort by file, line and column; what stands for the others of a file comes last."""
    return one.file, one.code == NOT_SHOWN, one.line, one.column, one.code, one.message


class Diagnostics:
    """What is said about a set of files so far; of very many the first, and a count."""

    def __init__(self) -> None:
        self._said: dict[Diagnostic, dict[Use, None]] = {}
        self._alike: dict[Diagnostic, Diagnostic] = {}
        self.use: Use | None = None
        """Of whom is spoken."""
        self._kept: Counter[tuple[str, Severity]] = Counter()
        self._left_out: Counter[tuple[str, Severity]] = Counter()
        self._unread: set[str] = set()
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
        if known not in self._said:
            if self.full(place.file, weight):
                self.leave_out(place.file, weight)
                return
            self._said[known] = {}
            self._kept[place.file, weight] += 1
        self.errors += weight is Severity.ERROR
        if self.use is not None:
            self._said[known][self.use] = None

    def _like(self, said: Diagnostic, use: Use) -> Diagnostic:
        """Return what others said at the same place, but for names and numbers, else ``said``."""
        if said in self._said:
            return said
        form = replace(said, message=VARIABLE.sub("", said.message), help="")
        like = self._alike.setdefault(form, said)
        return said if use in self._said.get(like, ()) else like

    def full(self, file: str, weight: Severity = Severity.ERROR) -> bool:
        """Tell whether more of ``file`` would be counted only, so that nobody need look for it."""
        return self._kept[file, weight] >= MAX_PER_FILE or len(self._said) >= MAX_IN_ALL

    def leave_out(self, file: str, weight: Severity = Severity.ERROR, count: int = 1) -> None:
        """Count what is found in a file that is full."""
        self._left_out[file, weight] += count
        self.errors += count * (weight is Severity.ERROR)

    def leave_unread(self, file: str) -> None:
        """Take note that the rest of a full file is not looked at."""
        self._unread.add(file)

    def sorted(self) -> list[Diagnostic]:
        """Return everything said, by file, line and column; last of a file how much is not."""
        unread = ((file, Severity.ERROR) for file in self._unread)
        others = dict.fromkeys((*self._left_out, *unread))
        said = [*self, *(self._others(file, weight) for file, weight in others)]
        return sorted(said, key=in_order)

    def _others(self, file: str, weight: Severity) -> Diagnostic:
        """Return what stands for those of a file that are not kept."""
        count = self._left_out[file, weight]
        parts = [f"{count:,} more {weight}s in this file are not shown"] if count else []
        if file in self._unread:
            parts.append("the rest of this file was not looked at")
        last = max((one.line for one in self._said if one.file == file), default=1)
        help_ = "mend those that are shown, then check again"
        return Diagnostic(NOT_SHOWN, weight, file, last, 1, 2, "; ".join(parts), help_)

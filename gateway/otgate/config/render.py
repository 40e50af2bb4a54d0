"""Print diagnostics: full for people, concise for a list, json and github for machines."""

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from unicodedata import east_asian_width

from otgate.config.diagnostic import Diagnostic, Severity, Use
from otgate.config.source import MAX_CSV_BYTES, Lines, read_capped

LinesOf = Callable[[str], Sequence[str]]
"""The lines of a file by its name."""

MAX_SHOWN = 120
"""Characters of a source line that are shown around the place that is meant."""

LOOKED_AT = 1 << 12
"""Characters beyond a place that are searched for secrets, at least."""

SECRETS = re.compile(
    r"(?i)((?:pas{1,8}w|pwd|secret|token)[\w-]{0,64}[\"']?\s{0,64}[:=]\s{0,64})(?![{\s])([^,}]+)"
    r"|(?<=://)([^/@\s]+)(?=@)"
)
"""What looks like a secret in a source line is not repeated."""

RESET, BOLD, RED, YELLOW, BLUE = "\x1b[0m", "\x1b[1m", "\x1b[1;31m", "\x1b[1;33m", "\x1b[1;34m"


class Form(StrEnum):
    """How diagnostics are printed."""

    FULL = "full"
    CONCISE = "concise"
    JSON = "json"
    GITHUB = "github"


class Colour(StrEnum):
    """Whether the full form is coloured."""

    OFF = "off"
    ON = "on"


def rendered(
    diagnostics: Sequence[Diagnostic],
    form: Form = Form.FULL,
    colour: Colour = Colour.OFF,
    lines: LinesOf | None = None,
) -> str:
    """Return diagnostics as text in one of the forms, without a last line end."""
    if form is Form.JSON:
        return json.dumps([asdict(one) for one in diagnostics], indent=2)
    if form is Form.GITHUB:
        return "\n".join(map(github, diagnostics))
    if form is Form.CONCISE:
        return "\n".join(map(concise, diagnostics))
    source = lines or FileLines()
    mask = lru_cache(maxsize=4)(without_secrets)  # of a line that has many mistakes, once
    blocks = ["\n".join(full(one, source, Paint(colour), mask)) for one in diagnostics]
    return "\n\n".join([*blocks, *([summary(diagnostics)] if diagnostics else [])])


class FileLines:
    """The lines of files as they are on disk now, however they are encoded."""

    def __init__(self) -> None:
        self._read: dict[str, Sequence[str]] = {}

    def __call__(self, name: str) -> Sequence[str]:
        """Return the lines of a file, read once."""
        if name not in self._read:
            self._read[name] = self.read(Path(name))
        return self._read[name]

    def read(self, path: Path) -> Sequence[str]:
        """Return the lines of a file, or none; of what is too large to be read, its beginning."""
        try:
            raw = read_capped(path, MAX_CSV_BYTES)
        except (OSError, ValueError):
            return []
        return Lines(raw.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "replace"))


class Paint:
    """Colours, or none."""

    def __init__(self, colour: Colour) -> None:
        self.colour = colour

    def __call__(self, code: str, text: str) -> str:
        """Return ``text`` in a colour."""
        return f"{code}{text}{RESET}" if self.colour is Colour.ON and text else text

    def of(self, severity: Severity) -> str:
        """Return the colour of a severity."""
        return RED if severity is Severity.ERROR else YELLOW


def full(
    one: Diagnostic, lines: LinesOf, paint: Paint, mask: Callable[[str], str]
) -> Iterator[str]:
    """Yield the lines of the form that people read."""
    tone = paint.of(one.severity)
    head = paint(tone, f"{one.severity}[{visible(one.code)}]")
    yield f"{head}: {paint(BOLD, visible(one.message))}"
    yield f"  {paint(BLUE, '-->')} {visible(one.file)}:{one.line}:{one.column}"
    source = lines(one.file)
    if one.line <= len(source):
        before, meant, after, cut = excerpt(mask(upto(source[one.line - 1], one)), one)
        width = max(3, len(str(one.line)) + 1)
        bar = paint(BLUE, f"{'':{width}}|")
        yield bar
        yield f"{paint(BLUE, f'{one.line:>{width - 1}} |')} {cut}{before}{meant}{after}".rstrip()
        yield f"{bar} {' ' * columns(cut + before)}{paint(tone, '^' * max(1, columns(meant)))}"
    if one.uses and (one.uses[0].line, one.uses[1:]) != (one.line, ()):
        yield f" {paint(BOLD, 'used')}: {visible(used(one.uses))}"
    if one.help:
        yield f" {paint(BOLD, 'help')}: {visible(one.help)}"


def used(uses: Sequence[Use]) -> str:
    """Say which of several has it, and how many more."""
    first, *others = uses
    more = f", and {counted(len(others), 'more instance')}" if others else ""
    return f"{first.file}:{first.line}:{first.column} ({first.name}){more}"


def upto(line: str, one: Diagnostic) -> str:
    """Return what has to be looked at of a line, however long it is: up to a place and beyond."""
    return line[: ((one.column + MAX_SHOWN) // LOOKED_AT + 2) * LOOKED_AT]


def without_secrets(line: str) -> str:
    """Return a line with what looks like a secret masked."""
    return SECRETS.sub(masked, line)


def excerpt(hidden: str, one: Diagnostic) -> tuple[str, str, str, str]:
    """Return what stands before, at and after a place, and a mark where the line is cut."""
    start = min(one.column - 1, len(hidden))
    stop = min(one.end_column - 1, len(hidden), start + MAX_SHOWN)
    first = max(0, start - MAX_SHOWN // 2) if len(hidden) > MAX_SHOWN else 0
    last = max(stop, first + MAX_SHOWN)
    before, meant, after = hidden[first:start], hidden[start:stop], hidden[stop:last]
    return visible(before), visible(meant), visible(after.rstrip()), "…" if first else ""


def masked(found: "re.Match[str]") -> str:
    """Replace a secret by as many dots."""
    kept = found[1] or ""
    return kept + "•" * (len(found[0]) - len(kept))


def visible(text: str) -> str:
    """Return text that cannot command a terminal; a tab is one space."""
    if text.isprintable():
        return text
    return "".join(" " if c == "\t" else c if c.isprintable() else escaped(c) for c in text)


def escaped(character: str) -> str:
    """Return a character as its escape sequence."""
    return character.encode("unicode_escape").decode("ascii")


def columns(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    return sum(2 if east_asian_width(c) in "WF" else 1 for c in text)


def concise(one: Diagnostic) -> str:
    """Return one line."""
    help_ = f" ({one.help})" if one.help else ""
    place = f"{one.file}:{one.line}:{one.column}"
    whose = f", used {used(one.uses)}" if one.uses else ""
    return visible(f"{place}: {one.severity}[{one.code}] {one.message}{help_}{whose}")


def github(one: Diagnostic) -> str:
    """Return a workflow command."""
    place = (
        f"file={escaped_property(one.file)},line={one.line},endLine={one.line},"
        f"col={one.column},endColumn={one.end_column},title={escaped_property(one.code)}"
    )
    more = (f"used {used(one.uses)}" if one.uses else "", one.help)
    message = "\n".join([one.message, *filter(None, more)])
    return f"::{one.severity} {place}::{escaped_data(message)}"


def escaped_data(text: str) -> str:
    """Escape the message of a workflow command."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def escaped_property(text: str) -> str:
    """Escape a property of a workflow command."""
    return escaped_data(text).replace(":", "%3A").replace(",", "%2C")


def summary(diagnostics: Sequence[Diagnostic]) -> str:
    """Count errors and warnings, and the files that have them."""
    errors = sum(one.severity is Severity.ERROR for one in diagnostics)
    counts = [counted(errors, "error")] if errors else []
    warnings = len(diagnostics) - errors
    counts += [counted(warnings, "warning")] if warnings else []
    files = len({one.file for one in diagnostics})
    return f"{', '.join(counts)} in {counted(files, 'file')}"


def counted(count: int, what: str) -> str:
    """Return a number of things in words."""
    return f"{count:,} {what}{'' if count == 1 else 's'}"

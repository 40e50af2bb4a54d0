"""Files of an older format carried forward, with their comments and their layout.

A format has a number, `config_version`. Whoever changes one in a way that old files do not follow
raises `NEWEST` in `otgate.config.forms`, has `known_version` there name `otgate migrate`, and adds
a `Step` to `STEPS`.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from difflib import unified_diff
from enum import StrEnum
from pathlib import Path

from otgate.config.diagnostic import Diagnostics
from otgate.config.signature import SUFFIX
from otgate.config.source import MAX_YAML_BYTES, Source, read_source
from otgate.config.yaml_text import Tree, read_yaml

VERSION = "config_version"
LINE_END = re.compile(r"(?<=\n)|(?<=\r)(?!\n)")
"""Behind the ends of lines as places count them."""


class Kind(StrEnum):
    """A file that has a format."""

    SITE = "site"
    POLICY = "policy"
    BUS = "bus"
    TEMPLATE = "template"


@dataclass(frozen=True, slots=True)
class Step:
    """What carries each kind of file from one format to the next. A kind that is not named stays.

    A rewrite gets the file as it was read and returns its text; it need not touch the version.
    """

    about: str
    """What changes, in one sentence for whoever owns the file."""
    rewrites: Mapping[Kind, Callable[[Tree], str]]


STEPS: Sequence[Step] = ()
"""The first starts from format 1, the last leads to `NEWEST`."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One file, as it is and as it would be."""

    path: Path
    was: int
    newest: int
    before: str
    after: str
    abouts: Sequence[str]

    @property
    def changed(self) -> bool:
        """Whether there is anything to write."""
        return self.after != self.before

    @property
    def signature(self) -> Path | None:
        """The signature that the file would no longer match, where there is one."""
        path = self.path.with_name(self.path.name + SUFFIX)
        return path if self.changed and path.exists() else None

    def difference(self) -> str:
        """Return a unified difference."""
        lines = self.before.splitlines(keepends=True), self.after.splitlines(keepends=True)
        name = str(self.path)
        return "".join(
            unified_diff(*lines, f"{name} (format {self.was})", f"{name} (format {self.newest})")
        )


def migration(
    path: Path, kind: Kind, found: Diagnostics, steps: Sequence[Step] = STEPS
) -> Migration | None:
    """Carry a file forward without writing it, or say why that cannot be done."""
    source = read_source(path, MAX_YAML_BYTES, found)
    tree = None if source is None else read_yaml(source, found)
    if source is None or tree is None:
        return None
    newest = len(steps) + 1
    first = version_of(tree, newest, found)
    if first is None:
        return None
    text, ahead = source.text, steps[first - 1 :]
    for version, step in enumerate(ahead, first + 1):
        text = rewritten(tree, kind, step, version)
        tree = read_again(source.name, text)
    return Migration(path, first, newest, source.text, text, [step.about for step in ahead])


def version_of(tree: Tree, newest: int, found: Diagnostics) -> int | None:
    """Return the format of a file, or say what is wrong with it."""
    version = tree.value.get(VERSION) if isinstance(tree.value, dict) else None
    if version is None:
        message = f"missing key `{VERSION}`"
        found.say("missing-key", tree.key(), message, f"write `{VERSION}: {newest}` on top")
        return None
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        found.say("wrong-value", tree.at(VERSION), f"there is no format {version}")
        return None
    if version > newest:
        help_ = f"this otgate reads formats up to {newest}"
        found.say("newer-version", tree.at(VERSION), "written for a newer otgate", help_)
        return None
    return version


def rewritten(tree: Tree, kind: Kind, step: Step, version: int) -> str:
    """Return a file's text one format on, its version included."""
    rewrite = step.rewrites.get(kind)
    text = tree.source.text if rewrite is None else rewrite(tree)
    place = read_again(tree.source.name, text).at(VERSION)
    lines = LINE_END.split(text)
    line = lines[place.line - 1]
    lines[place.line - 1] = f"{line[: place.column - 1]}{version}{line[place.end_column - 1 :]}"
    return "".join(lines)


def read_again(name: str, text: str) -> Tree:
    """Read what a rewrite made.

    Raises:
        ValueError: it is no YAML; that is a mistake of the step.
    """
    found = Diagnostics()
    tree = read_yaml(Source(name, text), found)
    if tree is None:
        raise ValueError(f"a migration broke {name}: {found.sorted()[0].message}")
    return tree

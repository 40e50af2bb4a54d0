"""YAML read strictly: 1.2 core scalars, no aliases, and a place for every key and value."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import yaml

from otgate.config.diagnostic import Diagnostics, Place
from otgate.config.source import Source
from otgate.config.yaml_words import in_our_words

MAX_DEPTH = 32
MAX_NODES = 100_000
LONGEST_NUMBER = 100
LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Path = tuple[str | int, ...]

INTEGER = re.compile(r"[-+]?[0-9]+")
BASED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
REAL = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
WORDS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **{
        sign + word: float(sign + "inf")
        for sign in ("", "+", "-")
        for word in (".inf", ".Inf", ".INF")
    },
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}
"""YAML 1.2.2, §10.3.2: core schema."""


def resolve(text: str) -> Any:
    """Return what a plain scalar means in the core schema."""
    if text in WORDS:
        return WORDS[text]
    if len(text) > LONGEST_NUMBER:
        return text
    if INTEGER.fullmatch(text):
        return int(text)
    if BASED.fullmatch(text):
        return int(text, 0)
    return float(text) if REAL.fullmatch(text) else text


@dataclass(slots=True)
class Tree:
    """A document's values, with the places of its keys and values by path."""

    source: Source
    value: Any = None
    keys: dict[Path, Place] = field(default_factory=dict)
    values: dict[Path, Place] = field(default_factory=dict)

    def key(self, *path: str | int) -> Place:
        """Return the place of a key or list item, or of the nearest that encloses it."""
        known = self.known(path)
        return self.keys.get(known) or self.values.get(known) or self.source.place(1, 1)

    def at(self, *path: str | int) -> Place:
        """Return the place of a value; of its key where the value begins on another line."""
        known = self.known(path)
        key, value = self.keys.get(known), self.values.get(known)
        return value if value and (key is None or key.line == value.line) else self.key(*known)

    def known(self, path: Path) -> Path:
        """Return the longest beginning of ``path`` that is in the file."""
        while path and path not in self.keys and path not in self.values:
            path = path[:-1]
        return path


class Stop(Exception):
    """The rest of a document is not worth reading; the reason has been said."""


def read_yaml(source: Source, found: Diagnostics) -> Tree | None:
    """Read one document, or say why there is none."""
    tree = Tree(source)
    if not source.text.strip():
        found.say("empty-file", source.place(1, 1), f"`{source.name}` is empty")
        return None
    try:
        reading = Reading(tree, found)
        reading.document(yaml.parse(source.text, Loader=LOADER))
    except yaml.YAMLError as error:
        in_our_words(source, error, found)
        return None
    except Stop:
        return None
    return None if reading.aliases else tree


class Reading:
    """One pass over a document's events. Recursion is bounded by `MAX_DEPTH`."""

    def __init__(self, tree: Tree, found: Diagnostics) -> None:
        self.tree = tree
        self.found = found
        self.nodes = 0
        self.aliases = 0
        self.events: Iterator[Any] = iter(())

    def document(self, events: Iterator[Any]) -> None:
        """Read the first document and refuse any other."""
        self.events = events
        documents = 0
        for event in events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    message = "a second document begins here"
                    self.stop(
                        "several-documents",
                        event,
                        message,
                        "remove `---`: one file is one document",
                    )
                self.tree.value = self.node(next(events), ())
        if documents == 0:
            name = self.tree.source.name
            self.found.say("empty-file", self.tree.source.place(1, 1), f"`{name}` is empty")
            raise Stop

    def node(self, event: Any, path: Path) -> Any:
        """Read one value and remember where it stands."""
        self.nodes += 1
        if len(path) > MAX_DEPTH:
            self.stop("too-deep", event, f"nested more than {MAX_DEPTH} deep")
        if self.nodes > MAX_NODES:
            self.stop("file-too-large", event, f"more than {MAX_NODES:,} values in one file")
        self.refuse_indirection(event)
        self.tree.values[path] = self.place(event)
        if isinstance(event, yaml.MappingStartEvent):
            return self.mapping(path, event.flow_style)
        if isinstance(event, yaml.SequenceStartEvent):
            return self.sequence(path)
        if isinstance(event, yaml.ScalarEvent):
            return event.value if event.style else resolve(event.value)
        return None

    def refuse_indirection(self, event: Any) -> None:
        """Refuse anchors, aliases and tags: a file means what it says where it says it."""
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            mark = "*" if isinstance(event, yaml.AliasEvent) else "&"
            message = f"`{mark}{event.anchor}`: anchors and aliases are not used here"
            self.aliases += isinstance(event, yaml.AliasEvent)
            self.say("yaml-alias", event, message, "write the value out, or use `defaults:`")
        elif event.tag is not None:
            tag = event.tag.replace("tag:yaml.org,2002:", "!!")
            self.say("yaml-tag", event, f"tag `{tag}` is not used here", "put text in quotes")

    def sequence(self, path: Path) -> list[Any]:
        """Read the items up to the end of the list."""
        items: list[Any] = []
        for event in self.events:
            if isinstance(event, yaml.SequenceEndEvent):
                break
            items.append(self.node(event, (*path, len(items))))
        return items

    def mapping(self, path: Path, flow: object) -> dict[str, Any]:
        """Read the pairs up to the end of the mapping; the first of equal keys counts."""
        pairs: dict[str, Any] = {}
        for event in self.events:
            if isinstance(event, yaml.MappingEndEvent):
                break
            name = self.name(event, path)
            here = (*path, name)
            if name in pairs:
                self.repeated(event, here)
                self.skip(path)
                continue
            self.tree.keys[here] = self.place(event)
            if not pairs and not flow:
                self.tree.values[path] = self.tree.keys[here]
            pairs[name] = self.node(next(self.events), here)
        return pairs

    def name(self, event: Any, path: Path) -> str:
        """Return a key as written."""
        if isinstance(event, yaml.ScalarEvent) and event.value:
            self.refuse_indirection(event)
            return str(event.value)
        self.stop("bad-key", event, "a key has to be a name", "write `name: value`")
        return str(path)

    def repeated(self, event: Any, path: Path) -> None:
        """Say that a key stands twice."""
        first = self.tree.keys[path]
        message = f"`{path[-1]}` is given twice"
        self.say("duplicate-key", event, message, f"it is first given on line {first.line}")

    def skip(self, path: Path) -> None:
        """Read a value that does not count."""
        self.node(next(self.events), (*path, ""))

    def place(self, event: Any) -> Place:
        """Return where an event begins, cut at the end of its line."""
        start, end = event.start_mark, event.end_mark
        same = end.line == start.line
        return self.tree.source.place(
            start.line + 1, start.column + 1, end.column + 1 if same else None
        )

    def say(self, code: str, event: Any, message: str, help_: str = "") -> None:
        """Say something at an event."""
        self.found.say(code, self.place(event), message, help_)
        if self.found.full(self.tree.source.name):
            self.found.leave_unread(self.tree.source.name)
            raise Stop

    def stop(self, code: str, event: Any, message: str, help_: str = "") -> None:
        """Say something at an event and read no further."""
        self.say(code, event, message, help_)
        raise Stop

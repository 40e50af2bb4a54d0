"""The entries of ``devices:`` with templates and repeats written out.

What comes of it is a tree like that of a site file in which every device stands by itself, but for
the places: those of what a template says are the template's.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path as Directory
from typing import Any

from pydantic import Field

from otgate.config.diagnostic import Diagnostics, Use
from otgate.config.filling import MARK, Unfilled, Values, filled
from otgate.config.forms import Entry, File
from otgate.config.site_file import RepeatEntry, Scalar, SeriesEntry
from otgate.config.source import Source
from otgate.config.template import TAKEN, Template, Templates
from otgate.config.validate import form_of, partial
from otgate.config.yaml_text import MAX_NODES, Path, Tree

MADE_OF = ("template", "with", "repeat")
"""Keys that say what a device is made of; afterwards they are gone."""

MAX_VALUES = 2 * MAX_NODES
"""Values of all entries written out, as many as one file may hold."""


CHARACTERS = 32
"""Characters of a text that weigh as much as a value."""


class Making(Entry):
    """The keys of a device entry that say what it is made of."""

    template: File | None = None
    """What it is one of."""
    with_: Any = Field(default=None, alias="with")
    """Parameters of the template."""
    repeat: RepeatEntry | None = None
    """Makes several devices of it."""


@dataclass(frozen=True, slots=True)
class Instance:
    """Where a device entry comes from."""

    use: Use | None = None
    """What to call it, where others come from the same lines."""
    values: Values = field(default_factory=dict)
    """What the cells of its point maps may ask for."""
    template: Template | None = None


@dataclass(slots=True)
class Entries:
    """Device entries, each by itself, and where each comes from."""

    tree: Tree
    devices: Sequence[Mapping[str, Any]]
    instances: Sequence[Instance]
    templates: Templates

    @property
    def sources(self) -> Mapping[str, Source | None]:
        """The files of the templates."""
        return self.templates.sources


def written_out(
    tree: Tree,
    devices: Sequence[Mapping[str, Any]],
    directory: Directory,
    root: str,
    found: Diagnostics,
) -> Entries:
    """Return the entries of a site file with templates and repeats written out."""
    templates = Templates(directory, root, found)
    if not any(key in device for device in devices for key in MADE_OF):
        return Entries(tree, devices, [Instance()] * len(devices), templates)
    writing = Writing(tree, templates, found)
    try:
        for number, raw in enumerate(devices):
            writing.entry(number, raw)
    except TooMuch:
        message = f"repeated, the devices come to more than {MAX_VALUES:,} values"
        help_ = "split the site, or repeat less"
        found.say("too-much-repeated", tree.key("devices"), message, help_)
        return Entries(tree, [], [], templates)
    return Entries(writing.out, writing.devices, writing.instances, templates)


class TooMuch(Exception):
    """The entries come to more than anybody means."""


class Writing:
    """One pass over the entries of a site file."""

    def __init__(self, tree: Tree, templates: Templates, found: Diagnostics) -> None:
        self.tree = tree
        self.templates = templates
        self.found = found
        self.values = 0
        self.devices: list[dict[str, Any]] = []
        self.instances: list[Instance] = []
        elsewhere = {key: value for key, value in tree.value.items() if key != "devices"}
        self.out = Tree(tree.source, {**elsewhere, "devices": self.devices})
        for ours, theirs in ((self.out.keys, tree.keys), (self.out.values, tree.values)):
            ours.update((at, place) for at, place in theirs.items() if at[:1] != ("devices",))
            ours.update((at, place) for at, place in theirs.items() if at == ("devices",))

    def entry(self, number: int, raw: Mapping[str, Any]) -> None:
        """Write out one entry as the devices that it stands for."""
        if not any(key in raw for key in MADE_OF):
            self.add(number, raw, Instance())
            return
        path: Path = ("devices", number)
        besides = set(raw) - set(MADE_OF)
        before = self.found.errors
        making = partial(Making, self.tree, path, self.found, besides=besides)
        if self.found.errors > before:
            return
        template = None
        if making["template"] is not None:
            place = self.tree.at(*path, "template")
            template = self.templates.named(making["template"], place)
            if template is None:
                return
        for values in self.repeated(number, making["repeat"]):
            self.device(number, raw, template, values)

    def repeated(self, number: int, repeat: RepeatEntry | None) -> Iterator[Values]:
        """Yield what each repetition has for `${}`."""
        if repeat is None:
            yield {}
        else:
            at = ("devices", number, "repeat")
            yield from numbered(repeat, self.tree, at, self.found)

    def device(
        self, number: int, raw: Mapping[str, Any], template: Template | None, values: Values
    ) -> None:
        """Write out one device."""
        use = self.use(number, raw.get("id"), values)
        with self.found.of(use):
            if template is None:
                self.unparametrised(number, raw)
                name = use.name.partition(" ")[2]
                self.add(number, raw, Instance(use, {**values, "id": name}), values)
                return
            given = self.given(number, raw.get("with"), values)
            bound = None if given is None else template.bound(given, self.tree, number, self.found)
            if bound is not None:
                whole = {**bound, "id": use.name.partition(" ")[2]}
                self.add(number, raw, Instance(use, whole, template), values)

    def use(self, number: int, name: Any, values: Values) -> Use:
        """Return how a device is called in what is said of it."""
        place = self.tree.at("devices", number, "id")
        try:
            shown = filled(name, values) if isinstance(name, str) else name
        except Unfilled:
            shown = name
        return Use(place.file, place.line, place.column, f"device {shown}")

    def unparametrised(self, number: int, raw: Mapping[str, Any]) -> None:
        """Refuse parameters where there is no template."""
        if "with" in raw:
            place = self.tree.key("devices", number, "with")
            message = "`with` gives parameters to a template, and there is none"
            self.found.say("unknown-parameter", place, message, "add `template:`")

    def given(self, number: int, raw: Any, values: Values) -> dict[str, Any] | None:
        """Return what an entry gives for parameters."""
        at: Path = ("devices", number, "with")
        if raw is None:
            return {}
        if not isinstance(raw, dict):
            message = f"`with` has to be a mapping, this is {form_of(raw)}"
            self.found.say("wrong-type", self.tree.at(*at), message, "write `name: value` lines")
            return None
        return {
            str(name): self.text(value, self.tree, (*at, name), values)
            for name, value in raw.items()
        }

    def add(
        self,
        number: int,
        raw: Mapping[str, Any],
        instance: Instance,
        values: Values | None = None,
    ) -> None:
        """Add a device: what its template says, and over it what its entry says."""
        at: Path = ("devices", len(self.devices))
        device: dict[str, Any] = {}
        if instance.template is not None:
            tree = instance.template.tree
            device = self.copied(tree, ("device",), tree.value["device"], at, instance.values)
            if not self.templates.own_files(instance.template, device, at, self.out):
                return
        mine = {key: value for key, value in raw.items() if key not in MADE_OF}
        path: Path = ("devices", number)
        self.devices.append(self.over(device, self.tree, path, mine, at, values))
        self.instances.append(instance)

    def over(
        self, under: Any, tree: Tree, path: Path, value: Any, at: Path, values: Values | None
    ) -> Any:
        """Return ``value`` over what is there; mappings are joined key by key."""
        if not isinstance(under, dict) or not isinstance(value, dict):
            self.forget(under, at)
            return self.copied(tree, path, value, at, values)
        if len(at) == 2:
            self.mark(tree, path, at)
        for key, one in value.items():
            here = (*at, key)
            under[key] = self.over(under.get(key), tree, (*path, key), one, here, values)
        return under

    def forget(self, value: Any, at: Path) -> None:
        """Forget the places of what is replaced."""
        for key, one in inner(value):
            self.forget(one, (*at, key))
        self.out.keys.pop(at, None)
        self.out.values.pop(at, None)

    def copied(self, tree: Tree, path: Path, value: Any, at: Path, values: Values | None) -> Any:
        """Return a value with its texts filled in, having noted its place at ``at``."""
        self.values += 1
        if self.values > MAX_VALUES:
            raise TooMuch
        self.mark(tree, path, at)
        if isinstance(value, dict):
            return {
                key: self.copied(tree, (*path, key), one, (*at, key), values)
                for key, one in value.items()
            }
        if isinstance(value, list):
            return [
                self.copied(tree, (*path, key), one, (*at, key), values)
                for key, one in enumerate(value)
            ]
        return value if values is None else self.text(value, tree, path, values)

    def mark(self, tree: Tree, path: Path, at: Path) -> None:
        """Note at ``at`` the place that ``path`` has."""
        for ours, theirs in ((self.out.keys, tree.keys), (self.out.values, tree.values)):
            if path in theirs:
                ours[at] = theirs[path]

    def text(self, value: Any, tree: Tree, path: Path, values: Values) -> Any:
        """Return a scalar filled in; as it is where it cannot be, having said why."""
        if not isinstance(value, str) or MARK not in value:
            return value
        try:
            text = filled(value, values)
        except Unfilled as wrong:
            self.found.say("unknown-parameter", tree.at(*path), wrong.message, wrong.help)
            return value
        self.values += len(str(text)) // CHARACTERS
        return text


def inner(value: Any) -> Iterable[tuple[str | int, Any]]:
    """Return what is in a mapping or a list, by key or number."""
    if isinstance(value, dict):
        return value.items()
    return enumerate(value) if isinstance(value, list) else ()


def numbered(
    repeat: RepeatEntry, tree: Tree, at: Path, found: Diagnostics
) -> Iterator[dict[str, Scalar]]:
    """Yield the number and the other values of each repetition, if they make sense."""
    before = found.errors
    for name, each in repeat.each.items():
        place = tree.key(*at, "each", name)
        if name in TAKEN:
            found.say("wrong-value", place, TAKEN[name], "choose another name")
        elif not isinstance(each, SeriesEntry) and len(each) != repeat.count:
            message = f"`{name}` has {len(each)} values, and `count` is {repeat.count}"
            found.say("wrong-value", place, message, "one value for each, or a series `{from: 1}`")
    if found.errors > before:
        return
    for step in range(repeat.count):
        values = {name: nth(each, step) for name, each in repeat.each.items()}
        yield {**values, "n": repeat.first + step}


def nth(each: SeriesEntry | Sequence[Scalar], step: int) -> Scalar:
    """Return the value of one repetition, the first being 0."""
    if not isinstance(each, SeriesEntry):
        return each[step]
    number = each.first + step * each.step
    return f"{number:0{each.digits}d}" if each.digits else number

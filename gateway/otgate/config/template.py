"""A template as it was read, and what an instance gives for its parameters."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from os.path import normpath
from pathlib import Path as Directory
from pathlib import PurePosixPath
from typing import Any

from otgate.config.diagnostic import Diagnostics, Place
from otgate.config.filling import as_text, names_in
from otgate.config.forms import ID_HELP, ID_PATTERN
from otgate.config.nearest import did_you_mean
from otgate.config.pydantic_words import IN_QUOTES, shown
from otgate.config.source import MAX_YAML_BYTES, Source, read_source, shortest
from otgate.config.template_file import ParameterEntry, TemplateFile
from otgate.config.validate import partial
from otgate.config.yaml_text import Path, Tree, read_yaml, resolve

Wrong = tuple[str, str, str]
"""Code, message, help."""

EXPECTED: Mapping[str, tuple[str, tuple[type, ...]]] = {
    "text": ("text", (str,)),
    "id": ("an id", (str,)),
    "integer": ("a whole number", (int,)),
    "number": ("a number", (int, float)),
    "boolean": ("`true` or `false`", (bool,)),
}
TAKEN = {
    "id": "`id` is the device's own",
    "n": "`n` is the number of a repeated device or block",
}
"""Names that every device has, or every repetition."""

OWN = {
    "id": "each device of the template has its own",
    "template": "a template stands on its own",
    "with": "a template stands on its own",
    "repeat": "the entry of the site file repeats",
}
"""Keys of a device entry that a template cannot say."""


@dataclass(slots=True)
class Template:
    """A type of device."""

    name: str
    tree: Tree
    parameters: Mapping[str, ParameterEntry]
    device: Mapping[str, Any]
    used: set[str] = field(default_factory=set)
    """Names that the entry and its point maps ask for."""

    def beside(self, file: str) -> str:
        """Return a file that the template names as the site file would name it."""
        return normpath(PurePosixPath(self.name).parent / file)

    def bound(
        self, given: Mapping[str, Any], tree: Tree, number: int, found: Diagnostics
    ) -> dict[str, Any] | None:
        """Return the value of every parameter for a device of the site file, or say why not."""
        before = found.errors
        for name in given:
            if name not in self.parameters:
                help_ = did_you_mean(name, self.parameters, otherwise="it has")
                message = f"`{self.name}` has no parameter `{name}`"
                place = tree.key("devices", number, "with", name)
                found.say("unknown-parameter", place, message, help_)
        for name, parameter in self.parameters.items():
            if name in given:
                place = tree.at("devices", number, "with", name)
                say_wrong(name, parameter, given[name], place, found)
            elif parameter.default is None:
                message = f"`{self.name}` needs its parameter `{name}`"
                place = tree.key("devices", number, "with")
                found.say("missing-parameter", place, message, asked_for(parameter))
        if found.errors > before:
            return None
        defaults = {name: parameter.default for name, parameter in self.parameters.items()}
        return {**defaults, **given}

    def unused(self, found: Diagnostics) -> None:
        """Warn of parameters that nothing asks for."""
        for name in self.parameters:
            if name not in self.used:
                place = self.tree.key("parameters", name)
                message = f"nothing in the template or its point maps says `${{{name}}}`"
                found.say("unused-parameter", place, message, "use it, or remove it")


def asked_for(parameter: ParameterEntry) -> str:
    """Say what a parameter is."""
    unit = f" {parameter.unit}" if parameter.unit else ""
    example = "" if parameter.example is None else f"e.g. `{as_text(parameter.example)}`{unit}"
    return ", ".join(filter(None, (parameter.description, example)))


def say_wrong(
    name: str, parameter: ParameterEntry, value: Any, place: Place, found: Diagnostics
) -> None:
    """Say what is wrong with a parameter's value, if anything."""
    for code, message, help_ in wrong_with(parameter, value):
        found.say(code, place, f"`{name}`: {message}", help_ or asked_for(parameter))


def wrong_with(parameter: ParameterEntry, value: Any) -> Iterator[Wrong]:
    """Yield what is wrong with a value."""
    expected, types = EXPECTED[parameter.type]
    if type(value) not in types:
        help_ = IN_QUOTES if types == (str,) else ""
        if isinstance(value, str) and type(resolve(value)) in types:
            help_ = "write it without quotes"
        yield "wrong-type", f"expected {expected}, found {shown(value)}", help_
    elif parameter.type == "id" and not re.fullmatch(ID_PATTERN, value):
        yield "bad-id", f"{shown(value)} is not an id", ID_HELP
    elif parameter.one_of is not None and value not in parameter.one_of:
        help_ = did_you_mean(as_text(value), map(as_text, parameter.one_of), otherwise="one of")
        yield "wrong-value", f"{shown(value)} is not possible here", help_
    elif not isinstance(value, str):
        yield from beyond(parameter, value)


def beyond(parameter: ParameterEntry, value: float) -> Iterator[Wrong]:
    """Yield which bound a number is beyond."""
    unit = f" {parameter.unit}" if parameter.unit else ""
    if parameter.least is not None and not value >= parameter.least:
        yield "out-of-range", f"has to be at least {parameter.least:g}{unit}", ""
    if parameter.most is not None and not value <= parameter.most:
        yield "out-of-range", f"has to be at most {parameter.most:g}{unit}", ""


class Templates:
    """The templates of a site, each read once."""

    def __init__(self, directory: Directory, root: str, found: Diagnostics) -> None:
        self.directory = directory
        self.root = normpath(root)
        self.found = found
        self.read: dict[str, Template | None] = {}
        self.sources: dict[str, Source | None] = {}

    def __iter__(self) -> Iterator[Template]:
        """Yield those that are right."""
        return (one for one in self.read.values() if one is not None)

    def named(self, name: str, place: Place) -> Template | None:
        """Return the template that a site file names at ``place``, or say why there is none."""
        file = normpath(PurePosixPath(self.root) / name)
        if not self.inside(file):
            self.outside(f"`{name}`", place)
            return None
        if file not in self.read:
            path = shortest(self.directory / file)
            self.sources[file] = read_source(path, MAX_YAML_BYTES, self.found, place)
            self.read[file] = self.template(file, self.sources[file])
        return self.read[file]

    def inside(self, file: str) -> bool:
        """Tell whether a file lies below the directory of the templates."""
        if self.root == ".":
            return not file.startswith(("../", "/")) and file != ".."
        return file.startswith(f"{self.root}/")

    def outside(self, what: str, place: Place) -> None:
        """Refuse a file that lies elsewhere."""
        where = "the site's folder" if self.root == "." else f"`{self.root}`"
        help_ = "name the folder that many sites share in the site file's `templates:`"
        self.found.say("outside-templates", place, f"{what} leads out of {where}", help_)

    def template(self, file: str, source: Source | None) -> Template | None:
        """Return what a template file says, or say what is wrong with it."""
        tree = None if source is None else read_yaml(source, self.found)
        if tree is None:
            return None
        before = self.found.errors
        given = partial(TemplateFile, tree, (), self.found)
        parameters, device = given.get("parameters", {}), given.get("device", {})
        self.check_parameters(parameters, tree)
        template = Template(file, tree, parameters, device, set(names_below(device)))
        self.check_device(template)
        return template if self.found.errors == before else None

    def check_parameters(self, parameters: Mapping[str, ParameterEntry], tree: Tree) -> None:
        """Check names and defaults."""
        for name, parameter in parameters.items():
            if name in TAKEN:
                place = tree.key("parameters", name)
                self.found.say("wrong-value", place, TAKEN[name], "choose another name")
            if parameter.default is not None:
                place = tree.at("parameters", name, "default")
                say_wrong(name, parameter, parameter.default, place, self.found)

    def check_device(self, template: Template) -> None:
        """Refuse keys that only an instance has."""
        for key in OWN.keys() & template.device.keys():
            message = f"a template does not say `{key}`"
            self.found.say("not-in-template", template.tree.key("device", key), message, OWN[key])

    def own_files(self, template: Template, device: dict[str, Any], at: Path, tree: Tree) -> bool:
        """Let the point maps that a template names count from the site file; refuse others."""
        before = self.found.errors
        blocks = device.get("blocks")
        entries: list[tuple[Path, Any]] = [(at, device)]
        for number, block in enumerate(blocks if isinstance(blocks, list) else ()):
            entries.append(((*at, "blocks", number), block))
        for path, entry in entries:
            if isinstance(entry, dict) and isinstance(entry.get("points"), str):
                file = template.beside(entry["points"])
                if not self.inside(file):
                    self.outside(f"`{entry['points']}`", tree.at(*path, "points"))
                entry["points"] = file
        return self.found.errors == before


def names_below(value: Any) -> Iterable[str]:
    """Yield the names that the texts of a tree ask for."""
    if isinstance(value, str):
        yield from names_in(value)
    elif isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from names_below(one)

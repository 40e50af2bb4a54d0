"""A folder that is the template of sites: its files, with ``${site.name}`` filled in for one."""

import io
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import Field

from otgate.config.csv_rows import Rows
from otgate.config.diagnostic import Diagnostics, Place
from otgate.config.filling import as_text
from otgate.config.forms import Entry, Name, ParameterName, Version
from otgate.config.guard import guarded
from otgate.config.inventory import SITE
from otgate.config.nearest import did_you_mean
from otgate.config.source import (
    MAX_CSV_BYTES,
    MAX_YAML_BYTES,
    Source,
    decode,
    read_capped,
    read_source,
    reason,
)
from otgate.config.table import table_of
from otgate.config.template_file import ParameterEntry
from otgate.config.validate import partial
from otgate.config.written import written
from otgate.config.yaml_text import Tree, read_yaml

FORM = "template.yaml"
"""The file of the folder that declares the parameters."""

OVER = ".over.yaml"
"""Ends the name of a file that goes over another, key by key."""

MARK = "${site."
SYNTAX = re.compile(r"\$\$\{|\$\{site\.([^{}]*)(\}?)")


class SiteTemplateFile(Entry):
    """`template.yaml` of a site template: what differs between the sites."""

    config_version: Version
    """The format of this file: 1."""
    about: Annotated[Name, Field(examples=["Substations of the north"])] = ""
    """What it is the template of."""
    parameters: Annotated[
        dict[ParameterName, ParameterEntry],
        Field(examples=[{"site": {"type": "id"}, "rtu": {"example": "10.0.0.9"}}]),
    ]
    """What differs between the sites: the columns of the inventory."""


@dataclass(frozen=True, slots=True)
class SiteTemplate:
    """The files of a site template, as they lie there."""

    parameters: Mapping[str, ParameterEntry]
    files: Mapping[str, Source | bytes]
    """By their names within the folder: texts that can be filled in, and other files."""


def read_site_template(folder: Path, found: Diagnostics) -> SiteTemplate | None:
    """Read a folder, or say why it is no template."""
    source = read_source(folder / FORM, MAX_YAML_BYTES, found)
    tree = None if source is None else read_yaml(source, found)
    if tree is None:
        return None
    before = found.errors
    given = partial(SiteTemplateFile, tree, (), found)
    parameters = given.get("parameters", {})
    if found.errors == before and (SITE not in parameters or parameters[SITE].type != "id"):
        message = "the parameter `site` names each site and its folder"
        found.say("missing-key", tree.key("parameters"), message, "write `site: {type: id}`")
    files = read_files(folder, found)
    files.pop(FORM, None)
    return SiteTemplate(parameters, files) if found.errors == before else None


def read_files(folder: Path, found: Diagnostics) -> dict[str, Source | bytes]:
    """Return every file below a folder by its name within it, but for hidden ones."""
    files: dict[str, Source | bytes] = {}
    for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
        name = path.relative_to(folder)
        if not path.is_file() or any(part.startswith(".") for part in name.parts):
            continue
        try:
            raw = read_capped(path, MAX_CSV_BYTES)
        except OSError as error:
            message = f"cannot read `{path}`: {reason(error)}"
            found.say("unreadable-file", Place(str(path)), message)
            continue
        if len(raw) > MAX_CSV_BYTES:
            found.say("file-too-large", Place(str(path)), f"`{path}` is larger than 32 MB")
        elif path.suffix in {".yaml", ".csv"}:
            source = decode(str(path), raw, found)
            if source is not None:
                files[name.as_posix()] = source
        else:
            files[name.as_posix()] = raw
    return files


def expanded(
    files: Mapping[str, Source | bytes],
    over: Mapping[str, Source | bytes],
    values: Mapping[str, Any],
    found: Diagnostics,
) -> dict[str, bytes]:
    """Return the files of one site: those of the template, and over them the site's own."""
    made = {name: filled_file(name, one, values, found) for name, one in files.items()}
    for name, one in over.items():
        if not name.endswith(OVER):
            made[name] = filled_file(name, one, values, found)
    for name, one in over.items():
        under = name.removesuffix(OVER) + ".yaml"
        if name.endswith(OVER) and isinstance(one, Source):
            made[under] = joined(under, made.get(under), one, values, found)
    return made


def filled_file(
    name: str, file: Source | bytes, values: Mapping[str, Any], found: Diagnostics
) -> bytes:
    """Return a file with the values of a site in it."""
    if isinstance(file, bytes):
        return file
    if MARK not in file.text:
        return file.text.encode()
    filling = Filling(file, values, found)
    return (filling.table() if name.endswith(".csv") else filling.tree()).encode()


class Filling:
    """One text, and what one site has for it."""

    def __init__(self, source: Source, values: Mapping[str, Any], found: Diagnostics) -> None:
        self.source = source
        self.values = values
        self.found = found

    def table(self) -> str:
        """Return a CSV file with its cells filled in; other rows stay as they are."""
        table = table_of(self.source)
        lines = [f"{line}\n" for line in self.source.lines]
        for row in table.rows(self.found):
            if any(MARK in cell for cell in row.cells):
                file = io.StringIO()
                Rows(file, table.delimiter).write(
                    self.cell(cell, table.place(row.line, at)) for at, cell in enumerate(row.cells)
                )
                lines[row.line - 1 : row.last_line] = [""] * (row.last_line - row.line + 1)
                lines[row.line - 1] = file.getvalue()
        return "".join(lines).removesuffix("\n")

    def cell(self, text: str, place: Place) -> str:
        """Return a cell filled in, and no formula by that."""
        return guarded(as_text(self.value(text, place))) if MARK in text else text

    def tree(self) -> str:
        """Return a YAML file with its values filled in, each where it stands; the rest stays."""
        tree = read_yaml(self.source, self.found)
        if tree is None:
            return ""
        self.refuse_keys(tree)
        lines = list(self.source.lines)
        for path in sorted(tree.values, key=lambda at: tree.values[at].column, reverse=True):
            value = value_at(tree, path)
            if isinstance(value, str) and MARK in value:
                place = tree.values[path]
                line = lines[place.line - 1]
                stood = line[place.column - 1 : place.end_column - 1]
                if not stands_for(stood, value):
                    message = "a value that is filled in stands on one line"
                    self.found.say("wrong-value", place, message, "put it in quotes on one line")
                    continue
                text = scalar(self.value(value, place))
                lines[place.line - 1] = (
                    line[: place.column - 1] + text + line[place.end_column - 1 :]
                )
        return "\n".join(lines)

    def refuse_keys(self, tree: Tree) -> None:
        """Say where a key asks for a value."""
        for path, place in tree.keys.items():
            if MARK in str(path[-1]):
                message = "only values are filled in, keys are not"
                self.found.say("bad-key", place, message, "write the key out")

    def value(self, text: str, place: Place) -> Any:
        """Return a text with a site's values in it; a text that is one value keeps its type."""
        alone = SYNTAX.fullmatch(text)
        if alone and alone[1] is not None:
            return self.named(alone, place)
        return SYNTAX.sub(
            lambda found: found[0] if found[1] is None else as_text(self.named(found, place)),
            text,
        )

    def named(self, mark: "re.Match[str]", place: Place) -> Any:
        """Return the value that a mark asks for, or say that there is none."""
        if mark[1] in self.values and mark[2]:
            return self.values[mark[1]]
        help_ = did_you_mean(mark[1], self.values, otherwise="the inventory has")
        message = (
            f"no parameter `{mark[1]}` of the site template" if mark[2] else "`${` is not closed"
        )
        self.found.say("unknown-parameter", place, message, help_)
        return ""


def value_at(tree: Tree, path: tuple[str | int, ...]) -> Any:
    """Return the value at a path, or nothing of a key that was given twice."""
    value = tree.value
    for step in path:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def stands_for(text: str, value: str) -> bool:
    """Tell whether a stretch of a line is the whole of a value."""
    try:
        return bool(yaml.safe_load(text) == value)
    except yaml.YAMLError:
        return False


def scalar(value: Any) -> str:
    """Return a value as YAML, text in quotes."""
    if isinstance(value, str | bool):
        return json.dumps(value, ensure_ascii=False)
    return repr(value)


def joined(
    name: str, under: bytes | None, over: Source, values: Mapping[str, Any], found: Diagnostics
) -> bytes:
    """Return a YAML file with another over it, key by key; entries with ids are joined by id."""
    top = read_yaml(Source(over.name, filled_file(name, over, values, found).decode()), found)
    low = read_yaml(Source(name, under.decode()), found) if under else None
    if top is None:
        return under or b""
    return written(top.value if low is None else laid(low.value, top.value)).encode()


def laid(under: Any, over: Any) -> Any:
    """Return one value over another."""
    if isinstance(under, dict) and isinstance(over, dict):
        return {**under, **{key: laid(under.get(key), one) for key, one in over.items()}}
    if has_ids(under) and has_ids(over):
        entries = {one["id"]: one for one in under}
        return list(
            {**entries, **{one["id"]: laid(entries.get(one["id"]), one) for one in over}}.values()
        )
    return over


def has_ids(value: Any) -> bool:
    """Tell whether a value is a list of entries with ids."""
    return isinstance(value, list) and all(isinstance(one, dict) and "id" in one for one in value)

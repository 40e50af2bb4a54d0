"""The point maps of devices: the files that an entry names, its blocks and its changes.

Devices that agree on everything that stands in a map share what was read of it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path as Directory
from typing import Any

from otgate.config.columns import COLUMNS
from otgate.config.diagnostic import Diagnostic, Diagnostics, Place, Use
from otgate.config.filling import Values, names_in, room
from otgate.config.instances import Instance, numbered
from otgate.config.map_part import Changes, Move, Part
from otgate.config.nearest import did_you_mean
from otgate.config.point_map import Ground, PointMap, read_parts
from otgate.config.site_file import BlockEntry
from otgate.config.source import MAX_CSV_BYTES, Source, read_source, shortest
from otgate.config.yaml_text import Tree
from otgate.driver import Driver, Moving

MAX_CHARACTERS = 4 * MAX_CSV_BYTES
"""Characters that the maps of a site may come to, as often as they are read and filled in."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A device as its entry describes it, and who reads it."""

    number: int
    given: Mapping[str, Any]
    instance: Instance
    driver: Driver | None


class Maps:
    """The point maps of a site, each read once."""

    def __init__(self, tree: Tree, directory: Directory, found: Diagnostics) -> None:
        self.tree = tree
        self.directory = directory
        self.found = found
        self.sources: dict[str, Source | None] = {}
        self.characters = 0
        self.names: dict[str, frozenset[str]] = {}
        self.read: dict[Any, tuple[PointMap | None, list[Diagnostic]]] = {}

    def of(self, device: Asked, ground: Ground) -> tuple[PointMap | None, bool]:
        """Return the points of a device, and whether they were read for it."""
        parts = self.parts(device)
        changes = self.changes(device)
        if parts is None or changes is None:
            return None, False
        key = (
            tuple(map(self.part_key, parts)),
            ground.zone,
            *map(tuple, (ground.scans.items(), ground.ratios.items())),
            repr(changes.points),
        )
        if key not in self.read and not self.fits(device, parts):
            return None, False
        if key in self.read:
            points, said = self.read[key]
            self.found.again(said)
            return points, False
        before = len(self.found)
        points = read_parts(parts, ground, self.found, changes)
        self.read[key] = points, self.found.since(before)
        return points, True

    def part_key(self, part: Part) -> Any:
        """Return what makes a difference to the points of a part."""
        names = self.names[part.source.name] & part.values.keys()
        values = tuple((name, type(part.values[name]), part.values[name]) for name in sorted(names))
        return part.source.name, values, tuple(part.moves.items())

    def parts(self, device: Asked) -> list[Part] | None:
        """Return what is to be read for a device, or None where something is missing."""
        before = self.found.errors
        own = list(self.own(device))
        blocks = device.given.get("blocks", ())
        every = chain.from_iterable(
            self.block(device, at, block) for at, block in enumerate(blocks)
        )
        parts = [*own, *every]
        return parts if parts and self.found.errors == before else None

    def own(self, device: Asked) -> Iterator[Part]:
        """Yield the map that a device has once."""
        name = device.given.get("points")
        if name is None:
            return
        source = self.source(name, self.tree.at("devices", device.number, "points"))
        if source is not None:
            self.ask(device.instance, source)
            yield Part(source, device.instance.values)

    def block(self, device: Asked, at: int, block: BlockEntry) -> Iterator[Part]:
        """Yield the maps of what a device has several times over."""
        path = ("devices", device.number, "blocks", at)
        source = self.source(block.points, self.tree.at(*path, "points"))
        if source is None:
            return
        self.ask(device.instance, source)
        move = self.move(device, block, path)
        self.say_undecided(source, block, self.tree.key(*path, "stride"))
        first = self.tree.key(*path)
        name = device.given.get("id", "")
        for step, values in enumerate(numbered(block, self.tree, path, self.found)):
            moves = {"address": step * block.stride, "sf": step * (block.sf_stride or 0)}
            use = Use(first.file, first.line, first.column, f"device {name}, n = {values['n']}")
            known: Values = {"id": name, **device.instance.values, **values}
            yield Part(source, known, moves, move, use)

    def fits(self, device: Asked, parts: Sequence[Part]) -> bool:
        """Refuse what repetition makes of the maps, beyond what anybody means."""
        for part in parts:
            self.characters += room(part.source.text, part.values)
            if self.characters > MAX_CHARACTERS and part.values:
                place = self.tree.key("devices", device.number)
                most = f"{MAX_CHARACTERS >> 20} MB"
                message = f"repeated, the point maps of this site come to more than {most}"
                self.found.say("too-much-repeated", place, message, "repeat less")
                return False
        return True

    def move(self, device: Asked, block: BlockEntry, path: tuple[str | int, ...]) -> Move | None:
        """Return how the driver's addresses move on, if they have to."""
        if device.driver is None or not (block.stride or block.sf_stride):
            return None
        if isinstance(device.driver, Moving):
            return device.driver.moved
        key = "stride" if block.stride else "sf_stride"
        message = "addresses of this driver are names: they do not move on by a number"
        help_ = f"remove `{key}`, and write `${{n}}` into the addresses"
        self.found.say("wrong-value", self.tree.key(*path, key), message, help_)
        return None

    def say_undecided(self, source: Source, block: BlockEntry, place: Place) -> None:
        """Ask whether scale factors move on, where there may be some."""
        header = source.text.partition("\n")[0]
        if block.stride and block.sf_stride is None and "sf" in cells(header):
            message = f"`{source.name}` has scale factors: do they move on?"
            help_ = f"`sf_stride: {block.stride}` if each has its own, `sf_stride: 0` if not"
            self.found.say("missing-key", place, message, help_)

    def source(self, name: str, place: Place) -> Source | None:
        """Read a point map file once, however many devices name it."""
        if name not in self.sources:
            path = shortest(self.directory / name)
            source = read_source(path, MAX_CSV_BYTES, self.found, place)
            self.sources[name] = source
            if source is not None:
                self.names[source.name] = names_in(source.text)
        return self.sources[name]

    def ask(self, instance: Instance, source: Source) -> None:
        """Note which parameters of a template a map asks for."""
        if instance.template is not None:
            instance.template.used.update(self.names[source.name])

    def changes(self, device: Asked) -> Changes | None:
        """Return what a device has otherwise than its map, or None where that makes no sense."""
        said = device.given.get("except_", {})
        if not said:
            return Changes()
        before = self.found.errors
        places: dict[tuple[str, str], Place] = {}
        points: dict[str, Mapping[str, Any] | None] = {}
        for point, cells in said.items():
            path = ("devices", device.number, "except", point)
            places[point, ""] = self.tree.key(*path)
            points[point] = None if cells == "absent" else cells
            for column in () if cells == "absent" else cells:
                places[point, column] = self.tree.at(*path, column)
                self.check_column(column, self.tree.key(*path, column))
        return Changes(points, places) if self.found.errors == before else None

    def check_column(self, column: str, place: Place) -> None:
        """Refuse a column that there is not, or that names the point."""
        if column == "id":
            message = "a point keeps its id"
            self.found.say("wrong-value", place, message, "`absent` leaves a point out")
        elif column not in COLUMNS:
            help_ = did_you_mean(column, COLUMNS, otherwise="columns")
            self.found.say("unknown-column", place, f"unknown column `{column}`", help_)


def cells(header: str) -> list[str]:
    """Return the names in a header line, however they are separated."""
    return [name.strip(' "') for name in header.replace(";", ",").replace("\t", ",").split(",")]

"""What a live server has: its values with types and units, its data sets, its reports and owners.

It reads and writes nothing; a report control block is looked at, never taken.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from otgate.browser import Browsed
from otgate.errors import LinkLost, Refused
from otgate.importer import ImportedDevice
from otgate.model import NO_STATES, Point
from otgate.model import Kind as PointKind
from otgate_iec61850.address import FCS, Fc
from otgate_iec61850.link import lost_link
from otgate_iec61850.mms.association import Ends
from otgate_iec61850.mms.blocks import read_control_block
from otgate_iec61850.mms.browse import ObjectClass
from otgate_iec61850.mms.client import Client, connected
from otgate_iec61850.mms.errors import MmsError
from otgate_iec61850.mms.naming import Name, Variable
from otgate_iec61850.mms.rcb import ControlBlock
from otgate_iec61850.mms.reference import NoReference, referred
from otgate_iec61850.mms.typespec import ArrayType, Kind, Scalar, Structure, Type
from otgate_iec61850.scl.units import MULTIPLIERS, SI_UNITS
from otgate_iec61850.settings import endpoint
from otgate_iec61850.subscription import REFUSALS

VALUES: Mapping[str, PointKind] = {
    "stVal": PointKind.STATUS, "general": PointKind.EVENT, "actVal": PointKind.COUNTER,
    "cnt": PointKind.COUNTER, "f": PointKind.MEASUREMENT, "i": PointKind.MEASUREMENT,
    "setVal": PointKind.SETTING,
}  # fmt: skip
"""Attributes that are worth a point, by their last name, and what kind that is."""

READ_BY_GATEWAYS = frozenset({Fc.ST, Fc.MX, Fc.SP, Fc.SG})
POSITIONS = {0: "intermediate", 1: "off", 2: "on", 3: "bad"}

NAMES = {
    Kind.BOOLEAN: "BOOLEAN",
    Kind.MMS_STRING: "Unicode255",
    Kind.OCTET_STRING: "octets",
    Kind.UTC_TIME: "Timestamp",
    Kind.VISIBLE_STRING: "VisString255",
}
WIDTHS = {8: "INT8", 16: "INT16", 32: "INT32", 64: "INT64"}


@dataclass(frozen=True, slots=True)
class Found:
    """One value of a server."""

    domain: str
    node: str
    fc: str
    path: str
    type: str
    unit: str = ""

    def __str__(self) -> str:
        return f"{self.domain}/{self.node}.{self.path} [{self.fc}]"


@dataclass(slots=True)
class Model:
    """Everything that a server said of itself."""

    values: list[Found] = field(default_factory=list)
    data_sets: dict[Name, Sequence[Variable]] = field(default_factory=dict)
    blocks: list[ControlBlock] = field(default_factory=list)
    refused: int = 0
    """What it named and would not describe."""


class MmsBrowser:
    """Reads IEC 61850 servers; see `otgate.browser.Browser`."""

    example = "mms://HOST[:PORT]"
    about = (
        "values with their types and units, data sets with their members, report control\n"
        "blocks with who has them."
    )

    def browse(self, url: str, timeout_s: float) -> Browsed:
        """Read a server.

        Raises:
            Refused: the URL is no mms://HOST, or the server has no logical device.
            LinkLost: there is no association.
        """
        try:
            host, port = endpoint(url)
        except ValueError as wrong:
            raise Refused(str(wrong)) from wrong
        model = asyncio.run(surveyed(host, port, timeout_s))
        if not model.values:
            raise Refused("the server has no value that this gateway reads")
        points = points_of(model)
        device = imported(url, points) if points else None
        return Browsed("\n".join(as_table(model)), as_document(model), device)


async def surveyed(host: str, port: int, timeout_s: float) -> Model:
    """Read a server once.

    Raises:
        LinkLost: there is no association, or it ended.
    """
    try:
        with lost_link():
            async with connected(host, port, Ends(), lambda *_: None) as client:
                client.timeout_s = timeout_s
                return await _model(client)
    except TimeoutError as silence:
        raise LinkLost(f"the server did not answer within {timeout_s:g} s") from silence


async def _model(client: Client) -> Model:
    model = Model()
    for domain in await client.domains():
        names = await client.names(ObjectClass.VARIABLE, domain)
        await _values(client, model, domain, names)
        await _blocks(client, model, domain, names)
        for item in await client.names(ObjectClass.VARIABLE_LIST, domain):
            listed = Name(domain, item)
            try:
                model.data_sets[listed] = (await client.members(listed)).members
            except REFUSALS:
                model.refused += 1
    return model


async def _values(client: Client, model: Model, domain: str, names: Sequence[str]) -> None:
    """Learn the types of every data object, side by side, and the units of what has any."""
    parts = [item.split("$") for item in names]
    objects = [Name(domain, "$".join(each)) for each in parts if len(each) == 3 and each[1] in FCS]
    described = await client.types(objects)
    model.refused += described.count(None)
    types = {name: each for name, each in zip(objects, described, strict=True) if each is not None}
    units = await _units(client, types)
    for name, each in types.items():
        node, fc, head = name.item.split("$")
        if fc not in READ_BY_GATEWAYS:
            continue
        for path, scalar in _leaves(each, head):
            owner = f"{node}${path.split('.', maxsplit=1)[0]}"
            unit = units.get(owner, "") if path.endswith((".f", ".i", ".actVal")) else ""
            model.values.append(Found(domain, node, fc, path, spelled(scalar), unit))


async def _units(client: Client, types: Mapping[Name, Type]) -> dict[str, str]:
    """Return the unit of each data object that has one, ``LN$DO`` to its spelling."""
    wanted = []
    for name, each in types.items():
        node, fc, head = name.item.split("$")
        if fc == Fc.CF and isinstance(each, Structure) and "units" in dict(each.components):
            wanted.append((f"{node}${head}", Variable(Name(name.domain, f"{name.item}$units"))))
    said = await client.read([variable for _, variable in wanted]) if wanted else []
    found = {}
    for (owner, _), value in zip(wanted, said, strict=True):
        if isinstance(value, tuple):
            found[owner] = unit_of(value)
    return found


def unit_of(value: Sequence[Any]) -> str:
    """Return the unit that ``units`` says: SIUnit and, where there is one, its multiplier."""
    codes = [int(each) for each in value if isinstance(each, int)]
    unit = SI_UNITS.get(codes[0], "") if codes else ""
    return MULTIPLIERS.get(codes[1], "") + unit if unit and len(codes) > 1 else unit


async def _blocks(client: Client, model: Model, domain: str, names: Sequence[str]) -> None:
    for item in names:
        parts = item.split("$")
        if len(parts) == 3 and parts[1] in {"BR", "RP"}:
            try:
                model.blocks.append(await read_control_block(client, Name(domain, item)))
            except MmsError:
                if client.connection.gone.done():
                    raise
                model.refused += 1


def _leaves(described: Type, path: str) -> Iterator[tuple[str, Scalar]]:
    """Yield path and type of every scalar; of an array the first element stands for all."""
    if isinstance(described, Structure):
        for name, inner in described.components:
            yield from _leaves(inner, f"{path}.{name}")
    elif isinstance(described, ArrayType):
        yield from _leaves(described.element, f"{path}(0)")
    else:
        yield path, described


def spelled(scalar: Scalar) -> str:
    """Return a scalar's type in the words of IEC 61850, as far as MMS tells it."""
    size = abs(scalar.size)
    if scalar.kind is Kind.BIT_STRING:
        return {2: "Dbpos", 13: "Quality"}.get(size, f"bits({size})")
    if scalar.kind is Kind.FLOAT:
        return f"FLOAT{size or 32}"
    if scalar.kind in {Kind.INTEGER, Kind.UNSIGNED}:
        return WIDTHS.get(size, "INT32") + ("U" if scalar.kind is Kind.UNSIGNED else "")
    return NAMES.get(scalar.kind, scalar.kind.name.lower())


def as_table(model: Model) -> Iterator[str]:
    """Write a model for a person."""
    width = max(len(str(each)) for each in model.values)
    yield f"{'value':<{width}}  {'type':<14} unit"
    for each in model.values:
        yield f"{each!s:<{width}}  {each.type:<14} {each.unit}".rstrip()
    for name, members in model.data_sets.items():
        yield ""
        yield f"data set {name.domain}/{name.item.replace('$', '.', 1)}: {len(members)} members"
        yield from (f"  {_member(member)}" for member in members)
    if model.blocks:
        yield ""
    for block in model.blocks:
        yield f"report {_reference(block.name)}: {_told(block)}"
    if model.refused:
        yield ""
        yield f"the server named {model.refused} more that it would not describe"


def _reference(name: Name) -> str:
    return f"{name.domain}/{name.item.replace('$', '.')}"


def _member(member: Variable) -> str:
    try:
        return str(referred(member))
    except NoReference:
        return str(member.name)


def _told(block: ControlBlock) -> str:
    return f"data set {block.data_set or 'none'}, ConfRev {block.conf_rev}, {held(block)}"


def held(block: ControlBlock) -> str:
    """Say who has a block."""
    owner = block.owner
    by = f" by {'.'.join(map(str, owner)) if len(owner) == 4 else owner.hex()}" if owner else ""
    if block.enabled:
        return f"enabled{by}"
    return f"reserved{by}" if block.reserved or owner else "free"


def as_document(model: Model) -> Mapping[str, Any]:
    """Write the same for a program."""
    return {
        "values": [
            {"value": str(each), "type": each.type, "unit": each.unit} for each in model.values
        ],
        "data_sets": {
            f"{name.domain}/{name.item.replace('$', '.', 1)}": [_member(each) for each in members]
            for name, members in model.data_sets.items()
        },
        "reports": [
            {
                "report": _reference(block.name),
                "data_set": block.data_set,
                "conf_rev": block.conf_rev,
                "held": held(block),
            }
            for block in model.blocks
        ],
        "refused": model.refused,
    }


def imported(url: str, points: Sequence[Point]) -> ImportedDevice:
    """Return the device entry and its points."""
    return ImportedDevice(
        id="ied",
        driver="iec61850",
        source=f"the server at {url}",
        settings={"url": url},
        files={},
        scans={"normal": 2.0},
        points=points,
    )


def points_of(model: Model) -> list[Point]:
    """Return a point map, to be named and narrowed by a person."""
    given: dict[str, int] = {}
    return [
        Point(
            id=_id(each, given),
            kind=kind,
            address=str(each),
            type=each.type,
            unit=each.unit,
            states=POSITIONS if each.type == "Dbpos" else NO_STATES,
        )
        for each in model.values
        if (kind := _kind(each)) is not None
    ]


def _kind(each: Found) -> PointKind | None:
    """Return what kind of point a value is, or None where it accompanies another."""
    last = each.path.rpartition(".")[2]
    kind = VALUES.get(last)
    if kind is None or each.type in {"Quality", "Timestamp", "octets"} or "(" in each.path:
        return None
    if each.fc in {Fc.SP, Fc.SG}:
        return PointKind.SETTING
    if each.type.startswith(("VisString", "Unicode")):
        return PointKind.TEXT
    return kind


def _id(each: Found, given: dict[str, int]) -> str:
    """Return an id of at most 64 characters, each once."""
    path = each.path.replace(".", "_").replace("(", "_").replace(")", "")
    whole = f"{each.domain}_{each.node}_{path}".lower()
    number = given[whole[-60:]] = given.get(whole[-60:], 0) + 1
    return whole[-60:].strip("_") + (f"_{number}" if number > 1 else "")

"""The site whose every denied point is a token: its points, what becomes of each, and its files.

Two conduits: `analytics` compresses what it publishes and strips attributes, `operations` does
neither and carries points that analytics must not. Three drivers, and points calculated of others.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import canary_tokens as tokens
from mms_served import DOMAIN

CONDUITS = ("analytics", "operations")
HIDDEN, UNKNOWN = tokens.text(0xFFF, 0), tokens.text(0xFFE, 0)
"""A device of which nothing crosses, and one whose host there is not."""
MODBUS = ("f1", "f2")
SERVED = (*MODBUS, "rtu", "ied")
DEVICES = (*SERVED, "calc")
"""The devices that the policy lets something cross of; the last one is calculated of the first."""
FATES = ("open", "ops", "denied", "restricted", "setting", "unnamed", "swing", "open")
"""What becomes of a group, in turn: its tag, or the guard that stops it."""
COLUMNS = (
    "id", "name", "description", "substation", "voltage_level", "bay", "equipment", "phase",
    "unit", "owner", "external_id",
)  # fmt: skip
NAMED, VALUE = 14, 15
"""Columns of the texts by which a server knows a point, and of those that are values."""
STRIPPED = {f"text {COLUMNS.index(name)}" for name in ("owner", "external_id")}
KINDS: Mapping[str, Sequence[tuple[str, str]]] = {
    "modbus": (("counter", "u64"), ("measurement", "f64"), ("text", "string(16)")),
    "dnp3": (("text", ""), ("measurement", ""), ("text", "")),
    "iec61850": (("counter", "INT64"), ("measurement", "FLOAT64"), ("text", "VisString255")),
}
"""Kind and type of a group's three points."""
RULE, REASON = tokens.text(0xFFD, 0), tokens.text(0xFFD, 1)

SITE = """\
config_version: 1
site: {{id: sub7, name: Substation 7, gateway: gw1}}
devices:
{devices}defaults: {{sensitivity: internal, max_age_s: 5}}
spool: {{directory: spool, size_mb: 32, age_h: 24}}
policy: policy.yaml
calc:
  - device: calc
    points:
{calculated}
"""
DEVICE = """\
  - id: {name}
    driver: {driver}
    zone: {zone}
    points: points/{name}.csv
    scans: {{{scan}: {period_s}}}
    {driver}: {{{settings}}}
"""
POLICY = """\
config_version: 1
policy: {{name: {reason}, version: {version}}}
vocabulary: {{tags: [open, ops, denied, swing, unnamed, nothing]}}
zones: {{bay: {{purdue: 1}}, vault: {{purdue: 0}}, it: {{purdue: 4}}}}
conduits:
  analytics: {{from: [bay], to: it, ceiling: internal, limits: {{strip: [owner, external_id]}}}}
  operations: {{from: [bay], to: it, ceiling: internal}}
rules:
  - {{name: open, effect: allow, match: {{tags_any: [open, denied{swing}]}}, why: {reason}}}
  - {{name: ops, effect: allow, conduits: [operations], match: {{tags_any: [{ops}]}}, why: a test}}
  - {{name: {rule}, effect: deny, match: {{tags_any: [denied]}}, why: {reason}}}
"""
BUS = """\
config_version: 1
conduit: {conduit}
brokers: ["mqtt://127.0.0.1:{port}"]
last: "{last}"
replay_s: 0.5
compress: {compress}
"""


@dataclass(frozen=True, slots=True)
class Ports:
    """Where the devices are served, each protocol's."""

    modbus: int
    dnp3: int
    iec61850: int


@dataclass(frozen=True, slots=True)
class Layout:
    """Which points the devices have: groups of three, a whole number, a real one and a text."""

    groups: int = 16
    """Groups of the first two devices, a multiple of the number of fates."""
    others: int = 16
    """Groups of every other one."""
    last: str = "on"
    """Whether each point's newest value is retained: a message more for each sample."""

    def points_of(self, device: str) -> range:
        """Return the points of a device; no two devices share one."""
        at = (*DEVICES, HIDDEN, UNKNOWN).index(device)
        many = min(at, len(MODBUS))
        begin = 3 * (self.groups * many + self.others * (at - many))
        return range(begin, begin + 3 * (self.groups if at < len(MODBUS) else self.others))

    def of_fate(self, *fates: str) -> set[int]:
        """Return the points with one of these fates, of devices that the policy knows of."""
        points = (point for device in DEVICES for point in self.points_of(device))
        return {point for point in points if fate(point) in fates}


def fate(point: int) -> str:
    """What becomes of a point."""
    return FATES[point // 3 % len(FATES)]


def server_name(point: int) -> str:
    """How an IEC 61850 server knows a point: its data object."""
    return tokens.text(point, NAMED)


def address(driver: str, point: int) -> str:
    """Where a driver reads a point."""
    if driver == "modbus":
        return f"hr {tokens.address(point)}"
    if driver == "dnp3":
        return f"{('oct', 'ai', 'oct')[point % 3]} {tokens.address(point)}"
    attribute = ("actVal [ST]", "mag.f [MX]", "stVal [ST]")[point % 3]
    return f"{DOMAIN}/GGIO1.{server_name(point)}.{attribute}"


def point_map(driver: str, points: Iterable[int]) -> str:
    """Write the map of a device: every cell a token."""
    stream = io.StringIO()
    table = csv.writer(stream, lineterminator="\n")
    table.writerow([*COLUMNS, "kind", "type", "address", "tags", "sensitivity"])
    for point in points:
        kind, type_ = KINDS[driver][point % 3]
        tag = fate(point)
        kind = "setting" if tag == "setting" else kind
        secret = "restricted" if tag == "restricted" else ""
        tags = tag if tag in {"ops", "denied", "swing", "unnamed"} else "open"
        cells = [tokens.text(point, column) for column in range(len(COLUMNS))]
        table.writerow([*cells, kind, type_, address(driver, point), tags, secret])
    return stream.getvalue()


def calculated(layout: Layout) -> Iterator[str]:
    """Write an entry per calculated point, of the point of the first device with its fate.

    What follows of a denied point and of an open one is denied as well.
    """
    sources, others = layout.points_of(MODBUS[0]), layout.points_of(MODBUS[1])
    mixed = f"{MODBUS[1]}/{tokens.text(others[1], 0)}"
    for at, point in enumerate(layout.points_of("calc")):
        known = "".join(
            f"{key}: {tokens.text(point, COLUMNS.index(key))}, "
            for key in ("id", "name", "description", "owner", "external_id")
        )
        if point % 3 == 2:
            of = f"{MODBUS[0]}/{tokens.text(sources[at - 1], 0)}"
            yield f'      - {{{known}of: "{of}", aggregates: [last], every_s: 1, grace_s: 0}}'
            continue
        of = f"{MODBUS[0]}/{tokens.text(sources[at], 0)}"
        mixes = point % 3 == 1 and fate(point) in {"denied", "restricted", "setting"}
        formula = f"if(valid({mixed}), {of}, {of})" if mixes else f"{of} + 0"
        yield f'      - {{{known}formula: "{formula}"}}'


def site_of(layout: Layout, ports: Ports, period_s: float) -> str:
    """Write the site file."""
    modbus = 'url: "tcp://{}:{}", unit: 1, base: 0, timeout_s: 0.3'
    places = [(name, "modbus", "bay", modbus.format(f"127.0.1.{at}", ports.modbus))
              for at, name in enumerate(MODBUS, 1)]  # fmt: skip
    places += [
        (
            "rtu",
            "dnp3",
            "bay",
            f'url: "tcp://127.0.0.1:{ports.dnp3}", outstation: 10, timeout_s: 1',
        ),
        ("ied", "iec61850", "bay", f'url: "mms://127.0.0.1:{ports.iec61850}", timeout_s: 1'),
        (HIDDEN, "modbus", "vault", modbus.format("127.0.1.9", ports.modbus)),
        (UNKNOWN, "modbus", "vault", modbus.format(f"{UNKNOWN}.invalid", 502)),
    ]
    keys = ("name", "driver", "zone", "settings")
    entries = (dict(zip(keys, place, strict=True)) for place in places)
    return SITE.format(
        devices="".join(
            DEVICE.format(scan="normal", period_s=period_s, **entry) for entry in entries
        ),
        calculated="\n".join(calculated(layout)),
    )


def policy_of(version: int, *, swing: str = "", ops: str = "ops") -> str:
    """Write the policy; ``swing`` is what else the first rule allows, ``ops`` all of the second."""
    return POLICY.format(version=version, swing=swing, ops=ops, rule=RULE, reason=REASON)


def write(
    folder: Path, layout: Layout, ports: Ports, relays: Mapping[str, int], period_s: float
) -> Path:
    """Write the site with its bus files; return its folder."""
    files = {"site.yaml": site_of(layout, ports, period_s), "policy.yaml": policy_of(1)}
    drivers = {"rtu": "dnp3", "ied": "iec61850"}
    for name in (*SERVED, HIDDEN, UNKNOWN):
        rows = point_map(drivers.get(name, "modbus"), layout.points_of(name))
        files[f"points/{name}.csv"] = rows
    for conduit, relay in relays.items():
        compress = "zstd" if conduit == "analytics" else "none"
        files[f"bus/{conduit}.yaml"] = BUS.format(
            conduit=conduit, port=relay, compress=compress, last=layout.last
        )
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content)
    return folder

"""What a device is asked, decided offline: an integrity poll, event polls, static polls.

A point in the scan class `integrity` is read by the integrity poll and lives by its events. Points
of any other scan class are read by requests of their own as well, for outstations that make no
events of them.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from otgate.errors import Mistake, Mistakes
from otgate.model import Device, Request, Scan
from otgate_dnp3.address import SPELLED
from otgate_dnp3.reading import Reading, readings_of, repeated
from otgate_dnp3.settings import Settings, settings_of
from otgate_dnp3.stack.crc import wire_size
from otgate_dnp3.stack.link import HEADER_SIZE, LONGEST_DATA
from otgate_dnp3.stack.objects import ranged
from otgate_dnp3.stack.points import PointType
from otgate_dnp3.stack.requests import INTEGRITY, classes

INTEGRITY_SCAN = "integrity"

STATIC_GROUPS = {
    PointType.BINARY_INPUT: 1,
    PointType.DOUBLE_BIT_INPUT: 3,
    PointType.BINARY_OUTPUT: 10,
    PointType.COUNTER: 20,
    PointType.FROZEN_COUNTER: 21,
    PointType.ANALOG_INPUT: 30,
    PointType.FROZEN_ANALOG_INPUT: 31,
    PointType.ANALOG_OUTPUT: 40,
    PointType.OCTET_STRING: 110,
}
"""Groups whose variation 0 asks for the outstation's own choice: IEEE 1815-2012, Annex A."""

SIZES = {
    PointType.COUNTER: 5,
    PointType.FROZEN_COUNTER: 5,
    PointType.ANALOG_INPUT: 5,
    PointType.FROZEN_ANALOG_INPUT: 5,
    PointType.ANALOG_OUTPUT: 5,
    PointType.OCTET_STRING: 32,
}
"""Octets of a static object as most outstations send it; else 1."""

MOST_RANGES = 200
"""Ranges in one request: they fit a fragment that every outstation takes."""


@dataclass(frozen=True, slots=True)
class Task:
    """What a scan does: read event classes, or these objects; neither is an integrity poll."""

    classes: frozenset[int] = frozenset()
    requests: tuple[bytes, ...] = ()


def plan(device: Device) -> Sequence[Scan]:
    """Decide every scan of a device.

    Raises:
        Mistakes: everything wrong with the settings or the point map.
    """
    settings = settings_of(device.settings)
    mistakes: list[Mistake] = []
    readings = readings_of(device, mistakes)
    mistakes += repeated(readings, device)
    by_class = _by_class(device, readings, mistakes)
    if "integrity_s" in settings.model_fields_set and INTEGRITY_SCAN in device.scans:
        message = "the period of the integrity poll is given twice"
        help_text = "write `scans: {integrity: ...}` alone"
        mistakes.append(Mistake("bad-setting", message, None, "dnp3.integrity_s", help_text))
    if mistakes:
        raise Mistakes(mistakes)
    integrity = by_class.pop(INTEGRITY_SCAN, [])
    period_s = device.scans.get(INTEGRITY_SCAN, settings.integrity_s)
    scans = [_scan(INTEGRITY_SCAN, period_s, integrity, [_integrity(readings)])]
    for name, members in by_class.items():
        requests = [_request(part) for part in _requests(members)]
        scans.append(_scan(name, device.scans[name], members, requests))
    return [*scans, *_event_scans(settings)]


def tasks(device: Device, scans: Sequence[Scan]) -> dict[str, Task]:
    """Return what each scan of a plan does, by name."""
    settings = settings_of(device.settings)
    found = {_event_name(of): Task(frozenset(of)) for of in _event_polls(settings).values()}
    readings = {reading.number: reading for reading in readings_of(device, [])}
    for scan in scans:
        if scan.name not in found and scan.name != INTEGRITY_SCAN:
            members = [readings[number] for number in scan.points]
            requests = tuple(b"".join(map(_range, part)) for part in _requests(members))
            found[scan.name] = Task(requests=requests)
    return {INTEGRITY_SCAN: Task(), **found}


def _by_class(
    device: Device, readings: Iterable[Reading], mistakes: list[Mistake]
) -> dict[str, list[Reading]]:
    usual = "normal" if "normal" in device.scans else next(iter(device.scans), INTEGRITY_SCAN)
    found: dict[str, list[Reading]] = {INTEGRITY_SCAN: []}
    for reading in readings:
        point = device.points[reading.number]
        name = point.scan or usual
        if name != INTEGRITY_SCAN and name not in device.scans:
            known = ", ".join((INTEGRITY_SCAN, *device.scans))
            message = f"`{name}` is no scan class of this device"
            mistakes.append(Mistake("unknown-scan", message, point.id, "scan", f"it has {known}"))
            continue
        found.setdefault(name, []).append(reading)
    return found


def _scan(
    name: str, period_s: float, members: Sequence[Reading], requests: Sequence[Request]
) -> Scan:
    return Scan(
        name,
        period_s,
        tuple(reading.number for reading in members),
        tuple(reading.value_type for reading in members),
        tuple(requests),
    )


def _event_polls(settings: Settings) -> Mapping[float, list[int]]:
    polls: dict[float, list[int]] = {}
    for event_class in (1, 2, 3):
        if period_s := settings.class_period_s(event_class):
            polls.setdefault(period_s, []).append(event_class)
    return polls


def _event_name(of: Iterable[int]) -> str:
    return "events " + "+".join(map(str, of))


def _event_scans(settings: Settings) -> Iterable[Scan]:
    for period_s, of in _event_polls(settings).items():
        asked = classes(of)
        text = f"READ events of class {', '.join(map(str, of))}"
        yield Scan(_event_name(of), period_s, (), (), (Request(text, 0, 0, _wire(len(asked), 0)),))


def _integrity(readings: Sequence[Reading]) -> Request:
    octets = sum(SIZES.get(reading.address.point_type, 1) for reading in readings)
    text = "READ events of class 1, 2, 3 and all static data"
    return Request(text, len(readings), 0, _wire(len(INTEGRITY), octets))


Span = tuple[PointType, int, int]
"""Type, first index, how many."""


def _requests(members: Sequence[Reading]) -> list[list[Span]]:
    spans = _spans(members)
    return [spans[at : at + MOST_RANGES] for at in range(0, len(spans), MOST_RANGES)]


def _spans(members: Sequence[Reading]) -> list[Span]:
    """Return the ranges of neighbours: no index that no point has, which could be refused."""
    spans: list[Span] = []
    ordered = sorted(members, key=lambda reading: (_group(reading), reading.address.index))
    for _, of_type in groupby(ordered, _group):
        last: Span | None = None
        for reading in of_type:
            point_type, index = reading.address.point_type, reading.address.index
            if last is not None and index == last[1] + last[2]:
                spans.pop()
                last = (point_type, last[1], last[2] + 1)
            else:
                last = (point_type, index, 1)
            spans.append(last)
    return spans


def _group(reading: Reading) -> int:
    return STATIC_GROUPS[reading.address.point_type]


def _range(span: Span) -> bytes:
    point_type, first, count = span
    return ranged(STATIC_GROUPS[point_type], 0, first, count)


def _request(spans: Sequence[Span]) -> Request:
    named = ", ".join(
        f"{SPELLED[kind]} {first}" + (f" to {first + count - 1}" if count > 1 else "")
        for kind, first, count in spans
    )
    every = sum(span[2] for span in spans)
    octets = sum(span[2] * SIZES.get(span[0], 1) for span in spans)
    asked = sum(len(_range(span)) for span in spans)
    return Request(f"READ {named}", every, 0, _wire(asked, octets))


def _wire(asked: int, answered: int) -> int:
    """Return the octets on the wire of a request and its response."""
    return sum(_framed(octets) for octets in (asked + 2, answered + 4))


def _framed(octets: int) -> int:
    full, rest = divmod(octets, LONGEST_DATA - 1)
    sizes = [LONGEST_DATA] * full + ([rest + 1] if rest else [])
    return sum(HEADER_SIZE + wire_size(size) for size in sizes)

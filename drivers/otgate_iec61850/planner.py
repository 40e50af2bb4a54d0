"""What a device is asked, decided without it: one scan per scan class that has points.

A scan covers every point of its class. Which of them a report brings is known once the server
has said what its data sets hold; those are then not read with the scan.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from pathlib import Path

from otgate.errors import Mistake, Mistakes
from otgate.model import Device, Request, Scan
from otgate.readings import by_scan_class
from otgate_iec61850.mms.batching import OVERHEAD, UNKNOWN_REPLY
from otgate_iec61850.mms.initiate import Terms
from otgate_iec61850.reading import Reading, readings_of, repeated
from otgate_iec61850.scl import SclRefused, read_scl
from otgate_iec61850.scl.compare import compare, near
from otgate_iec61850.scl.model import AccessPoint, Ied
from otgate_iec61850.settings import Settings, settings_of

ENVELOPE = 60
"""Octets of Ethernet, IP, TCP, TPKT, COTP, session and presentation around an MMS PDU, about."""


def plan(device: Device) -> list[Scan]:
    """Decide every request of a device.

    Raises:
        Mistakes: everything wrong with the settings or the point map.
    """
    settings = settings_of(device.settings)
    mistakes: list[Mistake] = []
    readings = readings_of(device, mistakes)
    mistakes.extend(repeated(readings, device))
    classes = by_scan_class(device, readings, mistakes)
    mistakes.extend(_reports_twice(settings))
    mistakes.extend(_differences(device, settings, {each.point for each in mistakes}))
    if mistakes:
        raise Mistakes(mistakes)
    return [_scan(name, device.scans[name], members) for name, members in classes.items()]


def objects(readings: Iterable[Reading]) -> list[str]:
    """Return the data objects of points, each once, in order."""
    return list(dict.fromkeys(_object(reading) for reading in readings))


def _object(reading: Reading) -> str:
    at = reading.reference
    return f"{at.domain}/{at.node}.{at.names[0]} [{at.fc}]"


def _reports_twice(settings: Settings) -> Iterable[Mistake]:
    seen: set[str] = set()
    for at, report in enumerate(settings.reports):
        name = report.rcb.replace("$", ".")
        if name in seen:
            message = f"`{report.rcb}` is listed twice"
            yield Mistake("bad-setting", message, None, f"iec61850.reports.{at}.rcb")
        seen.add(name)


def _scan(name: str, period_s: float, readings: Sequence[Reading]) -> Scan:
    return Scan(
        name,
        period_s,
        tuple(reading.number for reading in readings),
        tuple(reading.value_type for reading in readings),
        tuple(_requests(readings)),
    )


def _requests(readings: Sequence[Reading]) -> Iterable[Request]:
    """Yield the reads as they are where no report covers a point."""
    together = max(1, (Terms().largest_pdu - OVERHEAD) // UNKNOWN_REPLY)
    names = objects(readings)
    points = Counter(map(_object, readings))
    for first in range(0, len(names), together):
        part = names[first : first + together]
        last = f" to {part[-1]}" if len(part) > 1 else ""
        asked = sum(len(text) + 8 for text in part)
        wire = asked + len(part) * UNKNOWN_REPLY + 2 * (OVERHEAD + ENVELOPE)
        used = sum(points[name] for name in part)
        many = "s" if len(part) > 1 else ""
        yield Request(f"Read {len(part)} object{many}, {part[0]}{last}", used, 0, wire)


# SCL


def _differences(
    device: Device, settings: Settings, besides: Collection[str | None]
) -> Iterable[Mistake]:
    """Return in what points differ from their SCL; those that are wrong anyway are said once."""
    if settings.scl is None:
        return []
    try:
        server = _server(settings)
    except SclRefused as refused:
        return [Mistake("bad-setting", str(refused), None, "iec61850.scl")]
    except OSError as error:
        message = f"`{Path(settings.scl).name}` cannot be read: {error.strerror}"
        return [Mistake("bad-setting", message, None, "iec61850.scl")]
    except Mistakes as wrong:
        return wrong.mistakes
    return compare((point for point in device.points if point.id not in besides), server)


def _server(settings: Settings) -> AccessPoint:
    path = Path(settings.scl or "")
    ied = _ied(path, path.stat().st_mtime_ns, settings.ied or "")
    points = {each.name: each for each in ied.access_points if each.devices}
    wanted = settings.access_point
    if wanted is None and len(points) == 1:
        return next(iter(points.values()))
    return points[_chosen(wanted, points, "access_point", f"access point of IED `{ied.name}`")]


@lru_cache(maxsize=4)
def _ied(path: Path, _changed_ns: int, name: str) -> Ied:
    """Return an IED of a file; devices of one file share it."""
    scl = read_scl(path)
    names = list(scl.ieds)
    if not name and len(names) == 1:
        return scl.ied(names[0])
    return scl.ied(_chosen(name or None, names, "ied", f"IED in {path.name}"))


def _chosen(name: str | None, known: Iterable[str], key: str, what: str) -> str:
    """Return a name that is known.

    Raises:
        Mistakes: it is not, or there are several and none is named.
    """
    names = list(known)
    if name in names and name is not None:
        return name
    listed = ", ".join(f"`{each}`" for each in names[:10]) or "none"
    if name is None:
        message, help_ = f"there is more than one {what}, or none", f"name one: {listed}"
        raise Mistakes([Mistake("bad-setting", message, None, "iec61850.scl", help_)])
    message = f"there is no {what} named `{name}`"
    help_ = near(name, names) or f"there are: {listed}"
    raise Mistakes([Mistake("bad-setting", message, None, f"iec61850.{key}", help_)])

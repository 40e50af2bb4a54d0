"""`otgate import scl`: servers of an SCL file as devices."""

import re
from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from otgate.errors import Refused
from otgate.foreign.names import Ids, quoted
from otgate.importer import Imported, ImportedDevice, Remark
from otgate_iec61850.address import ControlBlock
from otgate_iec61850.scl.document import Scl, read_scl
from otgate_iec61850.scl.model import AccessPoint, Address, Ied, ReportControl
from otgate_iec61850.scl.points import SCANS, points_of
from otgate_iec61850.scl.selection import first_seen

DESCRIPTION = """\
Read an SCL file (ICD, CID, IID, SCD; any edition): each server becomes a device, each value a
point. Names come from the Substation section where the file has one. For each data set that a
report control sends, one instance of it goes into the device entry: see that no other client
uses that instance.

  otgate import scl station.scd --output config/sub7 --site sub7
  otgate import scl relay.cid --ied Q1 --data-sets-only
"""
HOST = re.compile(r"[A-Za-z0-9.-]{1,253}|[0-9A-Fa-f:]{2,39}")

MAX_POINTS = 500_000
"""Points of one import; each takes about a kilobyte while it is written."""

LESS = "import one IED at a time (--ied), or data sets alone (--data-sets-only)"


class SclImporter:
    """The importer of SCL files; see `otgate.importer.Importer`."""

    summary = "an SCL file of IEC 61850: ICD, CID, IID or SCD"
    description = DESCRIPTION

    def arguments(self, parser: ArgumentParser) -> None:
        """Add the arguments of `otgate import scl`."""
        parser.add_argument("file", metavar="FILE", type=Path, help="the SCL file")
        parser.add_argument("--ied", metavar="NAME", help="one IED alone (default: all)")
        parser.add_argument("--access-point", metavar="AP", help="that one, not the first server")
        parser.add_argument(
            "--data-sets-only", action="store_true", help="only what stands in a data set"
        )

    def read(self, options: Namespace) -> Imported:
        """Read the file.

        Raises:
            Refused: it cannot be read, or lacks the IED or access point that was asked for.
        """
        scl = read_scl(options.file)
        remarks: list[Remark] = []
        devices = list(devices_of(scl, options, remarks))
        notes = [Remark(note.message, note.line) for note in scl.notes]
        if scl.unsaid:
            notes.append(Remark(f"{scl.unsaid:,} more oddities of the file are not listed"))
        return Imported(devices, [*remarks, *notes])


def devices_of(scl: Scl, options: Namespace, remarks: list[Remark]) -> Iterator[ImportedDevice]:
    """Yield a device for each server that was asked for and has points."""
    ids, room = Ids(), MAX_POINTS
    if not scl.ieds:
        remarks.append(Remark("the file describes no IED"))
    for name in wanted(scl, options.ied):
        ied = scl.ied(name)
        server = server_of(ied, options.access_point, remarks, asked=options.ied is not None)
        if server is None:
            remarks.append(Remark(f"IED {quoted(name)} has no server; it is left out"))
            continue
        left_out: Counter[str] = Counter()
        found = points_of(server, left_out, only_listed=options.data_sets_only)
        points = list(islice(found, room + 1))
        if len(points) > room:
            raise Refused(f"{scl.file} holds more than {MAX_POINTS:,} points; {LESS}")
        room -= len(points)
        if not points:
            remarks.append(Remark(f"IED {quoted(name)} has no value to read; it is left out"))
            continue
        yield ImportedDevice(
            id=ids.give(name),
            driver="iec61850",
            source=f"{Path(scl.file).name}: IED {name}, access point {server.name}",
            settings=settings_of(ied, server, remarks),
            files={"scl": options.file},
            scans=SCANS,
            points=points,
            left_out=first_seen(left_out),
        )


def wanted(scl: Scl, name: str | None) -> Sequence[str]:
    """Return the IEDs to import.

    Raises:
        Refused: the file has none of this name.
    """
    if name is None:
        return scl.ieds
    if name not in scl.ieds:
        known = ", ".join(scl.ieds[:12]) or "none"
        raise Refused(f"{scl.file} has no IED {quoted(name)}; it has: {known}")
    return [name]


def server_of(
    ied: Ied, name: str | None, remarks: list[Remark], *, asked: bool
) -> AccessPoint | None:
    """Return the access point that was asked for, else the first, with an address if one has.

    Raises:
        Refused: the one IED that was asked for has no such access point.
    """
    points = list(ied.access_points)
    if name is not None:
        points = [point for point in points if point.name == name]
        if not points and asked:
            known = ", ".join(point.name for point in ied.access_points) or "none"
            raise Refused(f"IED {ied.name} has no server {quoted(name)}; it has: {known}")
    points.sort(key=lambda point: point.address is None)
    if len(points) > 1:
        others = ", ".join(quoted(point.name) for point in points[1:])
        text = f"IED {quoted(ied.name)} has servers besides {quoted(points[0].name)}: {others}"
        remarks.append(Remark(f"{text}; --access-point chooses"))
    return points[0] if points else None


def settings_of(ied: Ied, server: AccessPoint, remarks: list[Remark]) -> dict[str, Any]:
    """Return the driver's block of the device entry."""
    address = server.address or Address()
    host = address.host if HOST.fullmatch(address.host) else ""
    if not host:
        text = f"the file gives no address of IED {quoted(ied.name)}, access point"
        remarks.append(Remark(f"{text} {quoted(server.name)}: replace HOST in its url"))
    shown = f"[{host}]" if ":" in host else host or "HOST"
    port = "" if address.port == 102 else f":{address.port}"
    block: dict[str, Any] = {"url": f"mms://{shown}{port}"}
    called = called_of(address)
    reports = [entry_of(control, rcb) for control, rcb in reports_of(server, ied, remarks)]
    if called:
        block["called"] = called
    if reports:
        block["reports"] = reports
    return {**block, "ied": ied.name, "access_point": server.name}


def called_of(address: Address) -> dict[str, Any]:
    """Return the selectors and titles that the file configures."""
    title = address.ap_title
    said = {
        "ap_title": None if title is None else ".".join(map(str, title)),
        "ae_qualifier": address.ae_qualifier,
        "p_selector": None if address.p_selector is None else address.p_selector.hex(),
        "s_selector": None if address.s_selector is None else address.s_selector.hex(),
        "t_selector": None if address.t_selector is None else address.t_selector.hex(),
    }
    return {key: value for key, value in said.items() if value is not None}


def reports_of(
    server: AccessPoint, ied: Ied, remarks: list[Remark]
) -> Iterator[tuple[ReportControl, ControlBlock]]:
    """Yield one report control per data set, buffered before unbuffered, and its instance."""
    taken = set()
    sets = {one.name for one in server.data_sets() if one.members}
    for control in sorted(server.reports(), key=lambda one: not one.buffered):
        if control.data_set not in sets or control.data_set in taken:
            continue
        taken.add(control.data_set)
        yield control, free_instance(control, remarks)
    for name in sorted(sets - taken):
        text = f"IED {quoted(ied.name)}: no report sends data set {quoted(str(name))}"
        remarks.append(Remark(f"{text}; its points are polled"))


def free_instance(control: ReportControl, remarks: list[Remark]) -> ControlBlock:
    """Return the first instance that the file means for no other client, else the last."""
    free = control.instances[len(control.clients) :]
    if free:
        return free[0]
    last = control.instances[-1]
    client = control.clients[len(control.instances) - 1]
    text = f"every instance of `{last}` is meant for a client; the last, of {quoted(client)},"
    remarks.append(Remark(f"{text} was taken: choose one in the device entry", control.line))
    return last


def entry_of(control: ReportControl, rcb: ControlBlock) -> dict[str, Any]:
    """Return one entry of ``reports``."""
    return {"rcb": str(rcb), "data_set": str(control.data_set), "conf_rev": control.conf_rev}

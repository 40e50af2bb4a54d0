"""`otgate import dnp3-profile`: the device profile of an outstation, as XML.

Format: IEEE Std 1815-2012, §14.8, and the schemas of the DNP Users Group, 2.07 to 2.12, which
differ in their namespaces alone as far as points go.
"""

from argparse import ArgumentParser, Namespace
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from otgate.foreign.markup import Form, Node, parse
from otgate.foreign.names import Ids, prose, quoted
from otgate.foreign.text import ForeignRefused, read_bytes
from otgate.importer import Imported, ImportedDevice, Remark
from otgate.model import NO_STATES, Point
from otgate_dnp3.address import HIGHEST_INDEX, SPELLED, Address
from otgate_dnp3.endpoint import PORT
from otgate_dnp3.found import KINDS, STATES
from otgate_dnp3.stack.link import LAST_ADDRESS
from otgate_dnp3.stack.points import PointType

DESCRIPTION = """\
Read the XML device profile of an outstation (DNP3DeviceProfileDocument, any schema from 2.07 to
2.12): its points become a point map, its address and port the device entry. What a profile says
of commands, and the outstation's own deadbands, is not carried over.

  otgate import dnp3-profile rtu.xml --url tcp://10.0.0.9 --output config/sub7 --site sub7
"""
ROOT = "DNP3DeviceProfileDocument"
PROFILE = Form(
    "a DNP3 device profile",
    ROOT,
    passed_over=frozenset({"implementationTable", "userData", "revisionHistory", "capabilities"}),
    most_elements=200_000,
)
LISTS: Mapping[str, tuple[str, PointType]] = {
    "binaryInputPoints": ("binaryInput", PointType.BINARY_INPUT),
    "doubleBitInputPoints": ("doubleBitInput", PointType.DOUBLE_BIT_INPUT),
    "binaryOutputPoints": ("binaryOutput", PointType.BINARY_OUTPUT),
    "counterPoints": ("counter", PointType.COUNTER),
    "analogInputPoints": ("analogInput", PointType.ANALOG_INPUT),
    "analogOutputPoints": ("analogOutput", PointType.ANALOG_OUTPUT),
    "octetStringPoints": ("octetString", PointType.OCTET_STRING),
}
CLASSES = {"one": 1, "two": 2, "three": 3}
MASTER = 1
MOST_REMARKS = 1000


class Dnp3ProfileImporter:
    """The importer of device profiles; see `otgate.importer.Importer`."""

    summary = "an XML device profile of a DNP3 outstation"
    description = DESCRIPTION

    def arguments(self, parser: ArgumentParser) -> None:
        """Add the arguments of `otgate import dnp3-profile`."""
        parser.add_argument("file", metavar="FILE", type=Path, help="the profile")
        parser.add_argument("--url", help="where the outstation is; else as the profile says")
        parser.add_argument("--outstation", type=int, metavar="N", help="its link address")
        parser.add_argument("--master", type=int, metavar="N", help="ours (default: 1)")

    def read(self, options: Namespace) -> Imported:
        """Read the file.

        Raises:
            Refused: it is no profile, or an address is none.
        """
        remarks: list[Remark] = []
        root = parse(
            read_bytes(options.file),
            str(options.file),
            PROFILE,
            lambda line, text: remarks.append(Remark(text, line)),
        )
        reading = Profile(root, remarks)
        device = reading.device(options)
        return Imported([] if device is None else [device], reading.remarks)


@dataclass(frozen=True, slots=True)
class Listed:
    """A point as the profile lists it."""

    node: Node
    address: Address
    name: str
    event_class: str


class Profile:
    """One device profile."""

    def __init__(self, root: Node, remarks: list[Remark]) -> None:
        self.root = root
        self.remarks = remarks
        self.left_out: Counter[str] = Counter()
        self.config = root.at("referenceDevice", "configuration") or Node("", {}, 0)

    def say(self, text: str, line: int = 0) -> None:
        """Add a remark, as far as anybody would read them."""
        if len(self.remarks) < MOST_REMARKS:
            self.remarks.append(Remark(text, line))

    def current(self, *tags: str) -> str:
        """Return the current value of a parameter, empty where the profile gives none."""
        return self.config.said(*tags, "currentValue", "value")

    def device(self, options: Namespace) -> ImportedDevice | None:
        """Return the outstation, or None where the profile lists no point."""
        ids = Ids()
        points = [self.point(one, ids) for one in self.points()]
        if not points:
            self.say("the profile lists no point (its part 5): nothing to import")
            return None
        if self.config.at("deviceConfig", "deviceFunction", "currentValue", "master"):
            self.say("the profile is of a master; its points are those it asks for")
        name = self.current("deviceConfig", "deviceName") or self.root.said(
            "documentHeader", "documentName"
        )
        return ImportedDevice(
            id=Ids().give(name or options.file.stem),
            driver="dnp3",
            source=f"{options.file.name}: {prose(name) or 'a device without a name'}",
            settings=self.settings(options),
            files={},
            scans={"integrity": 3600.0},
            points=points,
            left_out=dict(self.left_out),
        )

    def points(self) -> Iterator[Listed]:
        """Yield every point that can be read, each type and index once."""
        taken: dict[Address, int] = {}
        lists = self.root.at("referenceDevice", "dataPointsList") or Node("", {}, 0)
        for inner in lists.children:
            if inner.tag not in LISTS:
                self.left_out[f"{inner.tag}: not read by this driver"] += 1
                continue
            tag, point_type = LISTS[inner.tag]
            for node in inner.below("dataPoints", tag):
                for one in self.listed(node, point_type):
                    if one.address not in taken:
                        taken[one.address] = node.line
                        yield one
                        continue
                    self.left_out["an index that stands twice"] += 1
                    text = f"`{one.address}` is listed on line {taken[one.address]} too"
                    self.say(text, node.line)

    def listed(self, node: Node, point_type: PointType) -> Iterator[Listed]:
        """Yield a point, and its frozen counter where it has one."""
        said = node.said("index")
        if not (said.isascii() and said.isdecimal()) or len(said) > 5 or int(said) > HIGHEST_INDEX:
            self.left_out["no index"] += 1
            text = f"{quoted(node.said('name'))} is left out: {quoted(said)} is no index"
            self.say(text, node.line)
            return
        name, index = prose(node.said("name")), int(said)
        counter = point_type is PointType.COUNTER
        event_class = node.said("counterEventClass" if counter else "changeEventClass")
        yield Listed(node, Address(point_type, index), name, event_class)
        if node.said("frozenCounterExists") in {"true", "1"}:
            frozen = f"{name} frozen".strip()
            event_class = node.said("frozenCounterEventClass")
            yield Listed(node, Address(PointType.FROZEN_COUNTER, index), frozen, event_class)

    def point(self, one: Listed, ids: Ids) -> Point:
        """Return a row of the point map."""
        node, point_type = one.node, one.address.point_type
        if node.at("dnpData", "deadband"):
            self.left_out["deadbands, which the outstation itself applies"] += 1
        scale, offset = (self.number(node, tag) for tag in ("scaleFactor", "scaleOffset"))
        return Point(
            id=ids.give(one.name or f"{SPELLED[point_type]}_{one.address.index}"),
            kind=KINDS[point_type],
            address=str(one.address),
            name=one.name,
            description=described(one),
            unit=prose(node.said("units"))[:16],
            scale=1.0 if scale is None else scale,
            offset=offset or 0.0,
            states=states_of(node) or STATES.get(point_type, NO_STATES),
        )

    def number(self, node: Node, tag: str) -> float | None:
        """Return a number of a point, or None."""
        said = node.said(tag)
        try:
            number = float(said)
        except ValueError:
            number = float("nan")
        if isfinite(number):
            return number
        if said:
            self.say(f"{tag} {quoted(said)} is no number: left out", node.line)
        return None

    def settings(self, options: Namespace) -> dict[str, Any]:
        """Return the driver's block."""
        said = self.current("linkConfig", "dataLinkAddress")
        outstation = options.outstation if options.outstation is not None else address(said)
        if outstation is None:
            self.say("the profile gives no link address, 10 was written: --outstation")
            outstation = 10
        said = self.current("linkConfig", "expectedSourceAddress")
        master = options.master if options.master is not None else address(said)
        master = MASTER if master is None else master
        if not 0 <= outstation <= LAST_ADDRESS or not 0 <= master <= LAST_ADDRESS:
            raise ForeignRefused(str(options.file), f"addresses run from 0 to {LAST_ADDRESS}")
        if master == outstation:
            master = MASTER + (outstation == MASTER)
            self.say(f"master and outstation have one address; ours was made {master}")
        block: dict[str, Any] = {"url": options.url or self.url()}
        block |= {"outstation": outstation, "master": master}
        if self.config.at(
            "unsolicitedConfig", "supportsUnsolicitedReporting", "currentValue", "off"
        ):
            block["unsolicited"] = "off"
        return block

    def url(self) -> str:
        """Return where the profile says that the outstation listens."""
        network = self.config.at("networkConfig") or Node("", {}, 0)
        host = network.said("ipAddress", "currentValue", "address")
        port = network.said("tcpListenPort", "currentValue", "value")
        if not host.replace(".", "").isdecimal():
            self.say("the profile gives no IP address: replace HOST in the url, or give --url")
            host = "HOST"
        usable = port.isdecimal() and len(port) < 6 and 0 < int(port) < 65536
        return f"tcp://{host}:{port if usable else PORT}"


def address(said: str) -> int | None:
    """Return a link address, or None."""
    return int(said) if said.isascii() and said.isdecimal() and len(said) < 6 else None


def described(one: Listed) -> str:
    """Return the profile's description, and the event class."""
    said = prose(one.node.said("description"))
    number = CLASSES.get(one.event_class.lower())
    return ", ".join(filter(None, (said, f"class {number}" if number else "")))


def states_of(node: Node) -> dict[int, str]:
    """Return the names of a point's states, where each has another."""
    names = {code: prose(node.said(f"nameState{code}")) for code in range(4)}
    found = {code: name.replace("|", "/") for code, name in names.items() if name}
    return found if len(set(found.values())) == len(found) else {}

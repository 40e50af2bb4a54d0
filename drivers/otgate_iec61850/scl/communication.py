"""The Communication section: where the access points of IEDs listen."""

import re
from collections.abc import Iterable

from otgate.foreign.names import quoted
from otgate_iec61850.scl.model import Address
from otgate_iec61850.scl.notes import Notes
from otgate_iec61850.scl.tree import Node

MMS_PORT = 102
"""ISO transport over TCP: RFC 1006."""

MAX_SELECTOR = 16
"""Octets of the longest selector (transport: 32 bits in IEC 61850-8-1, ISO allows more)."""

ARCS = re.compile(r"[0-9]{1,9}([,. ]+[0-9]{1,9}){1,15}")
HEX = re.compile(r"([0-9A-Fa-f]{2})+")


class Addresses:
    """The addresses of a file, by IED and access point."""

    def __init__(self, root: Node, notes: Notes) -> None:
        self.notes = notes
        self.known: dict[tuple[str, str], Address] = {}
        for section in root.all("Communication"):
            for network in section.all("SubNetwork"):
                for point in network.all("ConnectedAP"):
                    self.read(point, network)

    def of(self, ied: str, point: Node) -> Address | None:
        """Return the address of an access point, if the file has it."""
        return self.known.get((ied, point.get("name")))

    def read(self, point: Node, network: Node) -> None:
        """Keep one ConnectedAP; the first one with a host counts."""
        key = (point.get("iedName"), point.get("apName"))
        known = self.known.get(key)
        if known is None or not known.host:
            self.known[key] = self.address(point.all("Address"), network.get("name"))

    def address(self, sections: Iterable[Node], network: str) -> Address:
        """Resolve the P elements of an Address."""
        said = {p.get("type"): p for one in sections for p in one.all("P") if p.text.strip()}
        port = self.number(said.get("MMS-Port"))
        return Address(
            host=said["IP"].text.strip() if "IP" in said else self.ipv6(said.get("IPv6")),
            port=port if port is not None and 0 < port < 65536 else MMS_PORT,
            ap_title=self.title(said.get("OSI-AP-Title")),
            ae_qualifier=self.number(said.get("OSI-AE-Qualifier")),
            p_selector=self.selector(said.get("OSI-PSEL")),
            s_selector=self.selector(said.get("OSI-SSEL")),
            t_selector=self.selector(said.get("OSI-TSEL")),
            subnetwork=network,
        )

    @staticmethod
    def ipv6(p: Node | None) -> str:
        """Return an IPv6 address, nothing where there is none."""
        return "" if p is None else p.text.strip()

    def title(self, p: Node | None) -> tuple[int, ...] | None:
        """Read an object identifier written with commas, points or spaces."""
        if p is None:
            return None
        if not ARCS.fullmatch(p.text.strip()):
            self.notes.say(p.line, f"AP-title {quoted(p.text)} is no object identifier; left out")
            return None
        return tuple(int(arc) for arc in re.split("[,. ]+", p.text.strip()))

    def number(self, p: Node | None) -> int | None:
        """Read a whole number."""
        if p is None:
            return None
        text = p.text.strip()
        if not (text.isdecimal() and text.isascii() and len(text) < 10):
            self.notes.say(p.line, f"{p.get('type')} {quoted(text)} is no number; left out")
            return None
        return int(text)

    def selector(self, p: Node | None) -> bytes | None:
        """Read a selector, whose octets are written in hexadecimal."""
        if p is None:
            return None
        text = p.text.strip()
        if not HEX.fullmatch(text) or len(text) > 2 * MAX_SELECTOR:
            self.notes.say(p.line, f"{p.get('type')} {quoted(text)} is not hexadecimal; left out")
            return None
        return bytes.fromhex(text)

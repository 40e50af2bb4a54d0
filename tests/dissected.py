"""Frames as tshark sees them: a capture file, and what its DNP3 dissector says of it."""

import shutil
import struct
import subprocess
from collections.abc import Iterable
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

RAW_IP = 101
"""Link type of a capture whose packets begin with their IP header."""

OUTSTATION_PORT = 20_000


def packet(payload: bytes, sequence: int, *, from_master: bool) -> bytes:
    """One IPv4 packet of one TCP segment, checksums left out."""
    ports = (40_000, OUTSTATION_PORT) if from_master else (OUTSTATION_PORT, 40_000)
    hosts = (b"\x0a\0\0\x01", b"\x0a\0\0\x02")
    source, destination = hosts if from_master else reversed(hosts)
    tcp = struct.pack(">HHIIBBHHH", *ports, sequence, 1, 0x50, 0x18, 65535, 0, 0) + payload
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(tcp), 1, 0, 64, 6, 0)
    return head + source + destination + tcp


def capture(path: Path, frames: Iterable[tuple[bool, bytes]]) -> None:
    """Write ``(from_master, octets)`` as a capture file, a packet each."""
    sequences = {True: 1, False: 1}
    with path.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, RAW_IP))
        for at, (from_master, octets) in enumerate(frames):
            data = packet(octets, sequences[from_master], from_master=from_master)
            sequences[from_master] += len(octets)
            file.write(struct.pack("<IIII", 1_700_000_000 + at, 0, len(data), len(data)) + data)


def dissected(path: Path) -> list[ET.Element]:
    """Return what each packet is, or skip where there is no tshark."""
    tshark = shutil.which("tshark")
    if tshark is None:
        pytest.skip("tshark is not installed: apt-get install tshark")
    said = subprocess.run(
        [tshark, "-r", str(path), "-T", "pdml"], check=True, capture_output=True, timeout=60
    )
    return ET.fromstring(said.stdout).findall("packet")


def shown(packet: ET.Element, field: str) -> list[str]:
    """Return how each field of that name is shown."""
    return [each.get("showname", "") for each in packet.iter("field") if each.get("name") == field]


def unknown(packet: ET.Element) -> bool:
    """Tell whether the dissector does not know an object in it, and so cannot judge it."""
    words = [each.get("showname", "") + each.get("show", "") for each in packet.iter("field")]
    return any("Unknown Object" in each or "Unknown Data Chunk" in each for each in words)


def complaints(packet: ET.Element) -> list[str]:
    """Return what the dissector finds wrong with a packet's DNP3."""
    protocols = {each.get("name", "") for each in packet.iter("proto")}
    found = sorted(protocols & {"_ws.malformed"})
    if "dnp3" not in protocols:
        found.append("no DNP3 in it")
    names = [each.get("showname", "") for each in packet.iter("field")]
    return found + [each for each in names if "incorrect" in each.lower()]

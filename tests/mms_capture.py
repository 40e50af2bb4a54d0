"""An MMS session as tshark sees it: a capture file, and what its dissector says of it."""

import shutil
import struct
import subprocess
from collections.abc import Iterable
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

RAW_IP = 101
"""Link type of a capture whose packets begin with their IP header."""

SERVER_PORT = 102
LARGEST = 1400


def packet(payload: bytes, sequence: int, *, from_client: bool) -> bytes:
    """One IPv4 packet of one TCP segment, checksums left out."""
    ports = (40_000, SERVER_PORT) if from_client else (SERVER_PORT, 40_000)
    hosts = (b"\x0a\0\0\x01", b"\x0a\0\0\x02")
    source, destination = hosts if from_client else reversed(hosts)
    tcp = struct.pack(">HHIIBBHHH", *ports, sequence, 1, 0x50, 0x18, 65535, 0, 0) + payload
    head = struct.pack(">BBHHHBBH", 0x45, 0, 20 + len(tcp), 1, 0, 64, 6, 0)
    return head + source + destination + tcp


def capture(path: Path, said: Iterable[tuple[bool, bytes]]) -> None:
    """Write ``(from_client, octets)`` as a capture file."""
    sequences = {True: 1, False: 1}
    with path.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, RAW_IP))
        for at, (from_client, octets) in enumerate(said):
            for first in range(0, len(octets), LARGEST):
                part = octets[first : first + LARGEST]
                data = packet(part, sequences[from_client], from_client=from_client)
                sequences[from_client] += len(part)
                file.write(struct.pack("<IIII", 1_700_000_000 + at, 0, len(data), len(data)))
                file.write(data)


def dissected(path: Path) -> list[ET.Element]:
    """Return what each packet is, or skip where there is no tshark."""
    tshark = shutil.which("tshark")
    if tshark is None:
        pytest.skip("tshark is not installed: apt-get install tshark")
    said = subprocess.run(
        [tshark, "-r", str(path), "-T", "pdml"], check=True, capture_output=True, timeout=60
    )
    return ET.fromstring(said.stdout).findall("packet")


def protocols(packet: ET.Element) -> set[str]:
    """Return the names of a packet's layers."""
    return {each.get("name", "") for each in packet.iter("proto")}


def complaints(packets: Iterable[ET.Element]) -> list[str]:
    """Return what the dissector finds wrong, by packet."""
    found = []
    for at, each in enumerate(packets, 1):
        words = [each_.get("showname", "") for each_ in each.iter("field")]
        bad = [word for word in words if "BER Error" in word or "Malformed" in word]
        if "_ws.malformed" in protocols(each):
            bad.append("malformed")
        found += [f"{at}: {word}" for word in bad]
    return found


def names(packets: Iterable[ET.Element]) -> set[str]:
    """Return the names of all fields."""
    return {field.get("name", "") for each in packets for field in each.iter("field")}

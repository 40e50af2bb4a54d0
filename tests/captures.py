"""What two ends said to each other as a capture file, and what tshark makes of it."""

import shutil
import struct
import subprocess
from collections.abc import Iterable
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

RAW_IP = 101
"""Link type of a capture whose packets begin with their IP header."""

CLIENT_PORT = 40_000
CLIENT, SERVER = b"\x0a\0\0\x01", b"\x0a\0\0\x02"
LARGEST = 8000
"""Octets in one packet."""

Said = Iterable[tuple[bool, bytes]]
"""Whether the client said it, and the octets."""


def capture(path: Path, said: Said, port: int) -> None:
    """Write a connection to ``port`` as TCP segments whose numbers run on."""
    sent = {True: 1, False: 1}
    out = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, RAW_IP)]
    for at, (from_client, octets) in enumerate(said):
        for first in range(0, len(octets), LARGEST):
            part = octets[first : first + LARGEST]
            packet = _packet(part, port, sent[from_client], sent[not from_client], from_client)
            sent[from_client] += len(part)
            out.append(struct.pack("<IIII", 1_700_000_000 + at, 0, len(packet), len(packet)))
            out.append(packet)
    path.write_bytes(b"".join(out))


def _packet(
    payload: bytes,
    port: int,
    number: int,
    acknowledged: int,
    from_client: bool,  # noqa: FBT001
) -> bytes:
    """Return one IPv4 packet of one TCP segment, checksums left out."""
    ports = (CLIENT_PORT, port) if from_client else (port, CLIENT_PORT)
    hosts = (CLIENT, SERVER) if from_client else (SERVER, CLIENT)
    tcp = struct.pack(">HHIIBBHHH", *ports, number, acknowledged, 0x50, 0x18, 65535, 0, 0)
    size = 20 + len(tcp) + len(payload)
    return struct.pack(">BBHHHBBH4s4s", 0x45, 0, size, 1, 0, 64, 6, 0, *hosts) + tcp + payload


def tshark(path: Path, *arguments: str) -> bytes:
    """Return what tshark prints about a capture, or skip the test where there is none."""
    program = shutil.which("tshark")
    if program is None:
        pytest.skip("tshark is not installed; `make setup` installs it where it is root")
    done = subprocess.run(
        [program, "-r", str(path), *arguments], check=True, capture_output=True, timeout=60
    )
    return done.stdout


def dissected(path: Path, *arguments: str) -> list[ET.Element]:
    """Return what each packet is."""
    return ET.fromstring(tshark(path, *arguments, "-T", "pdml")).findall("packet")


def fields(path: Path, *names: str, only: str, arguments: Iterable[str] = ()) -> list[list[str]]:
    """Return fields of each packet that tshark's filter lets through."""
    asked = [part for name in names for part in ("-e", name)]
    said = tshark(path, *arguments, "-Y", only, "-T", "fields", *asked)
    return [line.split("\t") for line in said.decode().splitlines()]


def protocols(packet: ET.Element) -> set[str]:
    """Return the names of a packet's layers."""
    return {each.get("name", "") for each in packet.iter("proto")}


def shown(packet: ET.Element, field: str) -> list[str]:
    """Return how each field of that name is shown."""
    return [each.get("showname", "") for each in packet.iter("field") if each.get("name") == field]

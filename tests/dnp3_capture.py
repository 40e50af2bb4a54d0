"""A recorded DNP3 session as a capture file, and what tshark says of it."""

import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from otgate_sim.dnp3.server import Way

DNP3_PORT = 20_000
MASTER_PORT = 40_000
ETHERNET = bytes(12) + b"\x08\x00"

Recording = list[tuple[Way, bytes]]


def capture(path: Path, recording: Recording) -> None:
    """Write what went over one connection as TCP segments with numbers that run on."""
    sent = dict.fromkeys(Way, 1)
    out = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)]
    for number, (way, octets) in enumerate(recording):
        other = Way.TO_MASTER if way is Way.FROM_MASTER else Way.FROM_MASTER
        packet = _packet(way, sent[way], sent[other], octets)
        sent[way] += len(octets)
        out.append(struct.pack("<IIII", number // 1000, number % 1000, len(packet), len(packet)))
        out.append(packet)
    path.write_bytes(b"".join(out))


def _packet(way: Way, number: int, acknowledged: int, octets: bytes) -> bytes:
    ports = (MASTER_PORT, DNP3_PORT) if way is Way.FROM_MASTER else (DNP3_PORT, MASTER_PORT)
    hosts = (b"\x0a\0\0\x01", b"\x0a\0\0\x0a")
    source, target = hosts if way is Way.FROM_MASTER else hosts[::-1]
    tcp = struct.pack(">HHIIBBHHH", *ports, number, acknowledged, 5 << 4, 0x18, 65535, 0, 0)
    length = 20 + len(tcp) + len(octets)
    address = struct.pack(">BBHHHBBH4s4s", 0x45, 0, length, 0, 0, 64, 6, 0, source, target)
    return ETHERNET + address + tcp + octets


def dissected(path: Path, *fields: str, only: str = "dnp3") -> list[list[str]]:
    """Return fields of each packet that tshark's filter lets through.

    Skips the test where tshark is not installed.
    """
    tshark = shutil.which("tshark")
    if tshark is None:
        pytest.skip("tshark is not installed; `make setup` installs it where it is root")
    asked = [part for field in fields for part in ("-e", field)]
    done = subprocess.run(
        [tshark, "-r", str(path), "-Y", only, "-T", "fields", *asked],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return [line.split("\t") for line in done.stdout.splitlines()]


MALFORMED = (
    "_ws.malformed || _ws.expert.severity >= 6291456 || dnp3.hdr.CRC.incorrect"
    " || dnp3.data_chunk.CRC.incorrect || dnp3.al.unknown_data_chunk"
    " || (tcp.len > 0 && !dnp3)"
)
"""Malformed, a warning or worse of the dissector, a wrong CRC, or octets in no frame."""

"""What tshark's DNP3 dissector finds wrong."""

from xml.etree import ElementTree as ET

from captures import protocols

DNP3_PORT = 20_000
MALFORMED = (
    "_ws.malformed || _ws.expert.severity >= 6291456 || dnp3.hdr.CRC.incorrect"
    " || dnp3.data_chunk.CRC.incorrect || dnp3.al.unknown_data_chunk"
    " || (tcp.len > 0 && !dnp3)"
)
"""Malformed, a warning or worse of the dissector, a wrong CRC, or octets in no frame."""


def unknown(packet: ET.Element) -> bool:
    """Tell whether the dissector does not know an object in it, and so cannot judge it."""
    words = [each.get("showname", "") + each.get("show", "") for each in packet.iter("field")]
    return any("Unknown Object" in each or "Unknown Data Chunk" in each for each in words)


def complaints(packet: ET.Element) -> list[str]:
    """Return what the dissector finds wrong with a packet's DNP3."""
    layers = protocols(packet)
    found = sorted(layers & {"_ws.malformed"})
    if "dnp3" not in layers:
        found.append("no DNP3 in it")
    names = [each.get("showname", "") for each in packet.iter("field")]
    return found + [each for each in names if "incorrect" in each.lower()]

"""What tshark's MMS dissector finds wrong."""

from collections.abc import Iterable
from xml.etree import ElementTree as ET

from captures import protocols

MMS_PORT = 102


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

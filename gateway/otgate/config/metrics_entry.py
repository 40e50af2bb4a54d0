"""The form of ``metrics:`` in site and bus files: where else metrics are read."""

import re
from ipaddress import ip_address
from typing import Annotated

from pydantic import AfterValidator, Field

from otgate.config.forms import Entry, wrong

ADDRESS = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+):(?P<port>[0-9]{1,5})")
HELP = "write `127.0.0.1:9464`, or the address of the management interface"


def listen_address(given: str) -> str:
    """Accept an address and a port of this machine, but not every address that it has."""
    if not given:
        return given
    match = ADDRESS.fullmatch(given)
    if match is None or not 0 < int(match["port"]) <= 65535:
        raise wrong("wrong-value", f"`{given}` is not an address and a port", HELP)
    if is_every_address(match["host"]):
        message = f"`{given}` is every address of the machine, the field's too"
        raise wrong("wrong-value", message, HELP)
    return given


def is_every_address(host: str) -> bool:
    """Tell whether a host stands for whatever addresses there are."""
    try:
        return ip_address(host.strip("[]")).is_unspecified
    except ValueError:
        return host.isdecimal()  # `0` is 0.0.0.0 to the C library


class MetricsEntry(Entry):
    """Where metrics and health are read besides the unix socket `run/SIDE.metrics.sock`."""

    listen: Annotated[str, AfterValidator(listen_address), Field(examples=["127.0.0.1:9464"])] = ""
    """Loopback or management address, and port."""

"""The ``iec61850`` block of a device entry."""

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from otgate_iec61850.address import BadReference, read_control_block, read_data_set

MMS_PORT = 102
"""ISO transport over TCP: RFC 1006."""

HEX = re.compile(r"([0-9A-Fa-f]{2}){0,16}")
ARCS = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9}){1,15}")


def endpoint(url: str) -> tuple[str, int]:
    """Split ``mms://host[:port]``.

    Raises:
        ValueError: it is something else; the message says what to write.
    """
    parts = urlsplit(url)
    if parts.scheme != "mms" or not parts.hostname:
        raise ValueError(f"`{url}` is no MMS endpoint; write mms://host or mms://host:port")
    if parts.path or parts.query or parts.fragment or parts.username is not None:
        raise ValueError(f"`{url}` says more than mms://host:port")
    try:
        port = MMS_PORT if parts.port is None else parts.port
    except ValueError:
        port = 0
    if not port:
        raise ValueError(f"the port of `{url}` is not a number from 1 to 65535")
    return parts.hostname, port


def _endpoint(url: str) -> str:
    endpoint(url)
    return url


def _selector(text: str) -> str:
    if not HEX.fullmatch(text):
        raise ValueError(
            f"`{text}` is no selector; write up to 16 octets in hexadecimal, e.g. 0001"
        )
    return text


def _title(text: str) -> str:
    if not ARCS.fullmatch(text):
        raise ValueError(f"`{text}` is no AP-title; write an object identifier, e.g. 1.3.9999.23")
    return text


def _control_block(text: str) -> str:
    try:
        read_control_block(text)
    except BadReference as bad:
        raise ValueError(f"{bad.message}; {bad.help}") from None
    return text


def _data_set(text: str) -> str:
    try:
        read_data_set(text)
    except BadReference as bad:
        raise ValueError(f"{bad.message}; {bad.help}") from None
    return text


Selector = Annotated[str, AfterValidator(_selector)]


class Entry(BaseModel):
    """Part of the block; unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Called(Entry):
    """How the server is addressed within the association, where it asks for that."""

    ap_title: Annotated[str, AfterValidator(_title)] | None = None
    """AP-title, an object identifier with points."""
    ae_qualifier: Annotated[int, Field(ge=0, lt=1 << 31)] | None = None
    """AE-qualifier."""
    p_selector: Selector | None = None
    """Presentation selector, octets in hexadecimal."""
    s_selector: Selector | None = None
    """Session selector."""
    t_selector: Selector | None = None
    """Transport selector."""


class Report(Entry):
    """One instance of a report control block that this gateway enables."""

    rcb: Annotated[str, AfterValidator(_control_block)]
    """The instance, e.g. `IED1LD0/LLN0.BR.brcb01`; no other client may use it."""
    data_set: Annotated[str, AfterValidator(_data_set)] | None = None
    """The data set that it is expected to report."""
    conf_rev: Annotated[int, Field(ge=0, lt=1 << 32)] | None = None
    """The configuration revision that is expected; another one is an alarm."""


class Settings(Entry):
    """How one IEC 61850 server is reached and which reports are taken from it."""

    url: Annotated[str, AfterValidator(_endpoint)]
    """Endpoint, `mms://host` or `mms://host:port`; port 102 where none is given."""
    called: Called = Called()
    """Selectors and titles of the server."""
    reports: tuple[Report, ...] = ()
    """Report control blocks to enable; what none of them covers is polled."""
    scl: str | None = None
    """SCL file that `otgate check` compares the points with."""
    ied: str | None = None
    """Name of the IED in that file, where it has several."""
    access_point: str | None = None
    """Name of its access point, where it has several."""

"""The ``iec61850`` block of a device entry."""

import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationInfo,
    model_validator,
)

from otgate.endpoint.settings import TLS_EXAMPLE, File, Tls, read_block
from otgate.endpoint.url import port_of
from otgate_iec61850.address import BadReference, read_control_block, read_data_set

MMS_PORT, MMSS_PORT = 102, 3782
"""ISO transport over TCP: RFC 1006; its secure variant: IEC 62351-3."""

HEX = re.compile(r"([0-9A-Fa-f]{2}){0,16}")
ARCS = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9}){1,15}")


def endpoint(url: str) -> tuple[str, int]:
    """Split ``mms://host[:port]``, or ``mmss://`` for TLS.

    Raises:
        ValueError: it is something else; the message says what to write.
    """
    parts = urlsplit(url)
    if parts.scheme not in {"mms", "mmss"} or not parts.hostname:
        raise ValueError(f"`{url}` is no MMS endpoint; write mms://host or mms://host:port")
    if parts.path or parts.query or parts.fragment or parts.username is not None:
        raise ValueError(f"`{url}` says more than mms://host:port")
    usual = MMSS_PORT if parts.scheme == "mmss" else MMS_PORT
    return parts.hostname, port_of(url, parts, usual)


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


def _from_site(path: str, info: ValidationInfo) -> str:
    """Take a relative path from the directory of the site file, where that is known."""
    directory = (info.context or {}).get("directory")
    return path if directory is None else str(Path(directory) / path)


Selector = Annotated[str, AfterValidator(_selector)]
Url = Annotated[str, AfterValidator(_endpoint)]


class Entry(BaseModel):
    """Part of the block; unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class Called(Entry):
    """How the server is addressed within the association, where it asks for that."""

    ap_title: Annotated[
        Annotated[str, AfterValidator(_title)] | None, Field(examples=["1.3.9999.23"])
    ] = None
    """AP-title, an object identifier with points."""
    ae_qualifier: Annotated[
        Annotated[int, Field(ge=0, lt=1 << 31)] | None, Field(examples=[12])
    ] = None
    """AE-qualifier."""
    p_selector: Annotated[Selector | None, Field(examples=["00000001"])] = None
    """Presentation selector, octets in hexadecimal."""
    s_selector: Annotated[Selector | None, Field(examples=["0001"])] = None
    """Session selector."""
    t_selector: Annotated[Selector | None, Field(examples=["0001"])] = None
    """Transport selector."""


class Report(Entry):
    """One instance of a report control block that this gateway enables."""

    rcb: Annotated[str, AfterValidator(_control_block), Field(examples=["IED1LD0/LLN0.BR.brcb01"])]
    """The instance; no other client may use it."""
    data_set: Annotated[
        Annotated[str, AfterValidator(_data_set)] | None, Field(examples=["IED1LD0/LLN0.Events"])
    ] = None
    """The data set that it is expected to report."""
    conf_rev: Annotated[Annotated[int, Field(ge=0, lt=1 << 32)] | None, Field(examples=[1])] = None
    """The configuration revision that is expected; another one is an alarm."""
    instance: Literal["configured", "free"] = "configured"
    """`free` takes another instance of the block, where nobody has one, if this one is taken."""


class Settings(Entry):
    """How one IEC 61850 server is reached and which reports are taken from it."""

    url: Annotated[Url, Field(examples=["mms://10.0.0.7"])]
    """Endpoint, `mms://host[:port]`, port 102; `mmss://` for TLS, port 3782."""
    backup: Annotated[Url | None, Field(examples=["mms://10.0.1.7"])] = None
    """Where to connect when `url` is not to be had."""
    tls: Annotated[Tls | None, Field(examples=[TLS_EXAMPLE])] = None
    """Certificates for mmss."""
    called: Called = Called()
    """Selectors and titles of the server."""
    password_file: Annotated[File | None, Field(examples=["/etc/otgate/credentials/ied1"])] = None
    """File with the password of the association, where the server asks for one."""
    timeout_s: Annotated[float, Field(gt=0, le=120)] = 5.0
    """How long each response is waited for."""
    keep_alive_s: Annotated[float, Field(ge=0.1, le=3600)] = 3.0
    """Silence after which the server is asked who it is; silent as long again, it is gone."""
    integrity_s: Annotated[
        Annotated[float, Field(ge=0, le=604_800)] | None, Field(examples=[60])
    ] = None
    """Integrity period written to the reports; as they have it where none is given."""
    reports: Annotated[
        tuple[Report, ...], Field(examples=[[{"rcb": "IED1LD0/LLN0.BR.brcb01"}]])
    ] = ()
    """Report control blocks to enable; what none of them covers is polled."""
    scl: Annotated[
        Annotated[str, AfterValidator(_from_site)] | None, Field(examples=["scl/bay.cid"])
    ] = None
    """SCL file that `otgate check` compares the points with, relative to the site file."""
    ied: Annotated[str | None, Field(examples=["IED1"])] = None
    """Name of the IED in that file, where it has several."""
    access_point: Annotated[str | None, Field(examples=["AP1"])] = None
    """Name of its access point, where it has several."""

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        secure = any(url.startswith("mmss:") for url in self.urls)
        if secure != (self.tls is not None):
            raise ValueError("`tls` goes with mmss://, and mmss:// needs `tls`")
        return self

    @property
    def urls(self) -> list[str]:
        """Where the server may be, in the order of trying."""
        return [self.url] if self.backup is None else [self.url, self.backup]


def settings_of(given: Any) -> Settings:
    """Return a device's settings, reading them where they are still a plain mapping.

    Raises:
        Mistakes: what is wrong, each with its key below ``iec61850``.
    """
    return read_block(Settings, "iec61850", given)

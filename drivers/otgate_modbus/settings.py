"""The ``modbus`` block of a device entry."""

from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from otgate.errors import Mistake, Mistakes

TCP_PORT = 502
"""The registered port: Messaging on TCP/IP Implementation Guide V1.0b, §3.1.3."""

SCHEMES = ("tcp",)
"""Links that this release opens; serial, TLS and UDP get schemes of their own."""


def endpoint(url: str) -> tuple[str, int]:
    """Split ``tcp://host[:port]``.

    Raises:
        ValueError: it is something else; the message says what to write.
    """
    parts = urlsplit(url)
    if parts.scheme not in SCHEMES:
        raise ValueError(f"`{url}` is no Modbus endpoint; write tcp://host or tcp://host:port")
    if not parts.hostname:
        raise ValueError(f"`{url}` names no host; write tcp://host or tcp://host:port")
    if parts.path or parts.query or parts.fragment or parts.username is not None:
        raise ValueError(f"`{url}` says more than tcp://host:port; the unit id is `modbus.unit`")
    try:
        port = TCP_PORT if parts.port is None else parts.port
    except ValueError:
        raise ValueError(f"the port of `{url}` is not a number from 1 to 65535") from None
    if not port:
        raise ValueError(f"the port of `{url}` is not a number from 1 to 65535")
    return parts.hostname, port


def _checked(url: str) -> str:
    endpoint(url)
    return url


class Quirks(BaseModel):
    """What some devices need and the standard does not ask for."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    connect_delay_s: Annotated[float, Field(ge=0, le=30)] = 0.0
    """Rest between the connection and the first request."""
    request_gap_s: Annotated[float, Field(ge=0, le=5)] = 0.0
    """Rest between a reply and the next request."""


def _a_model(written: str) -> str:
    model, _, length = written.partition("/")
    if not (model.isdecimal() and length.isdecimal() and 0 < int(length) < 65536 > int(model)):
        raise ValueError(f"`{written}` is no SunSpec model; write its number and length: 103/50")
    return written


class SunSpec(BaseModel):
    """Where a device's SunSpec models lie; `otgate browse` writes it."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    at: Annotated[int, Field(ge=0, le=65531)] = 40000
    """Address of the marker `SunS`, counted from 0."""
    models: Annotated[tuple[Annotated[str, AfterValidator(_a_model)], ...], Field(min_length=1)]
    """Number and length of each model, in their order: ``[1/66, 103/50]``."""


class Settings(BaseModel):
    """How one Modbus server is reached and what it can take."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    url: Annotated[str, AfterValidator(_checked)]
    """Endpoint, `tcp://host` or `tcp://host:port`; devices with the same one share a link."""
    unit: Annotated[int, Field(ge=0, le=255)] = 1
    """Unit identifier of the server behind the endpoint."""
    base: Literal[0, 1, 40001] = 0
    """What the numbers of the point map are: from 0, from 1, or 40001 notation."""
    order: Literal["ABCD", "CDAB", "BADC", "DCBA"] = "ABCD"
    """Order of bytes and words of values wider than a register."""
    timeout_s: Annotated[float, Field(gt=0, le=60)] = 1.0
    """One deadline for all requests of a poll, retry included."""
    reply_delay_s: Annotated[float, Field(gt=0, le=60)] | None = None
    """How long the device takes to answer, for `otgate plan` alone: round trip of a network."""
    gap: Annotated[int, Field(ge=0, le=124)] = 16
    """Unused registers that a request may bridge; sixteen times as many bits."""
    max_registers: Annotated[int, Field(ge=1, le=125)] = 125
    """Registers in one read (Application Protocol V1.1b3, §6.3)."""
    max_bits: Annotated[int, Field(ge=1, le=2000)] = 2000
    """Bits in one read (Application Protocol V1.1b3, §6.1)."""
    pipeline: Literal["auto", 1, 2, 3, 4, 5, 6, 7, 8] = "auto"
    """Requests under way at once; `auto` starts at 1 and proves more on the device itself."""
    readable: tuple[str, ...] = ()
    """Ranges such as ``hr 0-99``; a table that is named is read nowhere else."""
    forbidden: tuple[str, ...] = ()
    """Ranges that no request may touch."""
    quirks: Quirks = Quirks()
    sunspec: SunSpec | None = None
    """SunSpec models that have to be where they were, or the device is not polled."""


def settings_of(given: Any) -> Settings:
    """Return a device's settings, reading them where they are still a plain mapping.

    Raises:
        Mistakes: what is wrong, each with its key below ``modbus``.
    """
    if isinstance(given, Settings):
        return given
    try:
        return Settings.model_validate(given)
    except ValidationError as refused:
        raise Mistakes([_mistake(error) for error in refused.errors()]) from None


def _mistake(error: Any) -> Mistake:
    key = ".".join(("modbus", *(str(part) for part in error["loc"])))
    return Mistake("bad-setting", error["msg"].removeprefix("Value error, "), None, key)

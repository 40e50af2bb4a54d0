"""The ``modbus`` block of a device entry."""

from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    model_validator,
)

from otgate.endpoint.serial import SerialSettings
from otgate.endpoint.settings import TLS_EXAMPLE, Tls, read_block
from otgate_modbus.endpoint import Endpoint, Tcp, endpoint


def _checked(url: str) -> str:
    endpoint(url)
    return url


Url = Annotated[str, AfterValidator(_checked)]


class Quirks(BaseModel):
    """What some devices need and the standard does not ask for."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    connect_delay_s: Annotated[float, Field(ge=0, le=30)] = 0.0
    """Rest between the connection and the first request."""
    request_gap_s: Annotated[float, Field(ge=0, le=5)] = 0.0
    """Rest between a reply and the next request."""
    unit_gap_s: Annotated[float, Field(ge=0, le=5)] = 0.0
    """Rest before a request to another unit of the same link."""
    ignore_transaction: bool = False
    """The device answers under wrong transaction ids."""
    trailing_bytes: bool = False
    """The device sends bytes behind its replies that mean nothing."""
    local_echo: bool = False
    """The adapter of the serial line hears what it sends."""


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
    models: Annotated[
        tuple[Annotated[str, AfterValidator(_a_model)], ...],
        Field(min_length=1, examples=[["1/66", "103/50"]]),
    ]
    """Number and length of each model, in their order."""


class Settings(BaseModel):
    """How one Modbus server is reached and what it can take."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    url: Annotated[Url, Field(examples=["tcp://10.0.0.5:502", "serial:///dev/ttyS1?baud=19200"])]
    """Where it is: tcp://, tcps://, udp://, rtu+tcp:// or serial:///; shared ones are one link."""
    backup: Annotated[Url | None, Field(examples=["tcp://10.0.1.5:502"])] = None
    """Where to connect when `url` is not to be had."""
    tls: Annotated[Tls | None, Field(examples=[TLS_EXAMPLE])] = None
    """Certificates for tcps."""
    unit: Annotated[int, Field(ge=0, le=255)] = 1
    """Unit identifier of the server behind the endpoint."""
    base: Literal[0, 1, 40001] = 0
    """What the numbers of the point map are: from 0, from 1, or 40001 notation."""
    order: Literal["ABCD", "CDAB", "BADC", "DCBA"] = "ABCD"
    """Order of bytes and words of values wider than a register."""
    timeout_s: Annotated[float, Field(gt=0, le=60)] = 1.0
    """One deadline for all requests of a poll, retry included; serial lines add their own time."""
    reply_delay_s: Annotated[
        Annotated[float, Field(gt=0, le=60)] | None, Field(examples=[0.05])
    ] = None
    """How long the device takes to answer, for `otgate plan` alone: round trip of a network."""
    late_reply_s: Annotated[Annotated[float, Field(ge=0, le=60)] | None, Field(examples=[2])] = None
    """Quarantine of a unit after a timeout, where replies have no ids; `timeout_s` if not given."""
    requests_per_s: Annotated[
        Annotated[float, Field(gt=0, le=1000)] | None, Field(examples=[10])
    ] = None
    """Most requests per second that this device is sent."""
    gap: Annotated[int, Field(ge=0, le=124)] = 16
    """Unused registers that a request may bridge; sixteen times as many bits."""
    max_registers: Annotated[int, Field(ge=1, le=125)] = 125
    """Registers in one read (Application Protocol V1.1b3, §6.3)."""
    max_bits: Annotated[int, Field(ge=1, le=2000)] = 2000
    """Bits in one read (Application Protocol V1.1b3, §6.1)."""
    pipeline: Literal["auto", 1, 2, 3, 4, 5, 6, 7, 8] = "auto"
    """Requests under way at once; `auto` starts at 1 and proves more on the device itself."""
    readable: Annotated[tuple[str, ...], Field(examples=[["hr 0-99", "ir 0-19"]])] = ()
    """Ranges that may be read; a table that is named is read nowhere else."""
    forbidden: Annotated[tuple[str, ...], Field(examples=[["hr 4000-4099"]])] = ()
    """Ranges that no request may touch."""
    quirks: Quirks = Quirks()
    """What the device needs and the standard does not ask for."""
    identify: bool = False
    """Ask what it is (function 43/14, or SunSpec's common model) and tell when that changes."""
    sunspec: Annotated[SunSpec | None, Field(examples=[{"models": ["1/66", "103/50"]}])] = None
    """SunSpec models that have to be where they were, or the device is not polled."""

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        secure = [place for place in self.places if isinstance(place, Tcp) and place.tls]
        if bool(secure) != (self.tls is not None):
            raise ValueError("`tls` goes with tcps://, and tcps:// needs `tls`")
        if not self.unit and any(isinstance(place, SerialSettings) for place in self.places):
            raise ValueError("unit 0 is all units of a serial line at once, and none answers")
        return self

    @property
    def places(self) -> list[Endpoint]:
        """Where the device may be, in the order of trying."""
        return [endpoint(url) for url in (self.url, self.backup) if url is not None]

    @property
    def late_window_s(self) -> float:
        """How long a unit stays in quarantine after a timeout."""
        return self.timeout_s if self.late_reply_s is None else self.late_reply_s

    @property
    def spacing_s(self) -> float:
        """Rest that keeps the device's requests within their rate."""
        return 1.0 / self.requests_per_s if self.requests_per_s else 0.0


def settings_of(given: Any) -> Settings:
    """Return a device's settings, reading them where they are still a plain mapping.

    Raises:
        Mistakes: what is wrong, each with its key below ``modbus``.
    """
    return read_block(Settings, "modbus", given)

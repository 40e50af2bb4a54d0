"""A device's settings as the site file writes them, under ``dnp3``."""

from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    field_validator,
    model_validator,
)

from otgate.endpoint.settings import TLS_EXAMPLE, Tls, read_block
from otgate_dnp3.endpoint import Tcp, endpoint, listening_endpoint
from otgate_dnp3.stack.link import LAST_ADDRESS

EventClass = Literal[1, 2, 3]
Address = Annotated[int, Field(ge=0, le=LAST_ADDRESS)]
Seconds = Annotated[float, Field(ge=0, le=86_400)]
"""0 is never."""

SLOW_POLL_S, POLL_S = 60.0, 5.0
"""Event polls beside unsolicited reports, and without them."""


def _url(url: str) -> str:
    endpoint(url)
    return url


def _listen(url: str) -> str:
    listening_endpoint(url)
    return url


Url = Annotated[str, AfterValidator(_url)]


class Settings(BaseModel):
    """How one outstation is reached and spoken to."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    url: Annotated[Url | None, Field(examples=["tcp://10.0.0.5:20000"])] = None
    """Where the outstation is: tcp://, tcps://, udp:// or serial:///; shared ones are one link."""
    backup: Annotated[Url | None, Field(examples=["tcp://10.0.1.5:20000"])] = None
    """Where to connect when `url` is not to be had."""
    listen: Annotated[
        Annotated[str, AfterValidator(_listen)] | None, Field(examples=["tcp://0.0.0.0:20000"])
    ] = None
    """Where to wait for an outstation that connects to us, instead of `url`."""
    peers: Annotated[tuple[str, ...], Field(examples=[["10.0.0.5"]])] = ()
    """Addresses that may connect to `listen`; none is any."""
    tls: Annotated[Tls | None, Field(examples=[TLS_EXAMPLE])] = None
    """Certificates for tcps."""
    outstation: Annotated[Address, Field(examples=[10])]
    """The outstation's link address."""
    master: Address = 1
    """Ours, as the outstation knows it."""
    timeout_s: Annotated[float, Field(gt=0, le=120)] = 5.0
    """How long each fragment of a response is waited for."""
    keep_alive_s: Seconds = 60.0
    """Silence after which the link layer is asked for its status; 0 is never."""
    integrity_s: Annotated[float, Field(gt=0, le=604_800)] = 3600.0
    """Period of the integrity poll, where `scans` has no class `integrity`."""
    event_poll_s: Annotated[Seconds | None, Field(examples=[5])] = None
    """Period at which classes 1 to 3 are polled; 5, or 60 beside unsolicited reports."""
    class1_s: Annotated[Seconds | None, Field(examples=[1])] = None
    """Period of class 1, where it is another one."""
    class2_s: Annotated[Seconds | None, Field(examples=[10])] = None
    """Period of class 2, where it is another one."""
    class3_s: Annotated[Seconds | None, Field(examples=[60])] = None
    """Period of class 3, where it is another one."""
    unsolicited: tuple[EventClass, ...] | Literal["off"] = (1, 2, 3)
    """Event classes that the outstation is told to report unasked."""
    time_sync: Literal["off", "lan", "nonlan", "plain"] = "off"
    """How the outstation's clock is set when it asks for that; the SCADA master's duty if off."""

    @field_validator("unsolicited", mode="after")
    @classmethod
    def _once(cls, classes: Any) -> Any:
        return classes if classes == "off" else tuple(sorted(set(classes)))

    @model_validator(mode="after")
    def _agrees(self) -> Self:
        if (self.url is None) == (self.listen is None):
            raise ValueError("write either `url`, or `listen` where the outstation connects to us")
        if self.backup is not None and self.url is None:
            raise ValueError("`backup` goes with `url`")
        if self.peers and self.listen is None:
            raise ValueError("`peers` goes with `listen`")
        if self.master == self.outstation:
            raise ValueError(f"master and outstation cannot both have address {self.master}")
        secure = [where for where in self.places if isinstance(where, Tcp) and where.tls]
        if bool(secure) != (self.tls is not None):
            raise ValueError("`tls` goes with tcps://, and tcps:// needs `tls`")
        return self

    @property
    def places(self) -> list[Any]:
        """Where the outstation may be, in the order of trying."""
        urls = [url for url in (self.url, self.backup) if url is not None]
        found: list[Any] = [endpoint(url) for url in urls]
        return found or [listening_endpoint(self.listen or "")]

    @property
    def classes_unasked(self) -> frozenset[int]:
        """Event classes to be reported unasked."""
        return frozenset() if self.unsolicited == "off" else frozenset(self.unsolicited)

    def class_period_s(self, event_class: int) -> float:
        """Return how often a class is polled; 0 is never."""
        own: float | None = (self.class1_s, self.class2_s, self.class3_s)[event_class - 1]
        if own is not None:
            return own
        if self.event_poll_s is not None:
            return self.event_poll_s
        return SLOW_POLL_S if event_class in self.classes_unasked else POLL_S


def settings_of(given: Any) -> Settings:
    """Return a device's settings, reading them where they are still a plain mapping.

    Raises:
        Mistakes: what is wrong, each with its key below ``dnp3``.
    """
    return read_block(Settings, "dnp3", given)

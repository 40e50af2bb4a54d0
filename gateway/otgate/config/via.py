"""Which of this machine's interfaces and addresses connections leave by, and what cannot be."""

from collections.abc import Iterator
from ipaddress import ip_address
from typing import Annotated, Self

from pydantic import AfterValidator, Field, model_validator

from otgate.config.forms import Entry, wrong
from otgate.driver import Bound, Driver
from otgate.errors import Mistake
from otgate.model import Device
from otgate.via import ANY_WAY, Via

LONGEST_NAME = 15
"""Of an interface: IFNAMSIZ in linux/if.h, less the zero that ends it."""


def an_interface(name: str) -> str:
    """Accept what Linux may name an interface."""
    spaced = any(letter.isspace() or letter in "/:" for letter in name)
    if name in {"", ".", ".."} or spaced or len(name.encode()) > LONGEST_NAME:
        help_ = "`ip -brief link` lists them, e.g. `eth1`"
        raise wrong("wrong-value", f"`{name}` cannot be the name of an interface", help_)
    return name


def an_address(text: str) -> str:
    """Accept an address that one machine may have."""
    try:
        address = ip_address(text)
    except ValueError:
        message = f"`{text}` is no IP address"
        raise wrong("wrong-value", message, "one of this machine's, e.g. `10.1.0.2`") from None
    if address.is_multicast or address.is_unspecified or "%" in text:
        message = f"`{text}` is not the address of one interface"
        help_ = "one of this machine's, e.g. `10.1.0.2`; `interface` names the interface"
        raise wrong("wrong-value", message, help_)
    return str(address)


class ViaEntry(Entry):
    """What of this machine connections leave by, and by nothing else; `{}` is as it routes."""

    interface: Annotated[
        Annotated[str, AfterValidator(an_interface)] | None, Field(examples=["eth1"])
    ] = None
    """The interface."""
    address: Annotated[
        Annotated[str, AfterValidator(an_address)] | None, Field(examples=["10.1.0.2"])
    ] = None
    """The address that they come from; alone it does not choose the interface."""

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.address and ip_address(self.address).is_link_local and not self.interface:
            message = f"`{self.address}` is one of many: each interface has its own network of them"
            raise wrong("wrong-value", message, "say which by `interface`")
        return self

    def via(self) -> Via:
        """Return what it stands for."""
        return Via(self.interface or "", self.address or "")


VIA_EXAMPLE = {"interface": "eth1", "address": "10.1.0.2"}


def unreachable(host: str, via: Via) -> str:
    """Say why a host can never be reached by ``via``; empty where it may be, as a name may."""
    try:
        there = ip_address(host.partition("%")[0])
    except ValueError:
        return ""
    if via.address:
        here = ip_address(via.address)
        if here.version != there.version:
            return f"IPv{there.version} `{host}` is not reached from IPv{here.version} `{here}`"
        if here.is_loopback and not there.is_loopback and not there.is_unspecified:
            return f"`{host}` is not reached from `{here}`, which is this machine alone"
    if via.interface not in {"", "lo"} and there.is_loopback:
        return f"`{host}` is this machine, and not behind interface `{via.interface}`"
    return ""


def via_mistakes(device: Device, driver: Driver, *, own: bool) -> Iterator[Mistake]:
    """Say what is wrong with the way to a device; ``own`` is one that stands in its entry."""
    if device.via == ANY_WAY:
        return
    field = "via" if own else device.driver
    if not isinstance(driver, Bound):
        message = f"driver `{device.driver}` cannot be told which interface to leave by"
        yield Mistake("impossible-via", message, None, field, "write `via: {}` to accept that")
        return
    hosts = driver.hosts(device)
    if own and not hosts:
        message = "a serial line has no interface and no address"
        yield Mistake("impossible-via", message, None, field, "leave `via` out")
    help_ = "an address of the same family" if own else "`via` at the device replaces the default"
    for why in filter(None, (unreachable(host, device.via) for host in hosts)):
        yield Mistake("impossible-via", why, None, field, help_)

"""What each side needs of the system. This is the one list: the sandbox refuses all else."""

import os
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

from otgate.app.measured import address
from otgate.config.bus_side import BusFile
from otgate.driver import Driver, Reach, Reaching
from otgate.model import Device
from otgate.publish.settings import read_broker
from otgate.sandbox.needs import NAME_SERVICE, NOWHERE, Needs

if TYPE_CHECKING:
    from otgate.config.site import Site

ANY_PORT = frozenset({0})
"""What is bound where a connection has to come from an address: the kernel chooses the port."""

DEVICES = Path("/dev")
"""Where lines come back under new names of the old: a converter is pulled out and put in again."""


def bus_needs(bus: BusFile) -> Needs:
    """Return what a bus side needs: its spool, its cursor, its keys, its brokers."""
    brokers = [read_broker(url)[0] for url in bus.brokers]
    scraped = scraped_at(bus.metrics_listen)
    return Needs(
        read=[real(bus.spool), *key_places(bus)],
        write=[real(bus.state), real(bus.audit.directory), NOWHERE],
        connect=frozenset(broker.port for broker in brokers),
        listen=frozenset(scraped.values()) | (ANY_PORT if bus.via.address else frozenset()),
        datagrams=any(is_name(host) for host in (*(one.host for one in brokers), *scraped)),
    )


def scraped_at(listen: str) -> Mapping[str, int]:
    """Return the address and port at which metrics are read, if any."""
    return dict([address(listen)]) if listen else {}


def bus_own(bus: BusFile) -> Sequence[Path]:
    """Return what a bus side cannot do without, should it be made anew."""
    named = any(is_name(read_broker(url)[0].host) for url in bus.brokers)
    return [
        bus.spool,
        bus.state,
        bus.audit.directory,
        *key_places(bus),
        *(map(Path, NAME_SERVICE) if named else ()),
    ]


def key_places(bus: BusFile) -> list[Path]:
    """Return where a bus side finds credentials and TLS files.

    A file's folder, so that it can be replaced; the file alone where other things lie there too.
    """
    given = os.environ.get("CREDENTIALS_DIRECTORY")
    folders = [folder for folder in (bus.credentials, given and Path(given)) if folder]
    tls = bus.tls
    files = [tls.ca, tls.certificate, tls.key] if tls else []
    wide = too_wide(bus)
    found = [place for file in files if isinstance(file, Path) for place in places_of(file, wide)]
    return [*folders, *found]


def places_of(file: Path, wide: AbstractSet[Path]) -> Iterator[Path]:
    """Yield where a file is looked for, and where it lies if that is a link."""
    for one in (file, real(file)):
        folder = real(one.parent)
        yield one if folder in wide else folder


def too_wide(bus: BusFile) -> set[Path]:
    """Return the folders above a bus side's own, where what is not its own lies too."""
    return {above for one in (bus.path.parent, bus.spool, bus.state) for above in real(one).parents}


def real(path: Path) -> Path:
    """Return where a path leads, through links, as far as it is there."""
    return Path(os.path.realpath(path))


def is_name(host: str) -> bool:
    """Tell whether a host has to be looked up."""
    try:
        ip_address(host)
    except ValueError:
        return True
    return False


def field_needs(site: "Site", drivers: Mapping[str, Driver], control: Path) -> Needs:
    """Return what a field side needs: to read anything, write its own, and reach its devices.

    What it reads is not narrowed, since a reload may name any file.
    """
    reaches = list(reach(site.wired, drivers))
    known = [one for one in reaches if one is not None]
    some = len(known) < len(reaches)
    lines = any(one.files for one in known)
    listen = {port for one in known for port in one.listen}
    listen.update(scraped_at(site.metrics_listen).values())
    return Needs(
        read=[Path("/")],
        write=[*field_own(site), control, NOWHERE],
        devices=[DEVICES] if lines or some else [],
        connect=None if some else frozenset(port for one in known for port in one.connect),
        listen=None if some else frozenset(listen),
        unix=True,
    )


def field_own(site: "Site") -> Sequence[Path]:
    """Return what a field side cannot do without, should it be made anew."""
    return [site.spool.directory, site.state_directory, site.audit.directory]


def beyond(site: "Site", drivers: Mapping[str, Driver], held: Needs) -> str:
    """Say of a device that it needs what the field side gave up; empty where none does."""
    for device, one in zip(site.wired, reach(site.wired, drivers), strict=True):
        if missing := lacks(one, held):
            return f"`{device.id}` needs {missing}"
    return ""


def lacks(reached: Reach | None, held: Needs) -> str:
    """Name what a link needs and the field side gave up; empty where there is nothing."""
    if reached is None:
        return "" if held.connect is None else "a driver that does not say which ports"
    for port in reached.connect:
        if held.connect is not None and port not in held.connect:
            return f"to connect to TCP port {port}"
    for port in reached.listen:
        if held.listen is not None and port not in held.listen:
            return f"to listen on TCP port {port}" if port else "to come from an address"
    return "a serial line" if reached.files and not held.devices else ""


def reach(devices: Sequence[Device], drivers: Mapping[str, Driver]) -> Iterator[Reach | None]:
    """Yield what each device's link needs; None where its driver does not say."""
    for device in devices:
        driver = drivers[device.driver]
        one = driver.reach(device) if isinstance(driver, Reaching) else None
        if one is not None and device.via.address:
            one = replace(one, listen=[*one.listen, *ANY_PORT])
        yield one

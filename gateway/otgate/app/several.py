"""What several sites must not have in common: client ids at a broker, and devices."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from otgate.config.bus import is_loopback
from otgate.config.bus_side import BusFile
from otgate.config.diagnostic import Diagnostic, Diagnostics, Severity
from otgate.config.site import Checked
from otgate.config.yaml_text import Tree
from otgate.driver import Driver, Sharing
from otgate.model import Device
from otgate.publish.settings import client_id, read_broker

Met = tuple[Checked, Device]
"""A device, and the site that reads it."""


def compared(sites: Sequence[Checked], drivers: Mapping[str, Driver]) -> list[Diagnostic]:
    """Return what is wrong with sites that are each right by themselves."""
    found = Diagnostics()
    compare_clients(sites, found)
    compare_devices(sites, drivers, found)
    return found.sorted()


def compare_clients(sites: Sequence[Checked], found: Diagnostics) -> None:
    """Refuse two bus sides that would put each other out at a broker."""
    first: dict[tuple[str, str], BusFile] = {}
    for site in sites:
        for tree, bus in site.buses:
            name = bus.client_id or client_id("otgate", site.gateway, bus.conduit)
            for broker in reachable(bus):
                other = first.setdefault((broker, name), bus)
                if other.path != bus.path and not alike(other, bus):
                    say_same_client(name, other, tree, found)


def alike(one: BusFile, other: BusFile) -> bool:
    """Tell whether two files of a site publish one conduit, which has been said."""
    return (one.path.parent, one.conduit) == (other.path.parent, other.conduit)


def reachable(bus: BusFile) -> Iterator[str]:
    """Yield the brokers that others could publish to as well."""
    for url in bus.brokers:
        broker, _ = read_broker(url)
        if not is_loopback(broker.host):
            yield f"{broker.host.lower()}:{broker.port}"


def say_same_client(name: str, other: BusFile, tree: Tree, found: Diagnostics) -> None:
    """Say that two bus files have one client id at one broker."""
    place = tree.at("client_id" if ("client_id",) in tree.values else "conduit")
    message = f"has the client id of `{other.path}` at the same broker: `{name}`"
    help_ = "each would end the other's session: give `client_id`, or the gateway another id"
    found.say("client-id-collision", place, message, help_)


def compare_devices(
    sites: Sequence[Checked], drivers: Mapping[str, Driver], found: Diagnostics
) -> None:
    """Say where two sites read what lies behind one endpoint."""
    first: dict[Any, Met] = {}
    for site in sites:
        met: dict[tuple[str, str], list[tuple[Met, Device]]] = {}
        for device in site.site.devices if site.site is not None else ():
            where = endpoint(device)
            if not where:
                continue
            link = drivers[device.driver].link_key(device)
            other = first.setdefault((site.network, device.driver, link), (site, device))
            if other[0] is not site:
                met.setdefault((str(other[0].path), where), []).append((other, device))
        for (path, where), pairs in met.items():
            say_met(site, where, path, pairs, drivers, found)


def endpoint(device: Device) -> str:
    """Return the host and port of a device, or nothing where no other machine reaches it."""
    parts = urlsplit(str(getattr(device.settings, "url", "")))
    try:
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return ""
    if not host or is_loopback(host):
        return ""
    return host if port is None else f"{host}:{port}"


def say_met(
    site: Checked,
    where: str,
    path: str,
    pairs: Sequence[tuple[Met, Device]],
    drivers: Mapping[str, Driver],
    found: Diagnostics,
) -> None:
    """Say of two sites that both read an endpoint; it is an error if they ask for one address."""
    contradicting = [pair for pair in pairs if contradicts(pair[0][1], pair[1], drivers)]
    (_, other), device = (contradicting or pairs)[0]
    message = f"`{where}` is read by `{path}` too (device `{other.id}`)"
    help_ = "where these are two devices, say that the sites have each a `network` of their own"
    severity = Severity.ERROR if contradicting else None
    found.say("device-of-two-sites", site.places[device.id], message, help_, severity)


def contradicts(one: Device, other: Device, drivers: Mapping[str, Driver]) -> bool:
    """Tell whether two devices could not be read by one gateway either."""
    driver = drivers[one.driver]
    pair = (replace(one, id="one"), replace(other, id="other"))
    return isinstance(driver, Sharing) and bool(driver.sharing(pair))

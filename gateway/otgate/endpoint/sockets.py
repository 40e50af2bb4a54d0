"""Sockets that leave by the interface and the address that are configured, or not at all."""

import asyncio
import errno
import socket
from collections.abc import Sequence
from ipaddress import ip_address
from typing import Any

from otgate.via import ANY_WAY, Via

Found = Sequence[tuple[socket.AddressFamily, socket.SocketKind, int, str, Any]]
"""As `socket.getaddrinfo` has it."""

ANY_ADDRESS = {socket.AF_INET: "0.0.0.0", socket.AF_INET6: "::"}  # noqa: S104  to send from, not to serve


def family_of(via: Via) -> socket.AddressFamily:
    """Return the only family that can leave by ``via``."""
    if not via.address:
        return socket.AF_UNSPEC
    return socket.AF_INET if ip_address(via.address).version == 4 else socket.AF_INET6


def bound(
    family: int, kind: int, proto: int = 0, via: Via = ANY_WAY, port: int = 0
) -> socket.socket:
    """Return a non-blocking socket that leaves by ``via``, and from ``port`` unless that is 0.

    Raises:
        OSError: this machine has no such interface or address at the moment.
    """
    made = socket.socket(family, kind, proto)
    try:
        made.setblocking(False)  # noqa: FBT003  the socket API
        if via.interface:
            _bind_to_interface(made, via.interface)
        if via.address or port:
            _bind_to_address(made, via, port)
    except BaseException:  # a cancellation too leaves no open socket
        made.close()
        raise
    return made


def _bind_to_interface(made: socket.socket, interface: str) -> None:
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode())
    except OSError as error:
        if error.errno == errno.ENODEV:
            raise OSError(f"this machine has no interface `{interface}`") from error
        if error.errno == errno.EPERM:  # before Linux 5.7
            needs = "this kernel needs CAP_NET_RAW for that"
            raise OSError(f"not allowed to bind to interface `{interface}`: {needs}") from error
        raise


def _bind_to_address(made: socket.socket, via: Via, port: int) -> None:
    address = via.address or ANY_ADDRESS[made.family]
    _bind(made, (address, port))


def _bind(made: socket.socket, at: Any) -> None:
    try:
        made.bind(at)
    except OSError as error:
        if error.errno == errno.EADDRNOTAVAIL:
            raise OSError(f"this machine does not have address {at[0]}") from error
        raise


async def connected(
    host: str,
    port: int,
    via: Via = ANY_WAY,
    kind: socket.SocketKind = socket.SOCK_STREAM,
    local_port: int = 0,
) -> socket.socket:
    """Return a non-blocking socket that is connected to a host, by ``via`` alone.

    Raises:
        OSError: nobody answers there, or this machine has no such interface or address now.
    """
    refused = OSError("the name has no address")
    for family, _, proto, _, at in await _looked_up(host, port, family_of(via), kind):
        made = bound(family, kind, proto, via, local_port)
        try:
            await asyncio.get_running_loop().sock_connect(made, at)
        except OSError as error:
            made.close()
            refused = error
        except BaseException:  # a cancellation too leaves no open socket
            made.close()
            raise
        else:
            return made
    raise refused


async def listener(host: str, port: int, via: Via) -> socket.socket:
    """Return a socket to listen with, heard by ``via`` alone; any address is that of ``via``.

    Raises:
        OSError: this machine has no such interface or address now, or the port is taken.
    """
    host = via.address if via.address and host in ANY_ADDRESS.values() else host
    family, kind, proto, _, at = (await _looked_up(host, port, 0, socket.SOCK_STREAM))[0]
    made = bound(family, kind, proto, Via(via.interface))
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:  # else peers would come under IPv6 names of their IPv4
            made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        _bind(made, at)
    except OSError:
        made.close()
        raise
    return made


async def _looked_up(host: str, port: int, family: int, kind: int) -> Found:
    """Resolve a host; one that is an address takes no thread."""
    try:
        return socket.getaddrinfo(host, port, family, kind, 0, socket.AI_NUMERICHOST)
    except socket.gaierror:
        return await asyncio.get_running_loop().getaddrinfo(host, port, family=family, type=kind)

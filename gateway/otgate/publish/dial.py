"""A connected socket to a broker: TCP with its options, TLS on top, all cancellable.

Nothing here blocks the loop or leaves a thread behind that a stop would have to wait for: names
are looked up in a daemon thread, connecting and the TLS handshake run on the loop.
"""

import asyncio
import contextlib
import socket
import ssl
import threading
from pathlib import Path
from typing import Any

from otgate.endpoint.sockets import bound, family_of
from otgate.errors import in_words
from otgate.publish.errors import BrokerLost, BrokerRefused
from otgate.publish.settings import Broker, Tls, Transport
from otgate.via import ANY_WAY, Via

DIAL_LIMIT_S = 5.0
PROBE_IDLE_S, PROBE_EVERY_S, PROBES = 4, 2, 2

Address = tuple[int, int, int, Any]
"""Family, type, protocol, socket address."""


def tls_context(tls: Tls) -> ssl.SSLContext:
    """Return a client context: the given CA only, TLS 1.2 or later, host name checked.

    Raises:
        BrokerRefused: a file is missing or is not what it should be.
    """
    for file in filter(None, (tls.ca, tls.certificate, tls.key)):
        _look_into(file)
    try:
        context = ssl.create_default_context(cafile=tls.ca)
    except ssl.SSLError as error:
        raise BrokerRefused(f"TLS: {tls.ca} holds no certificates: {_reason(error)}") from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        if tls.certificate is not None:
            context.load_cert_chain(tls.certificate, tls.key, password=_no_password)
    except ssl.SSLError as error:
        pair = f"{tls.certificate} with key {tls.key or tls.certificate}"
        raise BrokerRefused(f"TLS: {pair} cannot be used: {_reason(error)}") from error
    return context


def _look_into(file: Path) -> None:
    """Open a file for nothing but its name in the message: OpenSSL tells none."""
    try:
        with file.open("rb"):
            pass
    except OSError as error:
        raise BrokerRefused(f"TLS: {file} cannot be read: {error.strerror}") from error


async def dial(broker: Broker, tls: Tls | None, via: Via = ANY_WAY) -> socket.socket:
    """Return a connected, non-blocking socket to ``broker`` by ``via``, its TLS handshake done.

    Raises:
        BrokerLost: nobody answers there.
        BrokerRefused: TLS failed; a person has to look at certificates or names.
    """
    context = tls_context(tls) if tls and broker.transport is Transport.TLS else None
    try:
        async with asyncio.timeout(DIAL_LIMIT_S):
            found = await _looked_up(broker.host, broker.port, family_of(via))
            plain = await _connected(found, via)
            if context is None or tls is None:
                return plain
            return await _secured(plain, context, tls.server_name or broker.host)
    except TimeoutError:
        raise BrokerLost(f"{broker} did not answer within {DIAL_LIMIT_S:g} s") from None
    except ssl.SSLError as error:
        raise BrokerRefused(f"TLS to {broker} failed: {_reason(error)}") from error
    except OSError as error:
        raise BrokerLost(f"{broker}: {in_words(error)}") from error


def rearm_quickack(sock: socket.socket) -> None:
    """Acknowledge the next segment at once; the kernel forgets this after each read."""
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)


def _reason(error: ssl.SSLError) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return str(error.verify_message)
    return str(error.reason or error.strerror or error)


def _no_password() -> str:
    raise ssl.SSLError("the private key must not have a password")


async def _looked_up(host: str, port: int, wanted: int) -> list[Address]:
    loop = asyncio.get_running_loop()
    found: asyncio.Future[list[Address]] = loop.create_future()

    def settle(addresses: list[Address], error: OSError | None) -> None:
        if not found.done():
            found.set_result(addresses) if error is None else found.set_exception(error)

    def look_up() -> None:
        addresses: list[Address] = []
        error: OSError | None = None
        try:
            entries = socket.getaddrinfo(host, port, wanted, socket.SOCK_STREAM)
            addresses = [(family, kind, proto, at) for family, kind, proto, _, at in entries]
        except OSError as refused:
            error = refused
        with contextlib.suppress(RuntimeError):  # the loop closed meanwhile
            loop.call_soon_threadsafe(settle, addresses, error)

    threading.Thread(target=look_up, name="look-up", daemon=True).start()
    return await found


async def _connected(addresses: list[Address], via: Via) -> socket.socket:
    share_s = DIAL_LIMIT_S / max(1, len(addresses))
    refused: OSError = OSError("the name has no address")
    for address in addresses:
        try:
            async with asyncio.timeout(share_s):
                return await _connected_to(address, via)
        except OSError as error:  # TimeoutError too
            refused = error
    raise refused


async def _connected_to(address: Address, via: Via) -> socket.socket:
    family, kind, proto, at = address
    sock = bound(family, kind, proto, via)
    try:
        for level, option, value in OPTIONS:
            sock.setsockopt(level, option, value)
        await asyncio.get_running_loop().sock_connect(sock, at)
    except BaseException:  # a cancellation too leaves no open socket
        sock.close()
        raise
    return sock


# No TCP_USER_TIMEOUT: it also ends a connection whose peer reads slowly. The session knows better.
OPTIONS = (
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, PROBE_IDLE_S),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, PROBE_EVERY_S),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, PROBES),
)


async def _secured(plain: socket.socket, context: ssl.SSLContext, name: str) -> ssl.SSLSocket:
    secure = context.wrap_socket(plain, server_hostname=name, do_handshake_on_connect=False)
    try:
        while True:
            try:
                secure.do_handshake()
            except ssl.SSLWantReadError:
                await _readable(secure)
            except ssl.SSLWantWriteError:
                await _writable(secure)
            else:
                return secure
    except BaseException:  # a cancellation too leaves no open socket
        secure.close()
        raise


async def _readable(sock: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(sock.fileno(), ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_reader(sock.fileno())


async def _writable(sock: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_writer(sock.fileno(), ready.set)
    try:
        await ready.wait()
    finally:
        loop.remove_writer(sock.fileno())

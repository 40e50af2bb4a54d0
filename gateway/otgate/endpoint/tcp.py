"""TCP connections to devices: socket options, and one way to fail."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable

from otgate.endpoint.sockets import connected
from otgate.endpoint.tls import TlsFiles, tls_context
from otgate.errors import LinkLost, in_words
from otgate.via import ANY_WAY, Via

OPTIONS = (
    (socket.IPPROTO_TCP, socket.TCP_NODELAY, 1),
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 10),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 3),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
    (socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 10_000),
)
"""A peer that vanished is noticed after 10 s with data under way (in ms), after 19 s without."""

CONNECT_S = 5.0


def set_options(connected: socket.socket) -> None:
    """Set what a field link's socket needs, as far as the kernel has it."""
    for option in OPTIONS:
        with contextlib.suppress(OSError):
            connected.setsockopt(*option)


async def dial(
    protocol: Callable[[], asyncio.BaseProtocol],
    host: str,
    port: int,
    tls: TlsFiles | None = None,
    via: Via = ANY_WAY,
) -> None:
    """Connect a protocol to a host, by ``via`` alone, under TLS where there are files for it.

    Raises:
        LinkLost: nobody answers there, or not with the right certificate.
        Unusable: a TLS file cannot be used.
    """
    context = None
    if tls is not None:
        context = await asyncio.to_thread(tls_context, tls, server=False)
    name = (tls.server_name or host) if tls is not None else None
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(CONNECT_S):
            made = await connected(host, port, via)
            await loop.create_connection(protocol, ssl=context, server_hostname=name, sock=made)
    except TimeoutError:
        raise LinkLost(f"no connection to {host}:{port} within {CONNECT_S:g} s") from None
    except ssl.SSLError as error:
        raise LinkLost(f"TLS with {host}:{port}: {error.reason or error}") from error
    except OSError as error:
        raise LinkLost(f"no connection to {host}:{port}: {in_words(error)}") from error

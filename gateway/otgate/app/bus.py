"""The bus side of one conduit: its spool's reader and the publisher in one process."""

import asyncio
import time
from pathlib import Path

import structlog

from otgate.app.loop import settle, trimming
from otgate.config.bus_side import BusFile, Credential, TlsFiles
from otgate.config.credential import resolve
from otgate.errors import Refused
from otgate.observe import control
from otgate.publish.publisher import Publisher
from otgate.publish.settings import (
    BusSettings,
    Compression,
    LastValues,
    Limits,
    Protocol,
    Tls,
    read_broker,
)
from otgate.spool.reader import SpoolReader
from otgate.together import together

log = structlog.get_logger()


async def bus_side(bus: BusFile, control_path: Path) -> int:
    """Run the bus side that ``bus`` describes until cancelled.

    Raises:
        Refused: a credential is missing, or the administration socket cannot be opened.
    """
    reader = SpoolReader.open(bus.spool, bus.state)
    publisher = Publisher(reader, settings(bus), clock=time.time_ns, state=bus.state)
    verbs = {"status": lambda: {"side": "bus", "conduit": bus.conduit, **publisher.status()}}
    try:
        async with control.serve(control_path, verbs):
            log.info("bus_side_started", conduit=bus.conduit, brokers=list(bus.brokers))
            asyncio.get_running_loop().call_soon(settle)
            await together(publisher.run(), trimming())
    finally:
        reader.close()
    return 0


def settings(bus: BusFile) -> BusSettings:
    """Turn what the bus file says into what the publisher needs, with secrets resolved."""
    return BusSettings(
        brokers=tuple(read_broker(url)[0] for url in bus.brokers),
        client_id=bus.client_id or "",
        username=bus.username,
        password=None if bus.password is None else secret(bus, bus.password),
        tls=None if bus.tls is None else tls(bus, bus.tls),
        root=bus.root,
        keepalive_s=bus.keepalive_s,
        window=bus.window,
        window_bytes=bus.window_kb * 1024,
        limits=Limits(max_points=bus.max_points, max_bytes=bus.max_kb * 1024),
        compress=Compression(bus.compress),
        last=LastValues(bus.last),
        replay_s=bus.replay_s,
        protocol=Protocol(bus.protocol),
    )


def secret(bus: BusFile, credential: Credential) -> str:
    """Resolve a credential to its text, saying so where it came from the environment."""
    found = resolve(credential.name, bus.credentials)
    if found.warning:
        log.warning("credential_from_environment", credential=credential.name)
    return found.text


def tls(bus: BusFile, files: TlsFiles) -> Tls:
    """Resolve the TLS key where it is a credential.

    Raises:
        Refused: a key is given by the environment, which cannot hold a file.
    """
    key = files.key
    if isinstance(key, Credential):
        found = resolve(key.name, bus.credentials)
        if found.path is None:
            raise Refused(f"the TLS key `{key.name}` has to lie in a credential directory")
        key = found.path
    return Tls(files.ca, files.certificate, key, files.server_name)

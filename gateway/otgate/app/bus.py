"""The bus side of one conduit: its spool's reader and the publisher in one process."""

import asyncio
import time
from pathlib import Path

import structlog

from otgate.app.attending import attending
from otgate.app.login import FileLogin
from otgate.app.loop import settle, trimming
from otgate.config.bus_side import BusFile
from otgate.observe import control
from otgate.observe.notify import Notifier
from otgate.publish.publisher import Publisher
from otgate.publish.settings import (
    BusSettings,
    Compression,
    Keys,
    LastValues,
    Limits,
    Protocol,
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
    login = FileLogin(bus)
    publisher = Publisher(
        reader, settings(bus, login.keys()), clock=time.time_ns, state=bus.state, login=login
    )
    verbs: control.Verbs = {
        "status": lambda _: {"side": "bus", "conduit": bus.conduit, **publisher.status()}
    }
    try:
        async with control.serve(control_path, verbs):
            log.info("bus_side_started", conduit=bus.conduit, brokers=list(bus.brokers))
            asyncio.get_running_loop().call_soon(settle)
            await together(publisher.run(), trimming(), attending(Notifier(), lambda _: ""))
    finally:
        reader.close()
    return 0


def settings(bus: BusFile, keys: Keys) -> BusSettings:
    """Turn what the bus file says into what the publisher needs."""
    return BusSettings(
        brokers=tuple(read_broker(url)[0] for url in bus.brokers),
        client_id=bus.client_id or "",
        username=keys.username,
        password=keys.password,
        tls=keys.tls,
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

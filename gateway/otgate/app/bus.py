"""The bus side of one conduit: its spool's reader and the publisher in one process."""

import asyncio
import time
from collections.abc import Mapping
from contextlib import closing, suppress
from functools import partial
from pathlib import Path

import structlog

from otgate.app.attending import attending
from otgate.app.auditing import audited, prepared
from otgate.app.bus_metrics import bus_metrics
from otgate.app.confinement import enter, staying
from otgate.app.following import trace_sample
from otgate.app.login import FileLogin
from otgate.app.loop import settle, trimming
from otgate.app.measured import Measured, metrics_path
from otgate.app.needs import bus_needs, bus_own
from otgate.app.renewal import Renewal
from otgate.config.bus_side import BusFile
from otgate.observe import control
from otgate.observe.notify import Notifier
from otgate.publish.publisher import Publisher
from otgate.publish.settings import (
    Backlog,
    BusSettings,
    Compression,
    Keys,
    LastValues,
    Limits,
    Order,
    Protocol,
    read_broker,
)
from otgate.spool.reader import SpoolReader
from otgate.together import together

SPOOL_LIMIT_S, SPOOL_LOOK_S = 5.0, 0.05
"""How long a side waits for its spool to be made; if it is later, the side starts again then."""

log = structlog.get_logger()


async def bus_side(bus: BusFile, control_path: Path, renewal: Renewal) -> int:
    """Run the bus side that ``bus`` describes until cancelled.

    Raises:
        Refused: a credential is missing, or the administration socket cannot be opened.
        Unconfined: the sandbox that the file requires cannot be had.
        Outgrown: the spool or a key was made anew where the sandbox does not reach, or the file is
            to be read again.
    """
    with (
        control.bound(control_path) as listener,
        control.bound(metrics_path(control_path)) as scraped,
        closing(Notifier()) as notifier,
    ):
        await places_made(bus)
        means = prepared(bus.audit, f"bus/{bus.conduit}")
        sandbox = enter(bus_needs(bus), bus.sandbox)
        with (
            audited(means, {**told(bus), "sandbox": sandbox}) as recorder,
            closing(SpoolReader.open(bus.spool, bus.state, replay_s=bus.replay_s)) as reader,
        ):
            publisher = publisher_of(bus, reader)
            verbs: control.Verbs = {
                "status": lambda _: {
                    "side": "bus",
                    "conduit": bus.conduit,
                    "sandbox": sandbox,
                    **publisher.status(),
                },
                "trace": partial(trace_sample, publisher.trace),
                **renewal.verbs,
            }
            measured = Measured(
                "bus",
                lambda: bus_metrics(bus.conduit, publisher, reader, time.time_ns()),
                publisher.stuck,
                recorder.audit,
            )
            async with control.answering(listener, recorder.verbs(verbs)), measured.served(scraped):
                brokers = list(bus.brokers)
                log.info("bus_side_started", conduit=bus.conduit, brokers=brokers, sandbox=sandbox)
                asyncio.get_running_loop().call_soon(settle)
                await together(
                    publisher.run(),
                    trimming(),
                    attending(notifier, lambda _: ""),
                    *measured.tasks(bus.metrics_listen),
                    staying(bus_own(bus) if bus.sandbox != "off" else ()),
                    renewal.wanted(),
                )
    return 0


def told(bus: BusFile) -> Mapping[str, object]:
    """Say of a bus file what tells it from others, for the audit log."""
    return {"file": str(bus.path), "conduit": bus.conduit, "brokers": list(bus.brokers)}


async def places_made(bus: BusFile) -> None:
    """Make the cursor's folder, and wait a while for the spool's: rules are for what is there."""
    if bus.sandbox == "off":
        return
    for own in (bus.state, bus.audit.directory):
        with suppress(OSError):  # whoever needs it says so
            own.mkdir(parents=True, exist_ok=True)
    if not bus.spool.exists():
        log.info("spool_awaited", spool=str(bus.spool), for_s=SPOOL_LIMIT_S)
    for _ in range(int(SPOOL_LIMIT_S / SPOOL_LOOK_S)):
        if bus.spool.exists():
            return
        await asyncio.sleep(SPOOL_LOOK_S)


def publisher_of(bus: BusFile, reader: SpoolReader) -> Publisher:
    """Return what publishes a spool as the bus file says."""
    login = FileLogin(bus)
    return Publisher(
        reader, settings(bus, login.keys()), clock=time.time_ns, state=bus.state, login=login
    )


def settings(bus: BusFile, keys: Keys) -> BusSettings:
    """Turn what the bus file says into what the publisher needs."""
    return BusSettings(
        brokers=tuple(read_broker(url)[0] for url in bus.brokers),
        client_id=bus.client_id or "",
        username=keys.username,
        password=keys.password,
        tls=keys.tls,
        via=bus.via,
        root=bus.root,
        keepalive_s=bus.keepalive_s,
        window=bus.window,
        window_bytes=bus.window_kb * 1024,
        limits=Limits(max_points=bus.max_points, max_bytes=bus.max_kb * 1024),
        compress=Compression(bus.compress),
        last=LastValues(bus.last),
        replay_s=bus.replay_s,
        protocol=Protocol(bus.protocol),
        backlog=Backlog(
            order=Order(bus.backlog.order),
            live_s=bus.backlog.live_s,
            bytes_per_s=bus.backlog.kb_per_s * 1024,
            messages_per_s=bus.backlog.messages_per_s,
        ),
    )

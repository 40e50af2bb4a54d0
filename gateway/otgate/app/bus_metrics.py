"""What a bus side's metrics are now: its counters, and of the field side what the spool says."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator

from otgate.model import Lane
from otgate.observe import metrics
from otgate.observe.exposition import Found
from otgate.publish.certificates import first_end_s, in_file
from otgate.publish.publisher import Publisher
from otgate.publish.settings import Tls
from otgate.publish.throughput import Throughput
from otgate.spool.reader import SpoolReader

STATES = ("starting", "good", "failing", "lost", "unusable")
"""Of devices, as the spool's signs of life tell them; another word counts too."""
HOPS = (
    "received_to_spooled", "spooled_to_published", "published_to_acknowledged",
    "received_to_acknowledged",
)  # fmt: skip


async def bus_metrics(
    conduit: str, publisher: Publisher, reader: SpoolReader, now_ns: int
) -> Iterable[Found]:
    """Return the metrics that only a bus side has."""
    ends = await asyncio.to_thread(certificate_ends, publisher.tls, publisher.broker_certificate)
    return [
        *of_publisher(conduit, publisher),
        *of_throughput(conduit, publisher.throughput),
        *of_reader(conduit, reader, now_ns),
        *of_field(conduit, publisher),
        *(
            (metrics.CERTIFICATE_ENDS, (conduit, which), end_s)
            for which, end_s in ends.items()
            if end_s is not None
        ),
    ]


def of_publisher(conduit: str, publisher: Publisher) -> Iterator[Found]:
    """Yield how the session with the broker is."""
    told = publisher.status()
    for metric, value in (
        (metrics.CONNECTED, int(told["connected"])),
        (metrics.CONNECTIONS, told["connections"]),
        (metrics.ATTEMPTS, told["attempts"]),
        (metrics.MESSAGES, told["messages"]),
        (metrics.PUBLISHED, told["samples"]),
        (metrics.REFUSED, told["refused"]),
        (metrics.UNASKED, told["unasked"]),
        (metrics.IN_FLIGHT, told["in_flight"]),
        (metrics.WINDOW, told["window"]),
        (metrics.READABLE, int(told["spool"] == "readable")),
        (metrics.CURSOR_SAVED, int(told["cursor"] == "saved")),
    ):
        yield metric, (conduit,), value


def of_throughput(conduit: str, throughput: Throughput) -> Iterator[Found]:
    """Yield what the broker took, and how long that was on its way."""
    yield metrics.PUBLISHED_BYTES, (conduit,), throughput.size_bytes
    times = (throughput.spooled, throughput.published, throughput.acknowledged, throughput.whole)
    for hop, taken in zip(HOPS, times, strict=True):
        yield metrics.HOP, (conduit, hop), taken
    for reason, count in throughput.gaps.items():
        yield metrics.GAPS, (conduit, reason), count


def of_reader(conduit: str, reader: SpoolReader, now_ns: int) -> Iterator[Found]:
    """Yield how far reading is behind."""
    for lane in Lane:
        unread = reader.unread(lane)
        yield metrics.UNREAD, (conduit, lane), unread.size_bytes
        yield metrics.LAG, (conduit, lane), unread.behind_s(now_ns)
        yield metrics.BACKLOG, (conduit, lane), reader.backlog(lane)


def of_field(conduit: str, publisher: Publisher) -> Iterator[Found]:
    """Yield what is known of the field side; devices are counted, not named."""
    known = publisher.field()
    yield metrics.FIELD_ALIVE, (conduit,), int(known.field == "alive")
    states = Counter(dict.fromkeys(STATES, 0))
    states.update(known.devices.values())
    for state, count in states.items():
        yield metrics.FIELD_DEVICES, (conduit, state), count


def certificate_ends(tls: Tls | None, broker: bytes) -> dict[str, float | None]:
    """Return when certificates end, by whose they are."""
    if tls is None:
        return {}
    return {
        "broker": first_end_s([broker]),
        "own": first_end_s(in_file(tls.certificate)),
        "ca": first_end_s(in_file(tls.ca)),
    }

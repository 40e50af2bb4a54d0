"""What a field side's metrics are now, read from counters that its parts keep anyway."""

from collections import Counter
from collections.abc import Iterable, Iterator

from otgate.app.egress import Egress
from otgate.app.flat import FlatLines
from otgate.app.outlet import VALIDITIES, Way
from otgate.observe import metrics
from otgate.observe.exposition import Found
from otgate.policy.validity import ends_ns
from otgate.spool.writer import SpoolState, SpoolStatus
from otgate.supervisor import Supervisor
from otgate.supervisor.status import DeviceStatus, State


async def field_metrics(egress: Egress, supervisor: Supervisor, flat: FlatLines) -> Iterable[Found]:
    """Return the metrics that only a field side has."""
    return found(egress, supervisor, flat)


def found(egress: Egress, supervisor: Supervisor, flat: FlatLines) -> Iterator[Found]:
    """Yield them as they are asked for: a reload may come between two."""
    states = Counter(supervisor.states().values())
    for state in State:
        yield metrics.DEVICES, (state,), states[state]
    for device, status in supervisor.statuses():
        yield from of_device(device, status)
    for device, lines in flat.counts().items():
        yield metrics.FLAT, (device,), lines
    for driver, times in supervisor.scan_times.items():
        yield metrics.SCAN_DURATION, (driver,), times
    for origin, counts in egress.outlet.passed.counts.items():
        for validity, count in zip(VALIDITIES, counts, strict=True):
            yield metrics.SAMPLES, (origin.name.lower(), validity), count
    if (end_ns := ends_ns(egress.site.policy)) is not None:
        yield metrics.POLICY_ENDS, (), end_ns / 1e9
    for way in egress.ways:
        yield metrics.CONDUIT_OPEN, (way.conduit,), int(not egress.why_shut(way.conduit))
        yield metrics.SPOOL_LIMIT, (way.conduit,), egress.site.spool.size_mb * 1_000_000
        yield from of_way(way)
        yield from of_spool(way.conduit, way.spool.status())


def of_device(device: str, status: DeviceStatus) -> Iterator[Found]:
    """Yield what is known of one device."""
    for state in State:
        yield metrics.DEVICE_STATE, (device, state), int(state is status.state)
    for metric, value in (
        (metrics.DEVICE_LAST_GOOD, status.last_good_ns / 1e9),
        (metrics.SCANS, status.scans),
        (metrics.SCAN_FAILURES, status.failures),
        (metrics.SCAN_OVERRUNS, status.overruns),
        (metrics.SCAN_TIME, status.scan_s),
        (metrics.EXCEPTIONS, status.exceptions),
        (metrics.MALFORMED, status.malformed),
        (metrics.UNEXPECTED, status.unexpected),
        (metrics.RETRIES, status.retries),
        (metrics.DEVICE_PASSED, status.passed),
        (metrics.DEVICE_SUPPRESSED, status.suppressed),
    ):
        yield metric, (device,), value


def of_way(way: Way) -> Iterator[Found]:
    """Yield what became of samples on the way to a conduit's spool."""
    gate, conduit = way.gate, way.conduit
    yield metrics.CONDUIT_POINTS, (conduit,), len(gate.crossing)
    for reason, count in (
        ("denied", gate.withheld),
        ("interval", gate.suppressed),
        ("under_test", gate.under_test),
    ):
        yield metrics.WITHHELD, (conduit, reason), count
    yield metrics.SPOOL_AGE, (conduit,), way.inlet.ages
    yield metrics.SPOOL_SYNC, (conduit,), way.spool.sync_times


def of_spool(conduit: str, status: SpoolStatus) -> Iterator[Found]:
    """Yield how a conduit's spool is doing."""
    for lane, count in status.samples.items():
        yield metrics.SPOOL_SAMPLES, (conduit, lane), count
        yield metrics.SPOOL_DROPPED, (conduit, lane), status.dropped[lane]
    for metric, value in (
        (metrics.SPOOL_WRITTEN, status.bytes_written),
        (metrics.SPOOL_SYNCS, status.syncs),
        (metrics.SPOOL_FAULTS, status.faults),
        (metrics.SPOOL_FAILING, int(status.state is SpoolState.FAILING)),
        (metrics.SPOOL_DISK, status.disk_bytes),
        (metrics.SPOOL_SEGMENTS, status.segments),
        (metrics.SPOOL_BUFFERED, status.buffered_bytes),
        (metrics.SPOOL_BUFFER, status.buffer_bytes),
    ):
        yield metric, (conduit,), value

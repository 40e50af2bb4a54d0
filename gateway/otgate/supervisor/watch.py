"""One device as the supervisor sees it: its report, its state, and each edge said once."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import structlog

from otgate.calc.calculation import CALC
from otgate.calc.engine import Result
from otgate.driver import Counting, Receipt, Trouble, planned_types
from otgate.histogram import Histogram
from otgate.model import Batch, Device, Index, Origin, Scan, Words
from otgate.quality import VALIDITY_MASK, Quality
from otgate.report import Report
from otgate.supervisor.calculating import Calculating, Together
from otgate.supervisor.status import DeviceStatus, State
from otgate.supervisor.trace import Asked, Trace

Outlet = Callable[[Batch], Receipt]
Clock = Callable[[], int]

log = structlog.get_logger()


VALIDITY, INVALID = np.uint32(VALIDITY_MASK), np.uint32(Quality.INVALID)
"""As numpy has them: it takes ten times as long to make out an enum, at every use."""

NO_VALUES = "the device answers, without a usable value"


class Nothing:
    """The receipt of samples that were no news: there is nothing to make durable."""

    async def durable(self, limit_s: float = 5.0) -> None:
        """Return at once."""


NOTHING = Nothing()


class Watch:
    """What is known of one device, and its way to the outlet."""

    def __init__(
        self,
        device: Device,
        plan: Sequence[Scan],
        outlet: Outlet,
        clock: Clock,
        calculating: Calculating | None = None,
        scan_times: Histogram | None = None,
    ) -> None:
        self.device = device
        self.plan = plan
        self.row = 0
        """Failures in a row."""
        self.took_s = 0.0
        """How long its last answered scan took."""
        self._scan_times = scan_times
        origin = Origin.CALCULATED if device.driver == CALC else Origin.POLL
        self._report = Report(device, planned_types(device, plan), origin)
        self._calculating = calculating
        self._outlet = outlet
        self._clock = clock
        self._status = DeviceStatus(since_ns=clock())
        self._lost_s = 0.0
        self._scan_s = 0.0
        self._met = Trouble()
        """By sessions that are over."""
        self._counting: Counting | None = None
        self._barren: set[str] = set()
        """Scans whose last answer held no usable value."""
        self._seen: tuple[object, bool] = (None, False)
        self._asked: dict[str, Asked] = {}
        """How each scan went last, by its name."""

    @property
    def state(self) -> State:
        """Where the device stands."""
        return self._status.state

    @property
    def smallest(self) -> Scan:
        """The scan that asks least and reads points, which probes a lost device."""
        reading = [scan for scan in self.plan if scan.points] or self.plan
        return min(reading, key=lambda scan: (len(scan.requests), len(scan.points)))

    def status(self) -> DeviceStatus:
        """Return a copy of the device's status."""
        report = self._report
        scan_s = round(self._scan_s, 3)
        passed, suppressed = report.passed, report.suppressed
        met = self._met.plus(self._counting.trouble()) if self._counting else self._met
        status = replace(self._status, passed=passed, suppressed=suppressed, scan_s=scan_s)
        return replace(status, **met._asdict())

    def counting(self, session: object) -> None:
        """Count what ``session`` meets from now on, beside what those before it met."""
        if self._counting is not None:
            self._met = self._met.plus(self._counting.trouble())
        self._counting = session if isinstance(session, Counting) else None

    def take(self, batch: Batch) -> Receipt:
        """Pass on what of ``batch`` is news; what follows from a scan waits for its end."""
        news = self._report.pass_(batch)
        receipt = NOTHING if news is None else self._outlet(news)
        if self._calculating is None:
            return receipt
        follows = self._calculating.take(batch)
        return Together((receipt, *follows)) if follows else receipt

    def take_alone(self, batch: Batch) -> Receipt:
        """Pass on what of ``batch`` is news, and all that follows from it."""
        receipt = self.take(batch)
        self._settle()
        return receipt

    def calculated(self, result: Result) -> Receipt:
        """Pass on what was calculated: a window whole, of formulas what is news."""
        batch = result.batch
        if self.usable(batch.quality):
            self._status.last_good_ns = batch.received_ns
            self._become(State.GOOD, 0.0)
        news = self._report.pass_(batch) if result.whole else self._report.news(batch)
        return NOTHING if news is None else self._outlet(news)

    def trace(self, number: int) -> Trace:
        """Return what is known of one point, and of the scans that read it."""
        scans = [(scan, self._asked.get(scan.name)) for scan in self.plan if number in scan.points]
        return Trace(self.device, scans, self.status(), self._report.about(number))

    def newest(self, numbers: Index) -> str | None:
        """Return the newest values of some points, spelled; None where there are none now."""
        return self._report.newest(numbers) if self.state is State.GOOD else None

    def known(self) -> list[Batch]:
        """Return every value that is known, and send nothing."""
        return self._report.known(self._clock())

    def _settle(self) -> None:
        """Pass on what follows from a scan."""
        if self._calculating is not None:
            self._calculating.flush(self.device.id)

    def usable(self, quality: Words) -> bool:
        """Say whether any sample is not invalid; the same column again costs a comparison."""
        if self._seen[0] is not quality:
            invalid = quality & VALIDITY == INVALID
            self._seen = (quality, not invalid.all())
        return self._seen[1]

    def tick(self) -> None:
        """Pass on what became due by time alone."""
        self._send(self._report.tick(self._clock()))

    def retire(self) -> None:
        """Pass on nothing any more, whatever a link that does not close still brings."""
        self._outlet = lambda _: NOTHING
        self._calculating = None

    def refresh(self) -> None:
        """Pass on every value that is known, whether or not it is news."""
        self._send(self._report.refresh(self._clock()))

    def skipped(self, slots: int) -> None:
        """Count slots that were not served."""
        self._status.overruns += slots

    def tried(self) -> None:
        """Count an attempt to get a lost device back."""
        self._status.attempts += 1

    def took(self, seconds: float) -> None:
        """Note how long a scan that was answered took."""
        self.took_s = seconds
        self._scan_s += seconds
        if self._scan_times is not None:
            self._scan_times.observe(seconds)

    def answered(self, reading: "Reading", scan: Scan, now_s: float) -> None:
        """Note that the device answered ``scan``; what it left out has failed."""
        self.row = 0
        self._status.scans += 1
        self._asked[scan.name] = Asked(self._clock())
        self._settle()
        if reading.samples < len(scan.points):
            self._send(self._report.failed(reading.missing(scan), self._clock()))
        if reading.good_ns:
            self._barren.discard(scan.name)
            self._status.last_good_ns = reading.good_ns
            self._become(State.GOOD, now_s)
            return
        if not scan.points:
            self._nothing_new(now_s)
            return
        self._barren.add(scan.name)
        if self.state is State.LOST or self._is_barren:
            if self.state in {State.STARTING, State.GOOD}:
                log.warning("device_without_values", device=self.device.id)
            self._become(State.FAILING, now_s, NO_VALUES)

    @property
    def _is_barren(self) -> bool:
        return self._barren.issuperset(scan.name for scan in self.plan if scan.points)

    def _nothing_new(self, now_s: float) -> None:
        """Note that a poll of events was answered, without any: that says nothing of values."""
        if self.state is State.FAILING and self._status.last_good_ns and not self._is_barren:
            self._become(State.GOOD, now_s)

    def missed(self, reading: "Reading", scan: Scan, error: str, now_s: float) -> None:
        """Note that the device did not answer ``scan`` in time."""
        self.row += 1
        self._status.scans += 1
        self._status.failures += 1
        self._asked[scan.name] = Asked(self._clock(), error)
        self._settle()
        self._send(self._report.failed(reading.missing(scan), self._clock()))
        if self.state is not State.LOST:
            self._become(State.FAILING, now_s, error)

    def lost(self, error: str, retry_in_s: float, now_s: float) -> None:
        """Mark every point comm_lost; say so once."""
        self._settle()
        if self.state in {State.LOST, State.UNUSABLE}:
            self._status.error = error
            return
        self._status.attempts = 0
        self._become(State.LOST, now_s, error)
        log.warning(
            "device_lost", device=self.device.id, error=error, retry_in_s=round(retry_in_s, 1)
        )
        self._send(self._report.lost(self._clock()))

    def unusable(self, error: str, now_s: float) -> None:
        """Leave the device alone until a restart; say so once."""
        if self.state is not State.UNUSABLE:
            self._become(State.UNUSABLE, now_s, error)
            log.error("device_unusable", device=self.device.id, error=error)
            self._send(self._report.lost(self._clock()))

    def _become(self, state: State, now_s: float, error: str = "") -> None:
        status = self._status
        status.error = error
        if status.state is state:
            return
        if status.state is State.LOST and state is not State.UNUSABLE:
            log.info(
                "device_back",
                device=self.device.id,
                lost_for_s=round(now_s - self._lost_s, 1),
                attempts=status.attempts,
            )
        if state is State.LOST:
            self._lost_s = now_s
        status.state, status.since_ns = state, self._clock()

    def _send(self, batches: Sequence[Batch]) -> None:
        for batch in batches:
            self._outlet(batch)
            if self._calculating is not None:
                self._calculating.mark(batch)


class Intake:
    """What a session emits while it listens, on its way to the report."""

    __slots__ = ("_open", "_watch")

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._open = True

    def end(self) -> None:
        """Drop what is emitted from now on: the scan is over, or the link is gone."""
        self._open = False

    def __call__(self, batch: Batch) -> Receipt:
        """Take ``batch`` to the report."""
        return self._watch.take_alone(batch) if self._open else NOTHING


class Reading(Intake):
    """What a session emits in one scan."""

    __slots__ = ("_indexes", "good_ns", "samples")

    def __init__(self, watch: Watch) -> None:
        self._watch, self._open = watch, True
        self.samples = 0
        self.good_ns = 0
        """When the newest batch with a sample that is not invalid was received; 0 is none."""
        self._indexes: list[Index] = []

    def __call__(self, batch: Batch) -> Receipt:
        """Take ``batch`` to the report, and note which points it read."""
        if not self._open:
            return NOTHING
        index, watch = batch.index, self._watch
        self.samples += len(index)
        self._indexes.append(index)
        if watch.usable(batch.quality):
            self.good_ns = batch.received_ns
        return watch.take(batch)

    def missing(self, scan: Scan) -> Sequence[int]:
        """Return the points of ``scan`` that were not emitted."""
        if not self._indexes:
            return scan.points
        emitted = set(np.concatenate(self._indexes).tolist())
        return sorted(set(scan.points) - emitted)

"""The driver contract as tests that every driver's author runs.

Subclass `DriverContract` in a test module, say how to make the driver, its devices and a server,
and pytest collects one test per clause of `otgate.driver`. It needs no plug-in but one that runs
``async def`` tests (pytest-asyncio in auto mode, anyio). Each test puts a `Relay` between the
driver and the server, which is what goes silent, cuts and garbles. Set a test to None where the
protocol has nothing like it, with the reason beside it.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

from otgate.driver import DeviceState, Driver, Link, Session
from otgate.errors import LinkLost, Mistake, Mistakes
from otgate.model import Batch, Device, Scan, ValueType
from otgate.quality import VALIDITY_MASK, Quality
from otgate.testing.collected import Collected, flaws
from otgate.testing.relay import Manner, Relay, relayed


class Remembered:
    """A device state that lasts as long as the test."""

    def __init__(self) -> None:
        self._kept: dict[str, Any] = {}

    def get(self, key: str) -> Any:
        """Return what was put under ``key``, or None."""
        return self._kept.get(key)

    def put(self, key: str, value: Any) -> None:
        """Keep ``value`` under ``key``."""
        self._kept[key] = value


def claim(holds: object, otherwise: str) -> None:
    """Fail the test with a sentence.

    Raises:
        AssertionError: the claim does not hold.
    """
    if not holds:
        raise AssertionError(otherwise)


def types_by_point(device: Device, plan: Sequence[Scan]) -> list[ValueType]:
    """Return the value type of each point of ``device`` as its plan says."""
    types = [ValueType.F64] * len(device.points)
    for scan in plan:
        for point, value_type in zip(scan.points, scan.value_types, strict=True):
            types[point] = value_type
    return types


class Bench:
    """A connected driver with its relay, one device and what it emits."""

    def __init__(
        self, relay: Relay, device: Device, plan: Sequence[Scan], session: Session, answer_s: float
    ) -> None:
        self.relay = relay
        self.device = device
        self.plan = plan
        self.session = session
        self.got = Collected()
        self._answer_s = answer_s

    async def scan(self, scan: Scan) -> Sequence[Batch]:
        """Scan once and return the batches of this scan.

        Raises:
            AssertionError: the scan took longer than the driver may take.
        """
        self.got.clear()
        await punctual(self.session.scan(scan, self.got), self._answer_s)
        return list(self.got.batches)

    async def scan_all(self) -> dict[str, tuple[Any, int]]:
        """Scan everything once and return value and quality by point id."""
        samples: dict[str, tuple[Any, int]] = {}
        for scan in self.plan:
            await self.scan(scan)
            samples |= self.got.samples(self.device)
        return samples

    async def started(self, scan: Scan) -> "asyncio.Task[None]":
        """Start a scan and return once its first request is on the wire."""
        self.relay.asked.clear()
        task = asyncio.ensure_future(self.session.scan(scan, self.got))
        await punctual(self.relay.asked.wait(), self._answer_s)
        return task


async def punctual(work: Any, limit_s: float) -> None:
    """Await ``work``, which must end within ``limit_s`` seconds.

    Raises:
        AssertionError: it did not.
    """
    task = asyncio.ensure_future(work)
    done, _ = await asyncio.wait([task], timeout=limit_s)
    if not done:
        task.cancel()
        await asyncio.wait([task], timeout=1.0)
        raise AssertionError(f"still not done after {limit_s} s")
    await task


async def outcome(work: Any, limit_s: float) -> BaseException | None:
    """Await ``work`` and return what it raised, or None."""
    try:
        await punctual(work, limit_s)
    except (LinkLost, TimeoutError) as condition:
        return condition
    return None


class DriverContract(ABC):
    """Every clause that a driver keeps, whatever its protocol."""

    answer_s: float = 5.0
    """How long one scan may take to give up on a silent device."""

    @abstractmethod
    def driver(self) -> Driver:
        """Return the driver under test."""

    @abstractmethod
    def device(self, host: str, port: int) -> Device:
        """Return a device all of whose points read well, in at least two scan classes.

        No two points have the same value, so that an answer given to the wrong scan shows.
        """

    @abstractmethod
    def refused_device(self, host: str, port: int) -> tuple[Device, frozenset[str]]:
        """Return a device, and the ids of those of its points that the server refuses."""

    @abstractmethod
    def mistaken_device(self, host: str, port: int) -> Device:
        """Return a device with at least one point whose address makes no sense."""

    @abstractmethod
    def serving(self) -> AbstractAsyncContextManager[tuple[str, int]]:
        """Run a server that holds its values still and yield its host and port."""

    @abstractmethod
    def writes(self, sent: bytes) -> Sequence[str]:
        """Name each request in ``sent``, all that the driver sent, that is not a read."""

    @asynccontextmanager
    async def bench(self, *, refused: bool = False) -> AsyncIterator[Bench]:
        """Connect the driver to the server through a relay."""
        async with self.serving() as place, relayed(place) as relay:
            device = self.device(relay.host, relay.port)
            if refused:
                device, _ = self.refused_device(relay.host, relay.port)
            async with self.connected(device) as (plan, sessions):
                claim(set(sessions) == {device.id}, "connect yields a session per device id")
                yield Bench(relay, device, plan, sessions[device.id], self.answer_s)

    @asynccontextmanager
    async def connected(
        self, device: Device
    ) -> AsyncIterator[tuple[Sequence[Scan], Mapping[str, Session]]]:
        """Connect the driver to ``device`` alone."""
        driver = self.driver()
        plan = driver.plan(device)
        state: DeviceState = Remembered()
        async with driver.connect(Link([device], {device.id: plan}, {device.id: state})) as open_:
            yield plan, open_

    # Offline

    def test_it_is_a_driver(self) -> None:
        """The instance has every name of `otgate.driver.Driver`."""
        claim(isinstance(self.driver(), Driver), "a name of otgate.driver.Driver is missing")

    def test_its_settings_refuse_unknown_keys(self) -> None:
        """A misspelled key of the device entry is an error, never ignored."""
        config = getattr(self.driver().settings, "model_config", {})
        claim(config.get("extra") == "forbid", 'settings need model_config["extra"] = "forbid"')

    def test_its_housekeeping_is_said_in_words(self) -> None:
        """Each write the driver may send unasked is a sentence for `otgate plan`."""
        for words in self.driver().housekeeping:
            claim(words.strip(), "housekeeping lists sentences")

    def test_a_plan_is_deterministic(self) -> None:
        """Two instances plan the same, twice, and leave the device as it was."""
        device = self.device("192.0.2.1", 9)
        before = repr(device)
        first, again = self.driver().plan(device), self.driver().plan(device)
        claim(list(first) == list(again), "two plans of one device differ")
        claim(repr(device) == before, "plan modified the device")

    def test_a_plan_covers_each_point_once(self) -> None:
        """No point is forgotten and none is read twice."""
        device = self.device("192.0.2.1", 9)
        planned = sorted(point for scan in self.driver().plan(device) for point in scan.points)
        claim(planned == list(range(len(device.points))), f"points planned: {planned}")

    def test_a_plan_keeps_the_scan_classes(self) -> None:
        """Each scan has the period of a scan class, and a value type per point."""
        device = self.device("192.0.2.1", 9)
        for scan in self.driver().plan(device):
            claim(scan.period_s in device.scans.values(), f"{scan.name}: no such scan class")
            claim(len(scan.points) == len(scan.value_types), f"{scan.name}: lengths differ")

    def test_a_plan_names_its_mistakes(self) -> None:
        """What is wrong with a point map is found offline, with the point and the column."""
        device = self.mistaken_device("192.0.2.1", 9)
        mistakes = self._mistakes(device)
        ids = {point.id for point in device.points}
        claim(mistakes, "plan raised Mistakes without a mistake")
        for mistake in mistakes:
            claim(mistake.code and mistake.message, "a mistake needs a code and a message")
            claim(mistake.point is None or mistake.point in ids, f"no point {mistake.point!r}")

    def _mistakes(self, device: Device) -> Sequence[Mistake]:
        try:
            self.driver().plan(device)
        except Mistakes as raised:
            return raised.mistakes
        raise AssertionError("plan accepted a device that is wrong")

    def test_a_link_key_is_the_same_for_the_same_endpoint(self) -> None:
        """Devices on one endpoint share a link, those on another do not."""
        key = self.driver().link_key
        claim(
            hash(key(self.device("192.0.2.1", 9))) == hash(key(self.device("192.0.2.1", 9))),
            "one endpoint has two link keys",
        )
        claim(
            key(self.device("192.0.2.1", 9)) != key(self.device("192.0.2.2", 9)),
            "two endpoints share a link key",
        )

    # Connecting

    async def test_a_closed_port_is_a_lost_link(self) -> None:
        """Connect raises LinkLost, soon and as nothing else."""
        async with relayed(("127.0.0.1", 9)) as relay:
            await relay.stop()
            device = self.device(relay.host, relay.port)
            result = await outcome(self._connect(device), self.answer_s)
        claim(isinstance(result, LinkLost), f"a closed port gave {result!r}, not LinkLost")

    async def _connect(self, device: Device) -> None:
        async with self.connected(device):
            pass

    async def test_leaving_closes_the_connection(self) -> None:
        """Nothing stays open and no task stays behind when the block is left."""
        tasks = asyncio.all_tasks()
        async with self.bench() as bench:
            await bench.scan_all()
            claim(bench.relay.open_connections == 1, "one link is one connection")
            relay = bench.relay
        left = {task for task in asyncio.all_tasks() - tasks if not task.done()}
        await asyncio.wait([*left, asyncio.ensure_future(asyncio.sleep(0))], timeout=1.0)
        left = {task for task in left if not task.done()}
        claim(relay.open_connections == 0, "the connection stayed open")
        claim(not left, f"tasks left behind: {left}")

    # Scanning

    async def test_a_scan_emits_every_point_well_formed(self) -> None:
        """Columns have the planned types and equal lengths; every point is there once, good."""
        async with self.bench() as bench:
            types = types_by_point(bench.device, bench.plan)
            for scan in bench.plan:
                batches = await bench.scan(scan)
                found = [flaw for batch in batches for flaw in flaws(batch, bench.device, types)]
                claim(not found, "; ".join(found))
                emitted = sorted(point for batch in batches for point in batch.index.tolist())
                claim(emitted == sorted(scan.points), f"{scan.name} emitted points {emitted}")
                worst = max(int(batch.quality.max()) for batch in batches)
                claim(worst == Quality.GOOD, f"{scan.name}: quality {worst:#x} from a sound server")

    async def test_an_unchanged_reply_is_emitted_as_the_same_columns(self) -> None:
        """The same reply again is the same array objects with a new time."""
        async with self.bench() as bench:
            for scan in bench.plan:
                first, again = await bench.scan(scan), await bench.scan(scan)
                for one, two in zip(first, again, strict=True):
                    claim(one is not two, "each emission is a batch of its own")
                    claim(one.index is two.index, f"{scan.name}: index is another array")
                    claim(one.values is two.values, f"{scan.name}: values is another array")
                    claim(one.quality is two.quality, f"{scan.name}: quality is another array")
                    claim(one.received_ns <= two.received_ns, f"{scan.name}: time went back")

    async def test_a_refused_point_is_invalid_and_the_others_are_read(self) -> None:
        """A refusal costs the points it names and no others."""
        _, refused = self.refused_device("192.0.2.1", 9)
        async with self.bench(refused=True) as bench:
            await bench.scan_all()
            samples = await bench.scan_all()
        for point, (_, quality) in samples.items():
            invalid = quality & VALIDITY_MASK == Quality.INVALID
            claim(invalid == (point in refused), f"{point} has quality {quality:#x}")
            claim(not invalid or quality & Quality.NO_VALUE, f"{point} is refused with a value")
        claim(len(samples) == len(bench.device.points), "a point was not emitted at all")

    async def test_listening_ends_when_cancelled(self) -> None:
        """Listening runs beside scanning and stops at once when asked."""
        async with self.bench() as bench:
            listening = asyncio.ensure_future(bench.session.listen(bench.got))
            await bench.scan_all()
            claim(not listening.done() or listening.exception() is None, "listen failed")
            listening.cancel()
            done, _ = await asyncio.wait([listening], timeout=1.0)
            claim(done, "listen went on for a second after it was cancelled")

    async def test_it_writes_nothing_that_it_does_not_list(self) -> None:
        """A driver without housekeeping sends reads only."""
        async with self.bench() as bench:
            await bench.scan_all()
            written = self.writes(bytes(bench.relay.sent))
        allowed = len(self.driver().housekeeping) > 0
        claim(allowed or not written, f"written, though housekeeping is empty: {written}")

    # Faults

    async def test_a_cancelled_scan_does_not_shift_later_ones(self) -> None:
        """The late answer to a cancelled scan is given to nobody else."""
        async with self.bench() as bench:
            truth = await bench.scan_all()
            for scan in bench.plan:
                bench.relay.turns(Manner.HOLDING)
                task = await bench.started(scan)
                task.cancel()
                await asyncio.wait([task], timeout=1.0)
                claim(task.done(), "a scan went on for a second after it was cancelled")
                bench.relay.turns(Manner.FAITHFUL)
                claim(await bench.scan_all() == truth, "values changed after a cancelled scan")

    async def test_a_late_answer_is_not_given_to_a_later_scan(self) -> None:
        """What arrives after the driver gave up is dropped, or the link is."""
        async with self.bench() as bench:
            truth = await bench.scan_all()
            bench.relay.turns(Manner.HOLDING)
            late = await outcome(bench.scan(bench.plan[0]), self.answer_s)
            claim(isinstance(late, LinkLost | TimeoutError), "no answer is not an answer")
            bench.relay.turns(Manner.FAITHFUL)
            if not isinstance(late, LinkLost):
                again: dict[str, Any] = {}
                gone = await outcome(self._rescan(bench, again), 2 * self.answer_s)
                claim(isinstance(gone, LinkLost) or again == truth, "a late answer was believed")

    async def _rescan(self, bench: Bench, into: dict[str, Any]) -> None:
        into.update(await bench.scan_all())

    async def test_silence_is_a_timeout_or_a_lost_link(self) -> None:
        """A silent device is never waited for longer than ``answer_s``, and emits nothing good."""
        async with self.bench() as bench:
            bench.relay.turns(Manner.SILENT)
            result = await outcome(bench.scan(bench.plan[0]), self.answer_s)
            claim(isinstance(result, LinkLost | TimeoutError), "silence gave no condition")
            claim(not self._good(bench), "silence gave good samples")

    async def test_a_connection_closed_in_a_scan_is_a_lost_link_at_once(self) -> None:
        """Whoever waits for a reply is told when the connection ends, not when time is up."""
        async with self.bench() as bench:
            bench.relay.turns(Manner.CUTTING)
            result = await outcome(bench.scan(bench.plan[0]), 1.0)
            claim(isinstance(result, LinkLost), f"a closed connection gave {result!r}")

    async def test_a_connection_reset_between_scans_is_a_lost_link(self) -> None:
        """The next scan after a reset says so at once."""
        async with self.bench() as bench:
            await bench.scan_all()
            bench.relay.cut()
            result = await outcome(bench.scan(bench.plan[0]), 1.0)
            claim(isinstance(result, LinkLost), f"a reset connection gave {result!r}")

    async def test_garbage_is_never_a_good_value(self) -> None:
        """Random bytes in place of replies end in a condition or an invalid sample."""
        for _ in range(5):
            async with self.bench() as bench:
                bench.relay.turns(Manner.GARBLED)
                await outcome(bench.scan(bench.plan[0]), self.answer_s)
                claim(not self._good(bench), "random bytes were emitted as good samples")

    def _good(self, bench: Bench) -> dict[str, tuple[Any, int]]:
        samples = bench.got.samples(bench.device).items()
        return {
            point: (value, quality)
            for point, (value, quality) in samples
            if quality & VALIDITY_MASK != Quality.INVALID
        }

    async def test_a_server_that_comes_back_is_read_again(self) -> None:
        """After a lost link a new connection works as the first did."""
        async with self.bench() as bench:
            truth = await bench.scan_all()
            await bench.relay.stop()
            claim(
                isinstance(await outcome(bench.scan(bench.plan[0]), 1.0), LinkLost),
                "a stopped server is not a lost link",
            )
            await bench.relay.start()
            async with self.connected(bench.device) as (plan, sessions):
                again = Bench(
                    bench.relay, bench.device, plan, sessions[bench.device.id], self.answer_s
                )
                claim(await again.scan_all() == truth, "values changed after reconnecting")

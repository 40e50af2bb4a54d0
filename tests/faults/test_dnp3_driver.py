"""The DNP3 driver against our outstation on loopback: what it reads, confirms, and survives."""

import asyncio
from contextlib import suppress
from typing import Any

import pytest

from dnp3_devices import device, point, running, until
from otgate.driver import Trouble
from otgate.errors import LinkLost
from otgate.model import Device, Kind, Origin
from otgate.quality import Quality, names
from otgate.testing.contract import Remembered
from otgate_sim.dnp3.database import Entry
from otgate_sim.dnp3.faults import Dnp3Fault
from otgate_sim.dnp3.outstation import Outstation
from otgate_sim.dnp3.server import Endpoint
from outstations import AI, AOS, BI, BO, CTR, DBI, FCTR, OCT, listening, outstation

START_MS = 1_700_000_000_000
CLASSES = (1, 2, 3)
UNASKED = (Origin.UNSOLICITED,)
EVENTS = (Origin.EVENT, Origin.UNSOLICITED)

POINTS = (
    point("trip", "bi 0", kind=Kind.EVENT),
    point("cb", "dbi 0", kind=Kind.STATUS),
    point("fan", "bo 1", kind=Kind.STATUS),
    point("energy", "ctr 4", kind=Kind.COUNTER),
    point("frozen", "fctr 4", kind=Kind.COUNTER),
    point("ia", "ai 12"),
    point("temperature", "ai 13", scale=0.1),
    point("setpoint", "aos 1"),
    point("name", "oct 2", kind=Kind.TEXT),
)
TRIP, CB, FAN, ENERGY, FROZEN, IA, TEMPERATURE, SETPOINT, NAME = range(9)


def rtu(**options: Any) -> Outstation:
    return outstation(
        Entry(BI, 0, 1, value=0),
        Entry(DBI, 0, 1, value=2),
        Entry(BO, 1, 1, value=1),
        Entry(CTR, 4, 3, value=4_000_000_000),
        Entry(FCTR, 4, 3, value=39),
        Entry(AI, 12, 2, 5, 7, value=0.1),
        Entry(AI, 13, 2, 1, 3, value=372),
        Entry(AOS, 1, 2, value=17),
        Entry(OCT, 2, 3, value=b"RTU 7"),
        **{"hold_s": 0.0, "needs_time": False, "confirm_s": 1.0, **options},
    )


def on(endpoint: Endpoint, **settings: Any) -> Device:
    return device(*POINTS, port=endpoint.port, **settings)


async def test_an_integrity_poll_reads_every_type_exactly() -> None:
    made = rtu()
    async with listening(made) as endpoint, running(on(endpoint)) as run:
        await run.scan()
        values = [run.disk.last(number) for number in range(len(POINTS))]
        assert {batch.origin for batch in run.disk.batches} == {Origin.INTEGRITY}
    assert values == [
        (False, 0),
        (2, 0),
        (True, 0),
        (4_000_000_000, 0),
        (39, 0),
        (0.1, 0),
        (37.2, 0),
        (17.0, 0),
        ("RTU 7", 0),
    ]


async def test_the_start_up_clears_the_restart_and_enables_unsolicited_reports() -> None:
    made = rtu()
    async with listening(made) as endpoint, running(on(endpoint, unsolicited=[1, 3])) as run:
        await run.scan()
        await until(lambda: made.session.unsolicited.enabled == {1, 3})
        assert not made.rtu.restarted


async def test_the_clock_is_set_only_where_that_is_asked_for() -> None:
    for sync, is_set in (("off", False), ("lan", True), ("nonlan", True), ("plain", True)):
        made = rtu(needs_time=True)
        async with listening(made) as endpoint, running(on(endpoint, time_sync=sync)) as run:
            await run.scan()
            await until(lambda made=made: made.session.unsolicited.enabled)  # type: ignore[misc]
            await asyncio.sleep(0.1)
            assert made.rtu.needs_time is not is_set


async def test_events_come_unasked_with_their_own_time_and_are_confirmed() -> None:
    made = rtu()
    async with listening(made) as endpoint, running(on(endpoint)) as run:
        await run.scan()
        made.burst(DBI, 0, 50, START_MS)
        made.set(AI, 12, 7.5, time_ms=START_MS + 7)
        await until(lambda: len(made.confirmed) == 51)
        rows = run.disk.rows(*UNASKED)
    assert [row[3] for row in rows if row[0] == CB] == list(range(START_MS, START_MS + 50))
    assert [row[1] for row in rows if row[0] == CB][:3] == [1, 2, 1]
    assert [row for row in rows if row[0] == IA] == [(IA, 7.5, 0, START_MS + 7)]


async def test_events_of_each_type_are_polled_by_class() -> None:
    made = rtu(unsolicited=False)
    settings = {"unsolicited": "off", "event_poll_s": 5.0}
    async with listening(made) as endpoint, running(on(endpoint, **settings)) as run:
        await run.scan()
        made.set(BI, 0, 1, time_ms=START_MS)
        made.set(BO, 1, 0, time_ms=START_MS)
        made.set(CTR, 4, 5, time_ms=START_MS)
        made.set(AI, 13, -5, time_ms=START_MS)
        made.set(AOS, 1, 18, time_ms=START_MS)
        made.set(OCT, 2, b"RTU 8")
        run.disk.clear()
        await run.scan("events 1+2+3")
        rows = run.disk.rows(Origin.EVENT)
        assert len(run.disk.rows()) == len(rows)
        await until(lambda: len(made.confirmed) == 6)
    assert sorted(rows, key=lambda row: row[0]) == [
        (TRIP, True, 0, START_MS),
        (FAN, False, 0, START_MS),
        (ENERGY, 5, 0, START_MS),
        (TEMPERATURE, -0.5, 0, START_MS),
        (SETPOINT, 18.0, 0, START_MS),
        (NAME, "RTU 8", 0, None),
    ]


async def test_an_event_older_than_the_static_value_is_an_event_all_the_same() -> None:
    made = rtu(unsolicited=False)
    async with listening(made) as endpoint, running(on(endpoint, unsolicited="off")) as run:
        await run.scan()
        made.burst(BI, 0, 3, START_MS)
        run.disk.clear()
        await run.scan()
        rows = [row for row in run.disk.rows() if row[0] == TRIP]
    assert [(row[1], row[3]) for row in rows] == [
        (True, START_MS),
        (False, START_MS + 1),
        (True, START_MS + 2),
        (True, None),
    ]


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (0x00, ("invalid", "failure")),
        (0x03, ("invalid", "restart")),
        (0x05, ("invalid", "old_data", "comm_lost")),
        (0x11, ("questionable", "substituted", "operator_blocked")),
        (0x41, ("questionable", "bad_reference")),
    ],
)
async def test_flags_arrive_as_quality_with_the_value(flags: int, told: tuple[str, ...]) -> None:
    made = rtu()
    async with listening(made) as endpoint, running(on(endpoint)) as run:
        made.set(AI, 13, 10, flags)
        await run.scan()
        value, quality = run.disk.last(TEMPERATURE)
    assert (value, names(quality)) == (1.0, told)


async def test_a_relative_time_counts_from_the_common_one_and_says_if_that_was_not_set() -> None:
    for needs_time, told in ((False, ("good",)), (True, ("good", "clock_unsynchronised"))):
        made = outstation(Entry(BI, 0, 1, event_variation=3), hold_s=0.0, needs_time=needs_time)
        async with listening(made) as endpoint:
            one = device(point("trip", "bi 0"), port=endpoint.port)
            async with running(one) as run:
                await run.scan()
                made.set(BI, 0, 1, time_ms=START_MS)
                await until(lambda made=made: len(made.confirmed) == 1)  # type: ignore[misc]
                [(_, value, quality, stamp)] = run.disk.rows(*UNASKED)
        assert (value, names(quality), stamp) == (True, told, START_MS)


async def test_a_device_in_local_time_is_read_by_its_zone() -> None:
    made = rtu()
    async with (
        listening(made) as endpoint,
        running(on(endpoint, time_zone="Asia/Tokyo")) as run,
    ):
        await run.scan()
        made.set(BI, 0, 1, time_ms=START_MS)
        await until(lambda: run.disk.rows(*UNASKED))
        assert run.disk.rows(*UNASKED)[0][3] == START_MS - 9 * 3_600_000


async def test_a_point_that_the_outstation_lacks_is_named_and_has_no_value() -> None:
    made = rtu()
    async with listening(made) as endpoint:
        one = device(*POINTS, point("gone", "ai 99"), port=endpoint.port)
        async with running(one) as run:
            await run.scan()
            _, quality = run.disk.last(len(POINTS))
            assert names(quality) == ("invalid", "no_value", "illegal_address")
            assert run.disk.last(IA) == (0.1, 0)


class Junk:
    """Chance, which always puts the same octets behind what is right."""

    def randrange(self, *_: int) -> int:
        return 2

    def randbytes(self, size: int) -> bytes:
        return b"\xfe" * size


async def test_a_point_may_be_in_what_could_not_be_read() -> None:
    made = rtu()
    async with listening(made) as endpoint:
        one = device(*POINTS, point("gone", "ai 99"), port=endpoint.port)
        async with running(one) as run:
            made.trouble.rng = Junk()  # type: ignore[assignment]
            made.trouble.begin(Dnp3Fault.CORRUPT_BODY)
            await run.scan()
            assert run.session.counts.unreadable
            assert run.session.trouble().malformed == run.session.counts.unreadable
            assert {row[0] for row in run.disk.rows()} == set(range(len(POINTS)))
            made.trouble.begin(Dnp3Fault.NONE)
            await run.scan()
            assert run.disk.last(len(POINTS))[1] & Quality.ILLEGAL_ADDRESS


async def test_a_point_that_only_events_report_keeps_its_last_value() -> None:
    made = rtu()
    made.database.of(OCT)[2].in_class_0 = False
    async with listening(made) as endpoint, running(on(endpoint)) as run:
        await run.scan()
        assert run.disk.last(NAME)[1] & Quality.ILLEGAL_ADDRESS
        made.set(OCT, 2, b"RTU 9")
        await until(lambda: run.disk.rows(*UNASKED))
        await run.scan()
        assert run.disk.last(NAME) == ("RTU 9", 0)


async def test_unsolicited_data_before_the_integrity_poll_is_neither_sent_nor_confirmed() -> None:
    made = rtu()
    made.session.unsolicited.enabled.update(CLASSES)
    made.session.unsolicited.greeted = True
    made.burst(BI, 0, 3, START_MS)
    async with listening(made) as endpoint, running(on(endpoint)) as run:
        await asyncio.sleep(0.3)
        assert not run.disk.batches
        assert not made.confirmed
        await run.scan()
        await until(lambda: len(made.confirmed) == 3)
        assert {batch.origin for batch in run.disk.batches if batch.source_ns is not None} == {
            Origin.EVENT
        }


# Confirm after durable


async def test_a_fragment_is_confirmed_only_once_it_is_durable() -> None:
    made = rtu(confirm_s=5.0)
    async with listening(made) as endpoint, running(on(endpoint)) as run:
        await run.scan()
        run.disk.stuck.set()
        made.burst(BI, 0, 5, START_MS)
        await until(lambda: run.disk.waits)
        await asyncio.sleep(0.2)
        assert len(run.disk.rows(*UNASKED)) == 5
        assert not made.confirmed
        run.disk.stuck.clear()
        await until(lambda: len(made.confirmed) == 5)


async def test_what_could_not_be_kept_is_sent_again_and_the_session_goes_on() -> None:
    made = rtu(confirm_s=0.5, offline_s=0.3)
    async with listening(made) as endpoint, running(on(endpoint)) as run:
        await run.scan()
        run.disk.stuck.set()
        made.burst(BI, 0, 5, START_MS)
        await until(lambda: run.disk.waits)
        run.disk.waits = -1000
        await until(lambda: run.session.counts.undurable)
        assert not made.confirmed
        run.disk.stuck.clear()
        await until(lambda: len(made.confirmed) == 5)
        stamps = [row[3] for row in run.disk.rows(*EVENTS)]
    assert list(dict.fromkeys(stamps)) == list(range(START_MS, START_MS + 5))


async def test_a_poll_that_waits_for_a_slow_disk_is_answered_and_its_events_come_once() -> None:
    made = rtu(unsolicited=False, confirm_s=5.0)
    settings = {"unsolicited": "off", "event_poll_s": 0.3}
    async with listening(made) as endpoint, running(on(endpoint, **settings)) as run:
        await run.scan()
        run.disk.stuck.set()
        made.burst(BI, 0, 5, START_MS)
        for _ in range(4):
            await run.scan("events 1+2+3")
        assert not made.confirmed
        run.disk.stuck.clear()
        await until(lambda: len(made.confirmed) == 5)
        await run.scan("events 1+2+3")
        assert len(run.disk.rows(Origin.EVENT)) == 5


async def test_a_session_that_can_confirm_no_more_is_a_defect_and_not_silence() -> None:
    made = rtu()
    async with listening(made) as endpoint, running(on(endpoint)) as run:
        await run.scan()
        run.session._owed.put_nowait(None)  # type: ignore[arg-type]  # what no session does
        with pytest.raises(AttributeError):
            await asyncio.wait_for(run.session.listen(run.disk), 5.0)


async def test_static_data_waits_for_no_disk() -> None:
    made = rtu(fragment=292, unsolicited=False)
    async with listening(made) as endpoint, running(on(endpoint, unsolicited="off")) as run:
        run.disk.stuck.set()
        await run.scan()
        assert run.disk.waits == 0
        assert run.disk.last(NAME) == ("RTU 7", 0)


# Restart, overflow, loss


async def test_a_restart_is_followed_by_an_integrity_poll_and_clears_nothing_else() -> None:
    made = rtu()
    async with listening(made) as endpoint:
        async with running(on(endpoint)) as run:
            await run.scan()
            made.restart()
            with pytest.raises(LinkLost):
                await run.scan()
        async with running(on(endpoint)) as run:
            await run.scan()
            await until(lambda: made.session.unsolicited.enabled == {1, 2, 3})
            assert not made.rtu.restarted


async def test_a_restart_on_a_connection_that_stays_makes_everything_due_again() -> None:
    made = rtu()
    async with listening(made) as endpoint, running(on(endpoint)) as run:
        await run.scan()
        await until(lambda: made.session.unsolicited.enabled)
        run.disk.clear()
        made.session.restart(keeps_events=False)
        made.session.link_up()
        made.rtu.wake()
        await until(lambda: made.session.unsolicited.enabled == {1, 2, 3})
        assert len(run.disk.rows(Origin.INTEGRITY)) >= len(POINTS)
        assert not made.rtu.restarted


async def test_an_overflow_causes_one_integrity_poll_and_not_a_loop() -> None:
    made = rtu(capacity={1: 10, 2: 10, 3: 10})
    async with listening(made) as endpoint, running(on(endpoint)) as run:
        await run.scan()
        await until(lambda: made.session.unsolicited.enabled)
        before = made.session.counts["READ"]
        made.trouble.begin(Dnp3Fault.OVERFLOW)
        made.burst(BI, 0, 3, START_MS)
        await until(lambda: made.session.counts["READ"] == before + 1)
        made.burst(BI, 0, 3, START_MS + 10)
        await until(lambda: len(made.confirmed) == 6)
        await asyncio.sleep(0.3)
        assert made.session.counts["READ"] == before + 1


async def test_cut_links_lose_no_event_and_none_comes_out_of_order() -> None:
    cuts, each = 20, 300
    made = rtu(fragment=500, capacity=dict.fromkeys(CLASSES, 20_000))
    stamps: list[int | None] = []
    async with listening(made) as endpoint:
        for cut in range(cuts):
            async with running(on(endpoint)) as run:
                before = len(made.confirmed)
                made.burst(BI, 0, each, START_MS + cut * each)
                await run.scan()
                await until(lambda before=before: len(made.confirmed) > before + 20)  # type: ignore[misc]
                endpoint.hang_up()
                stamps += [row[3] for row in run.disk.rows(*EVENTS) if row[0] == TRIP]
        async with running(on(endpoint)) as run:
            await run.scan()
            await until(lambda: len(made.confirmed) == cuts * each)
            stamps += [row[3] for row in run.disk.rows(*EVENTS) if row[0] == TRIP]
    firsts = list(dict.fromkeys(stamps))
    assert firsts == list(range(START_MS, START_MS + cuts * each))
    assert not made.rtu.buffer.lost


HARMLESS = {Dnp3Fault.NONE, Dnp3Fault.RESTART, Dnp3Fault.CORRUPT_BODY}


@pytest.mark.parametrize("fault", [each for each in Dnp3Fault if each not in HARMLESS])
async def test_no_fault_yields_a_wrong_good_value_and_every_event_comes(fault: Dnp3Fault) -> None:
    made = rtu(confirm_s=0.2, retries=1, offline_s=0.2, late_s=0.1)
    rows = []
    async with listening(made) as endpoint:
        async with running(on(endpoint, timeout_s=0.4)) as run:
            await run.scan()
            made.trouble.begin(fault)
            made.burst(BI, 0, 5, START_MS)
            with_fault = asyncio.ensure_future(run.scan())
            await asyncio.wait([with_fault], timeout=0.6)
            with_fault.cancel()
            await asyncio.gather(with_fault, return_exceptions=True)
            made.trouble.begin(Dnp3Fault.NONE)
            rows += run.disk.rows()
        async with running(on(endpoint)) as run:
            await run.scan()
            await until(lambda: len(made.confirmed) == 5)
            rows += run.disk.rows()
    good = [row for row in rows if not row[2] & Quality.INVALID]
    assert {row[3] for row in good if row[3] is not None} == set(range(START_MS, START_MS + 5))
    assert {row[1] for row in good if row[0] == IA} == {0.1}
    assert {row[1] for row in good if row[0] == NAME} == {"RTU 7"}


# Channels


async def test_outstations_share_a_channel_and_one_that_is_silent_costs_no_other() -> None:
    one, two = rtu(), rtu(outstation=11)
    two.set(AI, 12, 9.5)
    async with listening(one, two) as endpoint:
        devices = [on(endpoint), on(endpoint, name="rtu2", outstation=11)]
        async with running(*devices) as run:
            await run.scan(device="rtu1")
            await run.scan(device="rtu2")
            assert run.got["rtu1"].last(IA) == (0.1, 0)
            assert run.got["rtu2"].last(IA) == (9.5, 0)
            assert endpoint.connections == 1
            one.trouble.begin(Dnp3Fault.SILENT)
            with pytest.raises(TimeoutError):
                await run.scan(device="rtu1")
            two.burst(BI, 0, 5, START_MS)
            await until(lambda: len(two.confirmed) == 6)
            await run.scan(device="rtu2")


async def test_an_outstation_that_fell_silent_on_a_shared_channel_comes_back() -> None:
    one, two = rtu(), rtu(outstation=11)
    async with listening(one, two) as endpoint:
        settings = {"keep_alive_s": 0.2, "timeout_s": 0.2}
        devices = [on(endpoint, **settings), on(endpoint, name="b", outstation=11, **settings)]
        async with running(*devices) as run:
            await run.scan(device="rtu1")
            one.trouble.begin(Dnp3Fault.SILENT)
            with pytest.raises(TimeoutError):
                await run.scan(device="rtu1")
            await asyncio.sleep(1.0)
            one.trouble.begin(Dnp3Fault.NONE)
            run.got["rtu1"].clear()
            await run.scan(device="rtu1")
            assert run.got["rtu1"].last(IA) == (0.1, 0)
            assert endpoint.connections == 1


async def test_a_silent_outstation_alone_on_its_channel_is_a_lost_link() -> None:
    made = rtu()
    async with (
        listening(made) as endpoint,
        running(on(endpoint, keep_alive_s=0.2, timeout_s=0.2)) as run,
    ):
        await run.scan()
        made.trouble.begin(Dnp3Fault.SILENT)
        with pytest.raises(LinkLost, match="silent"):
            await asyncio.wait_for(run.session.listen(run.disk), 5.0)


async def test_the_backup_is_taken_where_the_first_place_is_closed() -> None:
    made = rtu()
    async with listening(made) as endpoint:
        urls = {"url": "tcp://127.0.0.1:9", "backup": f"tcp://127.0.0.1:{endpoint.port}"}
        async with running(device(*POINTS, **urls)) as run:
            await run.scan()
            assert run.disk.last(IA) == (0.1, 0)


async def test_a_place_where_nothing_could_be_read_is_tried_last() -> None:
    dead, live = rtu(), rtu()
    dead.trouble.begin(Dnp3Fault.SILENT)
    state = Remembered()
    async with listening(dead) as first, listening(live) as second:
        urls = [f"tcp://127.0.0.1:{each.port}" for each in (first, second)]
        one = device(*POINTS, url=urls[0], backup=urls[1], timeout_s=0.2)
        async with running(one, state=state) as run:
            with pytest.raises(TimeoutError):
                await run.scan()
        for _ in range(2):
            async with running(one, state=state) as run:
                await run.scan()
        assert (first.connections, second.connections) == (1, 2)


async def test_an_outstation_may_be_the_one_that_connects() -> None:
    made = rtu()
    endpoint = Endpoint([made])
    async with listening(outstation()) as free:
        port = free.port
    one = device(*POINTS, listen=f"tcp://127.0.0.1:{port}", peers=["127.0.0.1"])

    async def dial() -> None:
        while True:
            try:
                return await endpoint.dial("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.02)

    dialling = asyncio.ensure_future(dial())
    async with running(one) as run:
        await dialling
        await run.scan()
        assert run.disk.last(IA) == (0.1, 0)
    endpoint.hang_up()


async def test_an_outstation_is_reached_by_datagrams() -> None:
    made = rtu()
    endpoint = Endpoint([made])
    port = await endpoint.start_udp()
    try:
        async with running(device(*POINTS, url=f"udp://127.0.0.1:{port}")) as run:
            await run.scan()
            made.burst(BI, 0, 5, START_MS)
            await until(lambda: len(made.confirmed) == 5)
            assert run.disk.last(IA) == (0.1, 0)
    finally:
        await endpoint.stop()


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        (Dnp3Fault.CORRUPT, "malformed"),
        (Dnp3Fault.FORGED_ADDRESS, "unexpected"),
    ],
)
async def test_spoilt_frames_and_those_of_strangers_are_told_as_trouble(
    fault: Dnp3Fault, kind: str
) -> None:
    made = rtu()
    async with listening(made) as endpoint, running(on(endpoint, timeout_s=0.3)) as run:
        await run.scan()
        assert run.session.trouble() == Trouble()
        made.trouble.begin(fault)
        with suppress(TimeoutError, LinkLost):
            await run.scan()
        met = run.session.trouble()
        assert getattr(met, kind) > 0
        assert sum(met) == getattr(met, kind)

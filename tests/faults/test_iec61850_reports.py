"""Reports of the IEC 61850 driver against a server that cuts, forgets, overflows and lies."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from ied_served import (
    RCB,
    START_NS,
    Disk,
    Ied,
    S,
    device,
    ied,
    stamp,
    talking,
    until,
)
from mms_served import DOMAIN, GOOD
from otgate.errors import LinkLost
from otgate.model import Device
from otgate.quality import Quality
from otgate.testing.contract import Remembered
from otgate_iec61850.mms.naming import Name
from otgate_iec61850.mms.report import Option, Reason, options
from otgate_iec61850.mms.values import Bits, Unsigned

W, CB = 0, 1
MISSED = int(Quality.QUESTIONABLE | Quality.OLD_DATA)

pytestmark = pytest.mark.both_loops


def made(served: Ied, **settings: Any) -> Device:
    return device(port=served.port, reports=[{"rcb": RCB}], **settings)


def move(served: Ied, step: int, state: int) -> None:
    served.change("XCBR1$ST$Pos", (Bits(2, state), GOOD, stamp(step)))


def events(talk: Any) -> list[tuple[Any, int, int | None, str]]:
    return [told for told in talk.disk.of(CB) if told[3] == "EVENT"]


async def test_a_change_arrives_with_its_own_time_quality_and_origin() -> None:
    async with ied() as served, talking(made(served), Remembered()) as talk:
        await until(lambda: served.holder)
        move(served, 7, 1)
        await until(lambda: events(talk))  # the interrogation may come before or after it
        assert events(talk) == [(1, 0, START_NS + 7 * S, "EVENT")]


async def test_the_first_values_come_by_interrogation_and_not_by_reading() -> None:
    async with ied() as served, talking(made(served), Remembered()) as talk:
        await talk.scan()
        assert talk.disk.of(W)[0] == (412.5, 0, START_NS, "GI")
        asked = [name for each in served.asked for name in getattr(each, "access", ())]
        assert Name(DOMAIN, "MMXU1$MX$TotW") not in [getattr(one, "name", None) for one in asked]


async def test_the_block_is_set_up_before_it_is_enabled_and_interrogated_after() -> None:
    async with ied() as served, talking(made(served), Remembered()) as talk:
        await talk.scan()
        names = [name for name, _ in served.writes]
        assert names == ["OptFlds", "TrgOps", "RptEna", "GI"]


async def test_what_no_report_covers_is_polled() -> None:
    async with ied() as served, talking(made(served), Remembered()) as talk:
        await talk.scan("normal")
        assert talk.disk.of(3)[-1] == (123456789012, 0, START_NS, "POLL")
        assert talk.disk.of(4)[-1][0] == "relay 7"


async def test_a_scan_says_again_what_reports_brought_while_the_server_reports() -> None:
    async with ied() as served, talking(made(served), Remembered()) as talk:
        await talk.scan()
        talk.disk.clear()
        await talk.scan()
        assert talk.disk.of(W) == [(412.5, 0, START_NS, "POLL")]


async def test_every_event_of_twenty_cuts_arrives_once_and_in_order() -> None:
    state, disk, step = Remembered(), Disk(), 0
    async with ied() as served:
        for _ in range(20):
            async with talking(made(served), state, disk):
                await until(lambda: served.holder)
                for _ in range(5):
                    step += 1
                    move(served, step, step % 4)
                newest = START_NS + step * S
                await until(lambda: any(t == newest for _, _, t, _ in disk.of(CB)))  # noqa: B023
                served.drop()
            for _ in range(5):
                step += 1
                move(served, step, step % 4)
        async with talking(made(served), state, disk):
            newest = START_NS + step * S
            await until(lambda: any(t == newest for _, _, t, _ in disk.of(CB)))
    times = [t for _, _, t, origin in disk.of(CB) if origin == "EVENT"]
    assert times == [START_NS + n * S for n in range(1, step + 1)]


async def test_an_entry_is_kept_only_once_it_is_durable() -> None:
    state, disk = Remembered(), Disk()
    async with ied() as served:
        disk.flowing.clear()
        async with talking(made(served), state, disk):
            await until(lambda: served.holder and disk.of(CB))
            assert not state.get("reports")[RCB]["entry"]
            disk.flowing.set()
            await until(lambda: state.get("reports")[RCB]["entry"])
            assert state.get("reports")[RCB]["entry"] == served.entries[-1][0].hex()


async def test_what_was_not_durable_comes_again() -> None:
    state, disk = Remembered(), Disk()
    async with ied() as served:
        disk.flowing.clear()
        async with talking(made(served), state, disk):
            await until(lambda: served.holder)
            move(served, 1, 1)
            await until(lambda: any(t == START_NS + S for _, _, t, _ in disk.of(CB)))
            served.drop()
        disk.flowing.set()
        disk.clear()
        async with talking(made(served), state, disk):
            await until(lambda: any(t == START_NS + S for _, _, t, _ in disk.of(CB)))


async def test_an_entry_that_the_server_forgot_is_a_gap_and_then_an_interrogation() -> None:
    state, disk = Remembered(), Disk()
    async with ied() as served:
        async with talking(made(served), state, disk) as talk:
            await talk.scan()
            await until(lambda: state.get("reports")[RCB]["entry"])
            served.drop()
        served.forget()
        disk.clear()
        async with talking(made(served), state, disk):
            await until(lambda: len(disk.of(CB)) > 1)
    assert disk.of(CB)[0][1] & Quality.OLD_DATA
    assert disk.of(CB)[0][3] == "EVENT"
    assert disk.of(CB)[1] == (2, 0, START_NS, "GI")


async def test_a_report_that_is_missing_comes_again_after_the_association_was_ended() -> None:
    state, disk = Remembered(), Disk()
    async with ied() as served:
        async with talking(made(served), state, disk) as talk:
            await talk.scan()
            await until(lambda: state.get("reports")[RCB]["entry"])
            served.altered = lambda report: None
            move(served, 1, 1)
            served.altered = lambda report: report
            move(served, 2, 2)
            await until(talk.session._broken.done)
            served.drop()
        disk.clear()
        async with talking(made(served), state, disk):
            await until(lambda: len(disk.of(CB)) > 1)
    assert [time for _, _, time, _ in disk.of(CB)[:2]] == [START_NS + S, START_NS + 2 * S]


async def test_reports_that_never_come_in_turn_mark_the_points_and_interrogate() -> None:
    state = Remembered()
    async with ied() as served, talking(made(served), state) as talk:
        await talk.scan()
        await until(lambda: state.get("reports")[RCB]["entry"])
        kept = state.get("reports")
        state.put("reports", {RCB: kept[RCB] | {"breaks": 3}})
        served.sent += 3
        talk.disk.clear()
        move(served, 1, 1)
        await until(lambda: len(talk.disk.of(CB)) > 2)
        marked, event, interrogated = talk.disk.of(CB)[:3]
        assert marked == (2, MISSED, START_NS, "EVENT")
        assert event == (1, 0, START_NS + S, "EVENT")
        assert interrogated == (1, 0, START_NS + S, "GI")
        assert talk.session.subscriptions[0].counts.gaps == 1


async def test_an_overflow_of_the_servers_buffer_marks_the_points_and_interrogates() -> None:
    async with ied() as served, talking(made(served), Remembered()) as talk:
        await talk.scan()
        served.altered = lambda report: replace(report, overflow=report.reasons == [0x40])
        talk.disk.clear()
        move(served, 1, 1)
        await until(lambda: len(talk.disk.of(CB)) > 2)
        assert [quality for _, quality, _, _ in talk.disk.of(CB)[:3]] == [MISSED, 0, 0]
        assert talk.session.subscriptions[0].counts.overflows == 1


@pytest.mark.parametrize(
    ("attribute", "value", "free"),
    [("RptEna", True, False), ("Owner", b"\x0a\0\0\7", False), ("Owner", b"\x7f\0\0\1", True)],
)
async def test_a_block_that_another_client_has_is_left_alone_and_its_points_are_polled(
    attribute: str,
    value: object,
    free: bool,  # noqa: FBT001
) -> None:
    async with ied() as served:
        served.block[attribute] = value
        served._show()
        async with talking(made(served), Remembered()) as talk:
            await talk.scan()
            assert bool(served.writes) is free
            assert talk.disk.of(W)[-1][:2] == (412.5, 0)


async def test_a_block_reserved_for_another_is_left_alone() -> None:
    async with ied() as served:
        served.block |= {"ResvTms": 30, "Owner": b"\x0a\0\0\7"}
        served._show()
        async with talking(made(served), Remembered()) as talk:
            await talk.scan()
            assert not served.writes


async def test_a_report_of_another_configuration_ends_the_association() -> None:
    async with ied() as served, talking(made(served), Remembered()) as talk:
        await talk.scan()
        served.altered = lambda report: replace(report, conf_rev=Unsigned(2))
        move(served, 1, 1)
        await until(lambda: talk.session.counts.changed)


async def test_a_report_of_more_members_than_the_data_set_has_ends_the_association() -> None:
    async with ied() as served, talking(made(served), Remembered()) as talk:
        await talk.scan()
        served.altered = lambda report: replace(report, size=9)
        move(served, 1, 1)
        await until(lambda: talk.session.counts.changed)


async def test_reports_of_nobody_and_malformed_ones_are_counted_and_passed_over() -> None:
    async with ied() as served, talking(made(served), Remembered()) as talk:
        await talk.scan()
        served.altered = lambda report: replace(report, rpt_id="other")
        move(served, 1, 1)
        wire = talk.session._wire
        await until(lambda: wire.counts.strangers)
        served.altered = lambda report: replace(report, values=report.values[:-1])
        move(served, 2, 1)
        await until(lambda: wire.counts.malformed)
        await talk.scan("normal")


async def test_options_that_a_server_masks_are_not_written_again() -> None:
    state = Remembered()
    async with ied() as served:
        served.masked = 1 << 1
        async with talking(made(served), state) as talk:
            await talk.scan()
            served.drop()
        served.writes.clear()
        async with talking(made(served), state) as talk:
            await talk.scan()
        assert [name for name, _ in served.writes] == ["EntryID", "RptEna", "GI"]


async def test_reports_that_the_server_turned_off_are_turned_on_again() -> None:
    async with ied() as served, talking(made(served), Remembered()) as talk:
        await talk.scan()
        served.release()
        talk.disk.clear()
        await talk.scan()
        await until(lambda: served.holder)
        await until(lambda: talk.disk.of(CB) and talk.disk.of(CB)[-1][1] == 0)
        assert talk.disk.of(CB)[0][1] & Quality.OLD_DATA


async def test_a_member_that_brings_only_the_value_has_the_time_of_the_event() -> None:
    async with ied() as served:
        name = "MMXU1$MX$TotW$mag$f"
        served.values[Name(DOMAIN, name)] = 412.5
        served.lists = {next(iter(served.lists)): served.members_of(name, "XCBR1$ST$Pos")}
        async with talking(made(served), Remembered()) as talk:
            await talk.scan()
            assert talk.disk.of(W)[-1] == (412.5, 0, START_NS, "POLL")
            talk.disk.clear()
            served.change(name, 413.7)
            await until(lambda: talk.disk.of(W))
            assert talk.disk.of(W)[-1] == (413.7, 0, START_NS, "EVENT")


async def test_an_integrity_report_says_that_it_is_one() -> None:
    async with ied() as served, talking(made(served, integrity_s=60), Remembered()) as talk:
        await talk.scan()
        assert ("IntgPd", 60_000) in served.writes
        served.change("XCBR1$ST$Pos", (Bits(2, 2), GOOD, stamp()), Reason.INTEGRITY)
        await until(lambda: talk.disk.of(CB)[-1][3] == "INTEGRITY")


async def test_integrity_reports_that_do_not_come_mark_the_points_and_interrogate() -> None:
    async with ied() as served, talking(made(served, integrity_s=0.2), Remembered()) as talk:
        await talk.scan()
        subscription = talk.session.subscriptions[0]
        served.change("XCBR1$ST$Pos", (Bits(2, 2), GOOD, stamp()), Reason.INTEGRITY)
        talk.disk.clear()
        while not subscription.counts.overdue:
            await talk.scan()
            assert not talk.disk.of(CB) or talk.disk.of(CB)[0][1] in (0, MISSED)
            await asyncio.sleep(0.02)
        await until(lambda: talk.disk.of(CB)[-1][3] == "GI")
        assert MISSED in [quality for _, quality, _, _ in talk.disk.of(CB)]
        assert subscription.enabled


async def test_integrity_reports_that_come_are_not_missed() -> None:
    async with ied() as served, talking(made(served, integrity_s=100), Remembered()) as talk:
        await talk.scan()
        subscription = talk.session.subscriptions[0]
        now_s = asyncio.get_running_loop().time()
        assert not subscription.is_overdue(now_s + 150)
        assert subscription.is_overdue(now_s + 250)
        subscription.integral(now_s + 300)
        assert not subscription.is_overdue(now_s + 490)


async def test_a_server_that_gives_no_reasons_misses_no_integrity_report() -> None:
    async with ied() as served:
        served.masked = options(Option.REASON).value
        async with talking(made(served, integrity_s=0.05), Remembered()) as talk:
            await talk.scan()
            subscription = talk.session.subscriptions[0]
            assert subscription.enabled
            assert not subscription.is_overdue(asyncio.get_running_loop().time() + 1e6)


async def test_a_lost_association_ends_the_listening() -> None:
    async with ied() as served, talking(made(served), Remembered()) as talk:
        await talk.scan()
        served.drop()
        with pytest.raises(LinkLost):
            await talk.scan()


async def test_a_block_that_the_server_does_not_have_costs_no_point() -> None:
    async with ied() as served:
        absent = device(port=served.port, reports=[{"rcb": RCB.replace("01", "09")}])
        async with talking(absent, Remembered()) as talk:
            await talk.scan()
            assert talk.disk.of(W)[-1] == (412.5, 0, START_NS, "POLL")


async def test_a_data_set_that_the_server_does_not_have_costs_no_point() -> None:
    async with ied() as served:
        served.lists = {}
        async with talking(made(served), Remembered()) as talk:
            await talk.scan()
            assert talk.disk.of(W)[-1][:2] == (412.5, 0)
            assert not served.writes


@pytest.mark.parametrize("attribute", ["RptEna", "TrgOps"])
async def test_a_block_that_refuses_what_it_needs_costs_no_point(attribute: str) -> None:
    async with ied() as served:
        served.refuse = lambda name, value: name == attribute
        async with talking(made(served), Remembered()) as talk:
            await talk.scan()
            assert talk.disk.of(W)[-1][:2] == (412.5, 0)
            assert talk.session.subscriptions[0].why


async def test_a_block_that_refuses_to_be_interrogated_has_its_points_read() -> None:
    async with ied() as served:
        served.refuse = lambda name, value: name == "GI"
        async with talking(made(served), Remembered()) as talk:
            await talk.scan()
            assert talk.disk.of(W)[-1] == (412.5, 0, START_NS, "POLL")
            move(served, 1, 1)
            await until(lambda: talk.disk.of(CB)[-1][3] == "EVENT")

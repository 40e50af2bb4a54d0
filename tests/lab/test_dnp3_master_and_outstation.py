"""Our master and our outstation over TCP: events, cut links, faults."""

import asyncio

import pytest

from dnp3_talks import Talk
from otgate_dnp3.channel.tcp import open_tcp
from otgate_dnp3.stack.points import PointType
from otgate_dnp3.stack.steps import TimeSync
from otgate_sim.dnp3.database import Entry
from otgate_sim.dnp3.faults import Dnp3Fault
from otgate_sim.dnp3.outstation import Outstation
from otgate_sim.dnp3.server import Endpoint
from outstations import AI, BI, DBI, listening, outstation

ALL = frozenset({1, 2, 3})
START_MS = 1_700_000_000_000
CUTS, EVERY = 20, 300
OTHERS = {Dnp3Fault.NONE, Dnp3Fault.RESTART, Dnp3Fault.CORRUPT_BODY}
"""A restart loses what was held; objects changed behind right CRCs are values to anybody."""


def station(**options: float) -> Outstation:
    return outstation(
        *(Entry(BI, index, event_class=1) for index in range(100)),
        Entry(DBI, 0, event_class=1, event_variation=3, value=2),
        Entry(AI, 0, 2, 5, 7, value=1.5),
        **options,
    )


async def connected(endpoint: Endpoint, **settings: object) -> Talk:
    line = await open_tcp("127.0.0.1", endpoint.port)
    talk = Talk(line, unsolicited=ALL, response_timeout_s=1.0, **settings)
    talk.conversation.start()
    return talk


def times_of(talk: Talk, point_type: PointType) -> list[int]:
    return [
        stamp
        for each in talk.columns()
        if each.event and each.point_type is point_type
        for stamp in each.time_ms or ()
    ]


async def test_the_master_starts_the_outstation_and_is_told_everything() -> None:
    made = station(hold_s=0.01)
    async with listening(made) as endpoint:
        talk = await connected(endpoint, time_sync=TimeSync.LAN)
        await talk.until(lambda: made.session.unsolicited.enabled == {1, 2, 3})
        await talk.until(lambda: not made.rtu.restarted and not made.rtu.needs_time)
        made.burst(DBI, 0, 500, START_MS)
        made.set(AI, 0, -2.5)
        await talk.until(lambda: len(made.confirmed) == 501)
        talk.conversation.stop()
    assert times_of(talk, DBI) == list(range(START_MS, START_MS + 500))
    assert talk.values(AI, event=True) == [(0, -2.5)]
    assert dict(talk.values(BI, event=False)).keys() == set(range(100))


async def test_20_cut_links_lose_no_event_and_none_comes_out_of_order() -> None:
    made = station(hold_s=0.0, confirm_s=1.0, fragment=500, capacity=dict.fromkeys(ALL, 20_000))
    heard: list[int] = []
    async with listening(made) as endpoint:
        for cut in range(CUTS):
            talk = await connected(endpoint)
            before = len(made.confirmed)
            made.burst(BI, 0, EVERY, START_MS + cut * EVERY)
            await talk.until(lambda before=before: len(made.confirmed) >= before + 50)  # type: ignore[misc]
            endpoint.hang_up()
            talk.conversation.stop()
            heard += times_of(talk, BI)
        talk = await connected(endpoint)
        await talk.until(lambda: len(made.confirmed) == CUTS * EVERY)
        talk.conversation.stop()
        heard += times_of(talk, BI)
    assert not made.rtu.buffer.lost
    assert sorted(set(heard)) == list(range(START_MS, START_MS + CUTS * EVERY))
    firsts = list(dict.fromkeys(heard))
    assert firsts == sorted(firsts)
    assert [event.serial for event in made.confirmed] == list(range(1, CUTS * EVERY + 1))


@pytest.mark.parametrize("fault", [each for each in Dnp3Fault if each not in OTHERS])
async def test_no_fault_yields_a_value_that_was_never_there_and_all_pass(fault: Dnp3Fault) -> None:
    made = station(hold_s=0.0, confirm_s=0.2, retries=1, offline_s=0.2, late_s=0.1)
    async with listening(made) as endpoint:
        talk = await connected(endpoint)
        await talk.until(lambda: made.session.unsolicited.enabled)
        made.trouble.begin(fault)
        made.burst(DBI, 0, 5, START_MS)
        await asyncio.sleep(0.5)
        made.trouble.begin(Dnp3Fault.NONE)
        if talk.conversation.gone.done():
            again = await connected(endpoint)
            await again.until(lambda: len(made.confirmed) == 5)
            talk.deliveries += again.deliveries
            again.conversation.stop()
        else:
            await talk.until(lambda: len(made.confirmed) == 5)
        talk.conversation.stop()
    assert set(talk.values(AI, event=False)) <= {(0, 1.5)}
    assert not talk.values(BI, event=True)
    assert set(times_of(talk, DBI)) == set(range(START_MS, START_MS + 5))


async def test_20_000_events_at_once_are_all_told_unasked() -> None:
    made = station(hold_s=0.0, capacity=dict.fromkeys(ALL, 30_000))
    async with listening(made) as endpoint:
        talk = await connected(endpoint)
        await talk.until(lambda: made.session.unsolicited.enabled == {1, 2, 3})
        made.burst(BI, 0, 20_000, START_MS)
        await talk.until(lambda: len(made.confirmed) == 20_000)
        talk.conversation.stop()
    assert times_of(talk, BI) == list(range(START_MS, START_MS + 20_000))

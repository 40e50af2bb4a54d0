"""A scan that was answered whole is asked whole, and with less ado; a word of trouble ends that."""

import asyncio

from modbus_peers import point
from otgate.model import Device
from otgate_modbus import Modbus
from otgate_modbus.codec import Ask, Codec, Missing
from otgate_modbus.learned import Learned
from otgate_modbus.link import Exchange, Poll
from otgate_modbus.modbus import plan
from otgate_modbus.sheet import Sheet, Tempo

PLACES = (0, 100, 200)


def sheet() -> Sheet:
    settings = Modbus.settings(url="tcp://192.0.2.1")
    points = [point(f"r{at}", f"hr {at}") for at in PLACES]
    device = Device("d1", "modbus", "bay", points, {"normal": 1.0}, settings)
    return Sheet(device, settings, plan(device)[0], Learned())


def polled(sheet: Sheet, silent: int = -1) -> list[int]:
    """Answer all but one of the reads of a poll; return which were asked, in order."""
    (group,) = sheet.in_order()
    asks = group.begin(())
    for ask in asks:
        ask.answer = Missing.SILENT if address(ask) == silent else bytes(2)
    group.note_silence()
    return [address(ask) for ask in asks]


def address(ask: Ask) -> int:
    return int.from_bytes(ask.body[2:4])


def test_the_poll_after_a_silence_asks_the_silent_last() -> None:
    scan = sheet()
    assert polled(scan) == [*PLACES]
    assert polled(scan, silent=0) == [*PLACES]
    assert polled(scan) == [100, 200, 0]
    assert polled(scan) == [*PLACES]


def test_what_met_silence_in_a_group_of_its_own_is_asked_last_by_the_whole() -> None:
    scan, tempo = sheet(), Tempo()
    polled(scan)
    tempo.apart = True
    scan.follow(tempo)
    for group in scan.groups:
        (ask,) = group.begin(())
        ask.answer = Missing.SILENT if address(ask) == 0 else bytes(2)
        group.note_silence()
    tempo.apart = False
    scan.follow(tempo)
    assert polled(scan) == [100, 200, 0]


def test_nothing_of_the_poll_before_counts_as_answered() -> None:
    scan = sheet()
    polled(scan)
    (group,) = scan.in_order()
    group.begin(())
    assert not group.sound
    assert not group.heard


def test_several_requests_are_framed_as_each_alone_and_numbered_on() -> None:
    asks = [Ask(1, 3, at, 1) for at in PLACES]
    alone, together = Codec(0xFFFE), Codec(0xFFFE)
    assert together.requests(asks) == b"".join(map(alone.request, asks))
    assert together.requests(asks)[:2] == b"\x00\x02"  # 0xFFFF, 0, 1 came before


async def test_only_data_for_all_that_is_under_way_in_its_order_is_taken_at_once() -> None:
    asks = [Ask(1, 3, at, 1) for at in PLACES]
    exchange = Exchange(asks, Poll(0.0, 1.0), 3, asyncio.get_running_loop().create_future())
    exchange.take()
    for ask in asks:
        ask.answer = bytes(2)
    assert not exchange.answered_whole(asks[:2])
    assert not exchange.answered_whole(asks[::-1])
    asks[1].answer = 2
    assert not exchange.answered_whole(asks)
    assert exchange.left == 3
    asks[1].answer = bytes(2)
    assert exchange.answered_whole(asks)
    assert not exchange.left

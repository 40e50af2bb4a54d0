"""Values that need registers of several places: words that lie apart, and scale factors."""

import asyncio
import struct
from collections.abc import Mapping
from typing import Any

import pytest

from modbus_peers import Asked, Server, device, point, serving, session
from otgate.errors import Mistake, Mistakes
from otgate.model import Point
from otgate.quality import Quality
from otgate_modbus.decode import Layout
from otgate_modbus.planner import Ground, doubts, plan
from otgate_modbus.reading import readings_of
from otgate_modbus.sheet import bound

GONE = Quality.INVALID | Quality.NO_VALUE
REFUSED = GONE | Quality.ILLEGAL_ADDRESS
FAILED = GONE | Quality.FAILURE
NOT_IMPLEMENTED = GONE | Quality.NOT_IMPLEMENTED
INCONSISTENT = GONE | Quality.INCONSISTENT
GOOD = Quality.GOOD


def reply(block: Any, memory: Mapping[int, int]) -> bytes:
    words = [memory.get(at, 0) for at in range(block.start, block.stop)]
    return struct.pack(f">{len(words)}H", *words)


def read(points: list[Point], memory: Mapping[int, int], **settings: Any) -> list[tuple[Any, int]]:
    """Value and quality of each point of a device that holds ``memory``."""
    asked = device(*points, **settings)
    readings = sorted(readings_of(asked, asked.settings, range(len(points)), []))
    blocks = Ground(asked.settings).pack(readings)
    replies = [reply(block, memory) for block in blocks]
    got = {
        number: (value, int(quality))
        for batch in Layout("f1", readings, blocks).decode(replies, (0,) * len(blocks), 1)
        for number, value, quality in zip(
            batch.index.tolist(), batch.values.tolist(), batch.quality, strict=True
        )
    }
    return [got[number] for number in range(len(points))]


def mistake(*points: Point, **settings: Any) -> Mistake:
    with pytest.raises(Mistakes) as found:
        plan(device(*points, **settings))
    (only,) = found.value.mistakes
    return only


@pytest.mark.parametrize(
    ("address", "type_", "order", "value"),
    [
        ("hr 100+150", "u32", "ABCD", 0x11112222),
        ("hr 150+100", "u32", "ABCD", 0x22221111),
        ("hr 100+150", "u32", "CDAB", 0x22221111),
        ("hr 100+150+151+9", "u64", "ABCDEFGH", 0x1111222233334444),
        ("hr 100+150+151+9", "u64", "GHEFCDAB", 0x4444333322221111),
        ("hr 9+150+151+100", "u64", "ABCDEFGH", 0x4444222233331111),
        ("hr 151+150", "u32", "ABCD", 0x33332222),
        ("hr 9+100", "string(4)", "", "DD\x11\x11"),
        ("hr 9+100", "string(3)", "", "DD\x11"),
    ],
)
def test_registers_that_lie_apart_make_one_value(
    address: str, type_: str, order: str, value: object
) -> None:
    memory = {100: 0x1111, 150: 0x2222, 151: 0x3333, 9: 0x4444}
    assert read([point("a", address, type_, order=order)], memory) == [(value, GOOD)]


def test_words_apart_stand_beside_plain_points() -> None:
    points = [point("a", "hr 1", "u32"), point("b", "hr 0+3", "u32"), point("c", "hr 4", "i16")]
    memory = {0: 1, 1: 2, 2: 3, 3: 4, 4: 0xFFFF}
    assert read(points, memory) == [(0x20003, 0), (0x10004, 0), (-1, 0)]


@pytest.mark.parametrize(
    ("raw", "factor", "cells", "value"),
    [
        (372, -1, {}, 37.2),
        (372, 0, {}, 372.0),
        (372, 2, {}, 37200.0),
        (65535, -10, {}, 6.5535e-6),
        (65535, 10, {}, 655350000000000.0),
        (372, -1, {"scale": 0.001}, 0.0372),
        (372, -1, {"offset": -40.0}, -2.8),
        (372, 1, {"scale": 0.1, "offset": 0.5}, 372.5),
    ],
)
def test_a_scale_factor_is_a_power_of_ten(
    raw: int, factor: int, cells: dict[str, Any], value: float
) -> None:
    (got,) = read([point("a", "hr 0", sf="hr 9", **cells)], {0: raw, 9: factor & 0xFFFF})
    assert got == (value, GOOD)


@pytest.mark.parametrize(
    ("factor", "quality"),
    [(0x8000, NOT_IMPLEMENTED), (11, INCONSISTENT), (-11 & 0xFFFF, INCONSISTENT), (10, GOOD)],
)
def test_a_scale_factor_that_is_none_leaves_no_value(factor: int, quality: int) -> None:
    (got,) = read([point("a", "hr 0", sf="hr 1")], {0: 5, 1: factor})
    assert got[1] == quality


def test_a_value_that_is_not_implemented_stays_so_under_a_scale_factor() -> None:
    (got,) = read([point("a", "hr 0", "i16 na", sf="hr 1")], {0: 0x8000, 1: 0})
    assert got[1] == NOT_IMPLEMENTED


class Two:
    """A device whose value is in one reply and whose scale factor is in another."""

    def __init__(self) -> None:
        asked = device(point("a", "hr 0", sf="hr 200"))
        readings = readings_of(asked, asked.settings, [0], [])
        self.layout = Layout("f1", readings, Ground(asked.settings).pack(readings))

    def shows(self, raw: int, factor: int, states: tuple[int, ...] = (0, 0)) -> tuple[float, int]:
        replies = [struct.pack(">H", raw), struct.pack(">h", factor)]
        (batch,) = self.layout.decode(replies, states, 1)
        return batch.values.tolist()[0], int(batch.quality[0])


TORN = Quality.QUESTIONABLE | Quality.INCONSISTENT


def test_a_factor_that_changed_in_another_reply_may_not_be_the_values() -> None:
    two = Two()
    assert two.shows(5, 0) == (5.0, GOOD)
    assert two.shows(5, 1) == (50.0, TORN)
    assert two.shows(5, 1) == (50.0, GOOD)
    assert two.shows(6, 1) == (60.0, GOOD)


def test_a_first_factor_and_one_after_a_failure_are_compared_with_what_was_read() -> None:
    two = Two()
    assert two.shows(5, 3) == (5000.0, GOOD)
    two.shows(0, 0, (int(FAILED), int(FAILED)))
    assert two.shows(5, 3) == (5000.0, GOOD)
    assert two.shows(5, 2) == (500.0, TORN)


def test_a_factor_that_changed_in_the_same_reply_is_the_values() -> None:
    points = [point("a", "hr 0", sf="hr 1")]
    asked = device(*points)
    readings = readings_of(asked, asked.settings, [0], [])
    layout = Layout("f1", readings, Ground(asked.settings).pack(readings))
    for factor, value in ((0, 5.0), (1, 50.0)):
        (batch,) = layout.decode([struct.pack(">2H", 5, factor)], (0,), 1)
        assert (batch.values.tolist(), batch.quality.tolist()) == ([value], [GOOD])


def test_many_points_share_a_scale_factor_that_is_a_point_too() -> None:
    points = [point(f"p{at}", f"hr {at}", "i16", sf="hr 7") for at in range(3)]
    points += [point("sf", "hr 7", "i16"), point("plain", "hr 4", "i16", scale=0.1)]
    memory = {0: 10, 1: 0xFFFF, 2: 30, 4: 40, 7: 0xFFFF}
    assert [value for value, _ in read(points, memory)] == [1.0, -0.1, 3.0, -1, 4.0]


def test_types_of_one_byte_do_not_disturb_the_scale_factors_behind_them() -> None:
    points = [point("half", "hr 0", "u8_low", scale=0.5), point("a", "hr 1", sf="hr 2")]
    assert [value for value, _ in read(points, {0: 7, 1: 8, 2: 0xFFFF})] == [3.5, 0.8]


def test_words_apart_take_a_scale_factor_in_another_table() -> None:
    asked = device(point("a", "hr 0+40", "u32", sf="ir 3"))
    (scan,) = plan(asked)
    assert [request.text.split(": ")[1] for request in scan.requests] == [
        "1 register, hr 0",
        "1 register, hr 40",
        "1 register, ir 3",
    ]
    assert scan.points == (0,)


@pytest.mark.parametrize(
    ("cells", "code", "column", "said"),
    [
        ({"address": "hr 0+9", "type_": "u64"}, "bad-address", "address", "names 2 registers"),
        ({"address": "hr 0+9"}, "bad-address", "address", "names 2 registers, u16 takes 1"),
        ({"sf": "hr"}, "bad-address", "sf", "no Modbus address"),
        ({"sf": "9"}, "bad-address", "sf", "does not say which table"),
        ({"sf": "di 9"}, "bad-address", "sf", "not one whole register"),
        ({"sf": "hr 9.3"}, "bad-address", "sf", "not one whole register"),
        ({"sf": "hr 9+10"}, "bad-address", "sf", "not one whole register"),
        ({"sf": "hr 0"}, "bad-address", "sf", "`hr 0` is a register of the value itself"),
        ({"sf": "hr 1", "type_": "u32"}, "bad-address", "sf", "of the value itself"),
        ({"sf": "hr 9", "address": "hr 0+9", "type_": "u32"}, "bad-address", "sf", "itself"),
        ({"sf": "hr 65536"}, "address-out-of-range", "sf", "outside"),
        ({"sf": "hr 9", "type_": "string(4)"}, "bad-scale", "sf", "takes no scale factor"),
        ({"sf": "hr 9", "address": "di 3"}, "bad-scale", "sf", "takes no scale factor"),
        (
            {"sf": "hr 9", "raw_lo": 0.0, "raw_hi": 1.0, "eu_lo": 0.0, "eu_hi": 2.0},
            "bad-scale", "sf", "ambiguous",
        ),
        ({"sf": "hr 500"}, "address-not-readable", "sf", "`hr 500` lies where"),
        ({"address": "hr 0+500", "type_": "u32"}, "address-not-readable", "address", "hr 0+500"),
    ],
)  # fmt: skip
def test_a_mistake_stands_in_the_cell_that_has_it(
    cells: dict[str, Any], code: str, column: str, said: str
) -> None:
    found = mistake(point("a", **{"address": "hr 0", **cells}), forbidden=("hr 500",))
    assert (found.code, found.field) == (code, column)
    assert said in found.message


def test_a_scale_factor_inside_a_wider_value_is_a_mistake() -> None:
    found = mistake(point("a", "hr 0", "u32"), point("b", "hr 5", sf="hr 1"))
    assert (found.code, found.point, found.field) == ("overlapping-address", "b", "sf")
    assert found.message == (
        "`hr 1` as a scale factor overlaps point `a`, which reads `hr 0` as u32"
    )


def test_a_word_that_lies_apart_may_be_read_by_itself_too() -> None:
    plan(device(point("a", "hr 0+9", "u32"), point("b", "hr 9"), point("c", "hr 0.3")))


def test_a_value_that_takes_several_requests_is_warned_of() -> None:
    points = [
        point("far", "hr 0+200", "u32"),
        point("near", "hr 300+310", "u32"),
        point("sf", "hr 400", sf="hr 600"),
        point("plain", "hr 700"),
    ]
    (found,) = doubts(device(*points))
    assert (found.code, found.point, found.field) == ("torn-value", "far", "address")
    assert doubts(device(*points, gap=124, max_registers=125)) == [found]
    assert doubts(device(point("far", "hr 0+100", "u32"), gap=124)) == []
    assert doubts(device(point("far", "hr 0+100", "u32"), gap=124, forbidden=("hr 50",))) != []


FAR = [
    point("a", "hr 1", sf="hr 200"),
    point("b", "hr 2"),
    point("c", "hr 100+201", "u32"),
    point("d", "hr 300"),
]


def addresses(asked: Asked) -> range:
    return range(asked.address, asked.address + asked.count)


def factored(asked: Asked) -> bytes:
    """Registers that hold their own address, but for a scale factor of 2."""
    return asked.words(*(2 if at == 200 else at for at in addresses(asked)))


async def test_all_of_a_value_is_read_in_one_poll() -> None:
    async with serving() as server, session(*FAR, port=server.port) as bench:
        server.answers = lambda asked, writer: writer.write(factored(asked))
        samples = await bench.scan()
        assert server.places() == [(3, 1, 2), (3, 100, 1), (3, 200, 2), (3, 300, 1)]
    assert samples == {"a": (100.0, 0), "b": (2, 0), "c": (100 << 16 | 201, 0), "d": (300, 0)}


def refusing(server: Server, absent: int) -> None:
    def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(asked.refusal(2) if absent in addresses(asked) else factored(asked))

    server.answers = answer


@pytest.mark.parametrize(
    ("absent", "gone"), [(1, {"a"}), (200, {"a"}), (201, {"c"}), (100, {"c"}), (300, {"d"})]
)
async def test_a_refused_part_refuses_its_points_and_no_others(absent: int, gone: set[str]) -> None:
    asked = [*FAR[:3], point("e", "hr 202"), FAR[3]]
    async with serving() as server, session(*asked, port=server.port) as bench:
        refusing(server, absent)
        for _ in range(2):
            samples = await bench.scan()
            found = {name for name, (_, quality) in samples.items() if quality == REFUSED}
            assert found == gone
            assert all(
                quality == GOOD for name, (_, quality) in samples.items() if name not in gone
            )


async def test_a_block_that_stays_silent_fails_the_points_that_need_it() -> None:
    async with serving() as server, session(*FAR, port=server.port, timeout_s=0.2) as bench:

        def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
            if asked.address != 200:
                writer.write(factored(asked))

        server.answers = answer
        samples = await bench.scan()
    assert {name: quality for name, (_, quality) in samples.items()} == {
        "a": FAILED, "b": GOOD, "c": FAILED, "d": FAILED,
    }  # fmt: skip


async def test_replies_that_come_slowly_go_together_where_a_value_needs_them() -> None:
    async with serving() as server, session(*FAR, port=server.port) as bench:
        server.answers = lambda asked, writer: writer.write(factored(asked))
        bench.session._tempo(bench.plan[0]).apart = True
        bench.session._sheets.clear()
        samples = await bench.scan()
        (sheet,) = bench.session._sheets.values()
    assert [len(group.lines) for group in sheet.groups] == [3, 1]
    assert {quality for _, quality in samples.values()} == {GOOD}


def test_lines_are_bound_by_the_points_they_share() -> None:
    class Numbered:
        def __init__(self, *numbers: int) -> None:
            self.block = self
            self.numbers = numbers

    a, b, c, d, e = (Numbered(*each) for each in ((1, 2), (3,), (4, 5), (5, 6), (1, 4)))
    lines: Any = [a, b, c, d, e]
    groups = [set(group) for group in bound(lines)]
    assert groups == [{b}, {a, c, d, e}]

"""Counters that start again at zero, counted on."""

import asyncio
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from modbus_peers import Asked, device, point, serving, session
from otgate.cell import BadCell
from otgate.model import Kind, Point
from otgate.quality import Quality
from otgate.testing.contract import Remembered
from otgate_modbus.encoding import read_type
from otgate_modbus.rollover import (
    BROKEN,
    IMPOSSIBLE,
    KEEP_EACH_S,
    KEY,
    PASSED,
    Rollovers,
    read_modulus,
)

M = 1000
FAILED = Quality.INVALID | Quality.FAILURE | Quality.NO_VALUE


def counter(type_: str = "u32", rollover: str = "1000", **cells: Any) -> Point:
    return point("e", "hr 0", type_, rollover=rollover, kind=Kind.COUNTER, **cells)


@dataclass
class Meter:
    """One counter of a device, over restarts of the gateway."""

    rollover: int = M
    state: Remembered = field(default_factory=Remembered)

    def __post_init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        asked = device(counter(rollover=str(self.rollover)))
        self.rollovers = Rollovers(asked, self.state)
        self.slots = self.rollovers.slots([0], [self.rollover])

    def shows(self, count: int) -> tuple[int, int]:
        taken = self.rollovers.take(self.slots, np.array([count], np.uint64))
        return taken.totals.tolist()[0], taken.marks.tolist()[0]

    def all(self, *counts: int) -> list[int]:
        return [self.shows(count)[0] for count in counts]


def test_a_count_that_passes_its_modulus_goes_on_from_there() -> None:
    meter = Meter()
    assert meter.all(900, 990, 10, 500, 750, 990, 20) == [900, 990, 1010, 1500, 1750, 1990, 2020]


def test_a_rollover_is_marked_and_still_good() -> None:
    meter = Meter()
    assert [meter.shows(count)[1] for count in (990, 10, 20)] == [0, PASSED, 0]
    assert PASSED == Quality.OVERFLOW


def test_a_count_that_falls_for_another_reason_begins_anew() -> None:
    meter = Meter()
    meter.all(990, 10, 600)
    assert meter.shows(5) == (5, BROKEN)
    assert meter.shows(7) == (7, 0)


@pytest.mark.parametrize(
    ("before", "after", "total"), [(751, 0, 1000), (750, 0, 0), (999, 248, 1248), (999, 249, 249)]
)
def test_a_rollover_advances_by_less_than_a_quarter(before: int, after: int, total: int) -> None:
    meter = Meter()
    meter.shows(before)
    assert meter.shows(after)[0] == total


def test_a_count_beyond_its_modulus_is_questionable_and_forgotten() -> None:
    meter = Meter()
    assert meter.all(990, 10) == [990, 1010]
    assert meter.shows(1000) == (2000, IMPOSSIBLE)
    assert meter.shows(11) == (1011, 0)


def test_a_jump_ahead_is_no_rollover() -> None:
    assert Meter().all(1, 999) == [1, 999]


@pytest.mark.parametrize("modulus", [2**16, 2**32, 10**6, 2**48])
def test_totals_are_exact(modulus: int) -> None:
    meter = Meter(modulus)
    for lap in range(5):
        assert meter.all(modulus - 1, 0, modulus // 2) == [
            lap * modulus + modulus - 1,
            (lap + 1) * modulus,
            (lap + 1) * modulus + modulus // 2,
        ]
        meter.shows(modulus - modulus // 8)


@given(
    st.integers(2, 2**48),
    st.lists(st.tuples(st.integers(0, 2**48), st.booleans()), max_size=15),
    st.integers(0, 2**48),
)
def test_whatever_the_steps_and_restarts_the_total_is_the_truth(
    modulus: int, steps: list[tuple[int, bool]], first: int
) -> None:
    meter = Meter(modulus)
    truth = first % modulus
    assert meter.shows(truth) == (truth, 0)
    largest = max(1, modulus // 4 - modulus // 16 - 1)
    for step, restarts in steps:
        truth += step % largest
        assert meter.shows(truth % modulus)[0] == truth
        if restarts:
            meter.rollovers.keep(len(steps) * KEEP_EACH_S * 10)
            meter.rollovers._kept_s = -KEEP_EACH_S  # time enough has passed
            meter.restart()


def test_a_restart_goes_on_from_what_was_kept() -> None:
    meter = Meter()
    meter.all(990, 10, 300)
    meter.rollovers.keep_now()
    meter.restart()
    assert meter.shows(350) == (1350, 0)


def test_a_rollover_while_the_gateway_was_down_is_seen() -> None:
    meter = Meter()
    meter.all(990, 10, 900)
    meter.rollovers.keep_now()
    meter.restart()
    assert meter.shows(100) == (2100, PASSED)


def test_another_modulus_address_or_type_is_another_counter() -> None:
    meter = Meter()
    meter.all(990, 10)
    meter.rollovers.keep_now()
    for other, modulus in ((counter(rollover="2000"), 2000), (counter("u64"), M)):
        rollovers = Rollovers(device(other), meter.state)
        slots = rollovers.slots([0], [modulus])
        assert rollovers.take(slots, np.array([20], np.uint64)).totals.tolist() == [20]


@pytest.mark.parametrize(
    "kept",
    [None, [], "x", {"e": 3}, {"e": ["hr 0 u32 ", M, -1, 2]}, {"e": ["hr 0 u32 ", M, 0, M]},
     {"e": ["hr 0 u32 ", M, "0", 0]}, {"e": ["hr 0 u32 ", M, 2**63, 0]}, {"e": []}],
)  # fmt: skip
def test_a_state_that_makes_no_sense_is_forgotten(kept: Any) -> None:
    meter = Meter()
    meter.state.put(KEY, kept)
    meter.restart()
    assert meter.shows(20) == (20, 0)


def test_what_is_kept_is_written_seldom() -> None:
    class Counted(Remembered):
        writes = 0

        def put(self, key: str, value: Any) -> None:
            self.writes += 1
            super().put(key, value)

    state = Counted()
    meter = Meter(2**32, state)
    for second in range(100):
        meter.shows(second * 1000)
        meter.rollovers.keep(float(second))
    assert state.writes == 1
    meter.shows(2**32 // 8)
    meter.rollovers.keep(100.0)
    meter.rollovers.keep(200.0)
    assert state.writes == 2


@pytest.mark.parametrize(
    ("text", "type_", "modulus"),
    [
        ("full", "u16", 2**16),
        ("full", "u32", 2**32),
        ("2^32", "u64", 2**32),
        ("2 ^ 32", "u32", 2**32),
        ("10^6", "u32", 10**6),
        ("1000000", "u32", 10**6),
        ("full", "bcd32", 10**8),
        ("full", "mod10000", 10**8),
        ("full", "mod10000(3)", 10**12),
        ("", "u16", 0),
    ],
)
def test_a_modulus_is_read(text: str, type_: str, modulus: int) -> None:
    assert read_modulus(counter(type_, text), read_type(type_)) == modulus


@pytest.mark.parametrize(
    ("text", "type_", "cells", "said"),
    [
        ("2^17", "u16", {}, "u16 never holds 2^17"),
        ("2^32", "bcd32", {}, "bcd32 never holds"),
        ("full", "u64", {}, "not within 2 to 2^48"),
        ("1", "u16", {}, "not within 2 to 2^48"),
        ("-5", "u16", {}, "no number to count to"),
        ("2^x", "u16", {}, "no number to count to"),
        ("full", "i32", {}, "of type i32 does not roll over"),
        ("full", "f32", {}, "of type f32"),
        ("full", "enum", {}, "of type enum16"),
        ("full", "u8_low", {}, "of type u8_low"),
        ("full", "u32", {"sf": "hr 9"}, "cannot be added up"),
    ],
)
def test_what_is_no_modulus_is_refused(
    text: str, type_: str, cells: dict[str, Any], said: str
) -> None:
    with pytest.raises(BadCell) as bad:
        read_modulus(counter(type_, text, **cells), read_type(type_))
    assert (bad.value.code, bad.value.column) == ("bad-rollover", "rollover")
    assert said in bad.value.message


def test_only_a_counter_rolls_over() -> None:
    with pytest.raises(BadCell, match="a measurement does not roll over"):
        read_modulus(point("a", "hr 0", rollover="full"), read_type("u16"))


class Counting:
    """A server whose registers 0 and 1 are a counter of 32 bits."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, asked: Asked, writer: asyncio.StreamWriter) -> None:
        words = (self.count >> 16, self.count & 0xFFFF, 7, 8)
        writer.write(asked.words(*words[asked.address : asked.address + asked.count]))


FULL = [counter(rollover="full"), point("plain", "hr 2")]


async def test_a_counter_of_a_real_server_goes_on_over_sessions() -> None:
    state, counting = Remembered(), Counting()
    async with serving() as server:
        server.answers = counting
        async with session(*FULL, port=server.port, state=state) as bench:
            counting.count = 2**32 - 5
            assert (await bench.scan())["e"] == (2**32 - 5, 0)
            counting.count = 3
            assert (await bench.scan())["e"] == (2**32 + 3, PASSED)
            counting.count = 4
            assert await bench.scan() == {"e": (2**32 + 4, 0), "plain": (7, 0)}
        async with session(*FULL, port=server.port, state=state) as bench:
            counting.count = 9
            assert (await bench.scan())["e"] == (2**32 + 9, 0)


async def test_a_poll_that_fails_counts_for_nothing() -> None:
    counting = Counting()
    asked = [*FULL, point("far", "hr 3")]
    async with (
        serving() as server,
        session(*asked, port=server.port, max_registers=2) as bench,
    ):
        server.answers = counting
        counting.count = 2**31
        assert (await bench.scan())["e"] == (2**31, 0)

        def half(asked: Asked, writer: asyncio.StreamWriter) -> None:
            if asked.address:
                counting(asked, writer)
            else:
                writer.write(asked.refusal(4))

        server.answers = half
        assert (await bench.scan())["e"] == (0, FAILED)
        server.answers = counting
        assert (await bench.scan())["e"] == (2**31, 0)


async def test_a_total_is_scaled_as_a_whole() -> None:
    counting = Counting()
    asked = counter(rollover="full", scale=0.1)
    async with serving() as server, session(asked, port=server.port) as bench:
        server.answers = counting
        for count, total in ((2**32 - 1, 429496729.5), (9, 429496730.5)):
            counting.count = count
            value, _ = (await bench.scan())["e"]
            assert value == total

"""Whatever a device refuses: what the search finds, against a device that is a few numbers."""

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

from hypothesis import example, given, settings
from hypothesis import strategies as st

from modbus_peers import device, point
from otgate.model import Device
from otgate_modbus.bisection import REQUESTS_PER_POLL, Bisection
from otgate_modbus.codec import BODY, Ask
from otgate_modbus.learned import Learned, Measure
from otgate_modbus.planner import plan
from otgate_modbus.sheet import Line, Sheet


class Refusing(NamedTuple):
    """A device that lacks registers, has borders, and takes no more than so many at once."""

    absent: frozenset[int]
    borders: frozenset[int]
    most: int

    def answer(self, ask: Ask) -> None:
        _, _, address, count = BODY.unpack(ask.body)
        span = range(address, address + count)
        lacking = not self.absent.isdisjoint(span)
        crossing = any(span.start < border < span.stop for border in self.borders)
        refused = lacking or crossing or count > self.most
        ask.answer = 2 if refused else bytes(2 * count)


class Search:
    """Polls a device as a session does, without a link."""

    def __init__(self, asked: Device, refusing: Refusing) -> None:
        self.device = asked
        self.refusing = refusing
        self.learned = Learned()
        self.bisection = Bisection(self.learned, 1)
        self.extra = 0

    async def more(self, asks: Sequence[Ask]) -> bool:
        self.extra += len(asks)
        for ask in asks:
            self.refusing.answer(ask)
        return True

    async def poll(self) -> tuple[bool, Sequence[Line]]:
        """Return whether anything was learned, and what was read."""
        sheet = Sheet(self.device, self.device.settings, plan(self.device)[0], self.learned)
        self.extra = 0
        self.bisection.begin()
        (group,) = sheet.groups
        for ask in group.begin([]):
            self.refusing.answer(ask)
        read = await self.bisection.narrow(sheet, group, self.more) if group.contested else group
        longest = {
            Measure.REGISTERS: max(
                (line.block.length for line in read.lines if isinstance(line.ask.answer, bytes)),
                default=0,
            )
        }
        anew = read is not group
        if self.bisection.studying:
            anew |= await self.bisection.study(sheet, read.lines, longest, self.more)
        return anew or self.bisection.studying, read.lines

    async def at_rest(self) -> Sequence[Line]:
        """Poll until nothing is learned any more; return what is read then."""
        going_on, polls = True, 0
        while going_on:
            going_on, lines = await self.poll()
            assert self.extra <= REQUESTS_PER_POLL
            polls += 1
            assert polls < 200, "the search does not end"
        return lines


maps = st.sets(st.integers(0, 160), min_size=1, max_size=70)
some = st.frozensets(st.integers(0, 160), max_size=6)
refusing = st.builds(Refusing, some, some, st.integers(1, 125))


def of(addresses: set[int]) -> Device:
    return device(*(point(f"r{at}", f"hr {at}") for at in sorted(addresses)))


@settings(deadline=None)
@given(maps, refusing)
def test_every_register_that_the_device_has_is_read_and_no_other(
    addresses: set[int], refuses: Refusing
) -> None:
    lines = asyncio.run(Search(of(addresses), refuses).at_rest())
    read = {
        line.block.numbers[at]: line
        for line in lines
        for at in range(len(line.block.numbers))
        if isinstance(line.ask.answer, bytes)
    }
    present = [at for at, address in enumerate(sorted(addresses)) if address not in refuses.absent]
    assert sorted(read) == present


@settings(deadline=None)
@given(st.integers(2, 124), st.integers(0, 30), some)
def test_a_size_is_found_whatever_else_is_lacking(
    most: int, more: int, absent: frozenset[int]
) -> None:
    """Neighbours without holes: what is read then is as few reads as know the size."""
    refuses = Refusing(frozenset(at for at in absent if at % 9 == 0), frozenset(), most)
    count = min(160, most + more + 10)
    search = Search(of(set(range(count))), refuses)
    lines = asyncio.run(search.at_rest())
    lacking = sorted(at for at in refuses.absent if at < count)
    stretches = zip([0, *(at + 1 for at in lacking)], [*lacking, count], strict=True)
    fewest = sum(-(-(stop - start) // most) for start, stop in stretches)
    assert len([line for line in lines if not line.block.refused]) == fewest
    assert {place[1] for place in search.learned.refused} == set(lacking)
    assert not search.learned.cuts


@settings(deadline=None)
@given(maps, st.integers(1, 125))
@example({7, 24, 25}, 1)
def test_a_learned_size_is_one_that_the_device_takes(addresses: set[int], most: int) -> None:
    search = Search(of(addresses), Refusing(frozenset(), frozenset(), most))
    asyncio.run(search.at_rest())
    assert search.learned.sizes.get(Measure.REGISTERS, 1) <= most


@settings(deadline=None)
@given(maps, some, some)
@example({59, 60}, frozenset(), frozenset({60}))
@example({0, 15}, frozenset({7}), frozenset())
def test_what_is_lacking_is_never_taken_for_a_size(
    addresses: set[int], absent: frozenset[int], borders: frozenset[int]
) -> None:
    search = Search(of(addresses), Refusing(absent, borders, 125))
    asyncio.run(search.at_rest())
    assert not search.learned.sizes

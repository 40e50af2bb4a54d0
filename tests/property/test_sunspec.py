"""Whatever a device says, browsing it ends, within bounds and without a fault of ours."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from otgate.config.written import point_map
from otgate_modbus.identification import Stream
from otgate_modbus.sunspec.chain import ADDRESSES, MOST_MODELS, Block, walked
from otgate_modbus.sunspec.definitions import definition
from otgate_modbus.sunspec.layout import laid_out
from otgate_modbus.sunspec.points import mapped
from otgate_modbus.sunspec.survey import Model
from otgate_modbus.sunspec.values import spelled

WORDS = st.integers(0, 0xFFFF)
HEADERS = st.tuples(st.sampled_from([1, 103, 160, 0xFFFF]) | WORDS, st.integers(0, 70) | WORDS)
GROUPED = [3, 160, 401, 705, 707, 711, 714, 803, 804, 805]
"""Models whose groups repeat by their length, by a count, and within each other."""

MODELS = st.sampled_from([1, 103, 120, 203, 305, 701, 802, *GROUPED])
REGISTERS = st.lists(st.none() | WORDS | st.sampled_from([0x8000, 0xFFFF, 0, 2]), max_size=300)


@given(headers=st.lists(HEADERS, max_size=20), base=st.sampled_from([0, 40000, 65000]))
async def test_every_chain_ends_within_bounds(headers: list[tuple[int, int]], base: int) -> None:
    asked: list[int] = []

    async def read(at: int, count: int) -> Sequence[int] | None:
        asked.append(at)
        assert at + count <= ADDRESSES
        return headers[len(asked) - 1] if len(asked) <= len(headers) else None

    chain = await walked(read, base)
    assert len(asked) <= MOST_MODELS + 1
    assert asked == sorted(set(asked))
    for block, follower in zip(chain.blocks, chain.blocks[1:], strict=False):
        assert block.behind == follower.at
    assert all(block.length and block.behind <= ADDRESSES for block in chain.blocks)


@given(model=MODELS, registers=REGISTERS)
def test_whatever_a_model_holds_its_points_lie_within_it(
    model: int, registers: list[int | None]
) -> None:
    words = [model, len(registers), *registers]
    known = definition(model)
    assert known is not None
    block = Block(model, len(registers), 40000)
    layout = laid_out(known, block, words)
    ends = [each.offset + each.entry.size for each in layout.fields]
    assert ends == sorted(ends)
    assert all(end <= len(words) for end in ends)
    found = Model(block, 1, known.label, words, layout.fields, layout.remarks)
    assert all(spelled(each, found.value(each)) for each in layout.fields)
    rows = mapped([found], everything=True).points
    assert point_map(rows).count("\n") > len(rows)


@given(replies=st.lists(st.binary(max_size=250), max_size=20))
def test_an_identification_is_asked_for_no_object_twice(replies: list[bytes]) -> None:
    stream, asked = Stream(), []
    for reply in replies:
        if stream.next is None:
            break
        asked.append(stream.next)
        stream.take(reply)
    assert asked == sorted(set(asked))
    assert all(0 <= number <= 255 for number in stream.objects)

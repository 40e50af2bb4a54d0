"""The chain of SunSpec models, whole and broken."""

from collections.abc import Mapping

import pytest

from otgate_modbus.sunspec.chain import ADDRESSES, MOST_MODELS, Block, Chain, found_at, walked
from sunspec_devices import MARKER, image


class Registers:
    """Registers that count how often they are read."""

    def __init__(self, held: Mapping[int, int]) -> None:
        self.held = held
        self.reads: list[tuple[int, int]] = []

    async def read(self, at: int, count: int) -> list[int] | None:
        self.reads.append((at, count))
        words = [self.held.get(each) for each in range(at, at + count)]
        return None if None in words else [word for word in words if word is not None]


async def chain_of(held: Mapping[int, int], base: int = 40000) -> Chain:
    return await walked(Registers(held).read, base)


def model(number: int, length: int) -> list[int]:
    return [number, length, *[0] * length]


@pytest.mark.parametrize("base", [40000, 50000, 0])
async def test_the_marker_is_found_at_each_of_three_places(base: int) -> None:
    registers = Registers(image(at=base))
    assert await found_at(registers.read) == base


async def test_a_device_without_the_marker_is_asked_three_times() -> None:
    registers = Registers(dict.fromkeys((40000, 40001, 0), 0))
    assert await found_at(registers.read) is None
    assert registers.reads == [(40000, 2), (50000, 2), (0, 2)]


async def test_the_chain_is_followed_to_its_end() -> None:
    chain = await chain_of(image(model(1, 66), model(103, 50), model(64999, 7)))
    assert [str(block) for block in chain.blocks] == ["1/66", "103/50", "64999/7"]
    assert chain.blocks[-1] == Block(64999, 7, 40122)
    assert not chain.complaint


async def test_a_model_may_end_at_the_last_address() -> None:
    held = image(model(1, ADDRESSES - 40006), at=40000, end=(0xFFFF, 0))
    chain = await chain_of(held)
    assert not chain.complaint
    assert chain.blocks[0].behind == ADDRESSES - 2


@pytest.mark.parametrize(
    ("held", "said", "good"),
    [
        (image(model(1, 66), [103, 0]), "model 103 at 40070 has no length", 1),
        (image([0, 0, 0, 0]), "model 0 at 40002 has no length", 0),
        (image(model(1, 66), [103, 65000]), "end beyond the last address", 1),
        (image(model(1, 66), end=()), "the device refuses to read 40070", 1),
        (image(*[model(9, 1)] * (MOST_MODELS + 9)), f"more than {MOST_MODELS} models", 256),
        (image(end=()), "the device refuses to read 40002", 0),
        (image(model(1, ADDRESSES - 40005), end=()), "no room for another model at 65535", 1),
    ],
)
async def test_a_broken_chain_ends_with_a_sentence(
    held: dict[int, int], said: str, good: int
) -> None:
    chain = await chain_of(held)
    assert said in chain.complaint
    assert len(chain.blocks) == good


async def test_a_chain_without_end_is_followed_for_a_bounded_while() -> None:
    registers = Registers(dict.fromkeys(range(ADDRESSES), 1))
    chain = await walked(registers.read, 0)
    assert chain.complaint
    assert len(registers.reads) == MOST_MODELS + 1


async def test_half_a_marker_is_none() -> None:
    assert await found_at(Registers({40000: MARKER[0], 40001: 0}).read) is None

"""Whatever the link and the disk do, no event is lost and none overtakes another."""

import pytest

from dnp3_model import World

STEPS = 400


def first_seen(numbers: list[int]) -> list[int]:
    return list(dict.fromkeys(numbers))


@pytest.mark.parametrize("unsolicited", [True, False], ids=["unsolicited", "polled"])
@pytest.mark.parametrize("seed", range(25))
def test_every_event_is_kept_in_order(seed: int, unsolicited: bool) -> None:  # noqa: FBT001
    world = World(seed, unsolicited=unsolicited)
    for _ in range(STEPS):
        world.step()
        held = set(world.outstation.buffer)
        lost = set(range(1, world.outstation.made + 1)) - held - set(world.kept)
        assert lost == set(), "confirmed before it was durable"
    world.loss = 0.0
    for _ in range(STEPS):
        if not world.outstation.buffer and not world.waiting:
            break
        world.step(rough=False)
    assert world.outstation.buffer == []
    assert world.outstation.made > 50
    assert first_seen(world.kept) == list(range(1, world.outstation.made + 1))

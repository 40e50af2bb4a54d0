"""Masters have been crashed by replies: the whole stack in the client role."""

import pytest

from dnp3_fuzz import HANG_S, Victim, corpus, recovers, run
from otgate_dnp3.stack.decode import decoded
from otgate_dnp3.stack.objects import walk
from otgate_dnp3.stack.outputs import Delivery

SLOW = pytest.mark.slow
ROUNDS = 5_000


@pytest.mark.parametrize(
    "seed", [*range(4), *(pytest.param(at, marks=SLOW) for at in range(4, 24))]
)
def test_nothing_that_an_outstation_says_stops_a_master(seed: int) -> None:
    victim = run(seed, ROUNDS if seed < 4 else 4 * ROUNDS)
    assert victim.deliveries > 0
    assert victim.slowest_s < HANG_S
    assert recovers(victim)


@pytest.mark.parametrize("name", corpus())
def test_a_fragment_of_the_corpus_is_taken_as_it_is_and_at_every_cut(name: str) -> None:
    fragment = corpus()[name]
    for size in range(len(fragment) + 1):
        victim = Victim()
        victim.take(victim.master.receive(fragment[:size], victim.now))
        whole, found = walk(fragment[4:]), walk(fragment[4:size])
        assert found.blocks == whole.blocks[: len(found.blocks)]
        decoded(found.blocks)


@pytest.mark.parametrize("name", ["giant-range", "giant-count", "giant-empty"])
def test_a_giant_costs_nothing(name: str) -> None:
    found = walk(corpus()[name][4:])
    assert sum(len(each.data) for each in found.blocks) == 0
    assert [each for each in decoded(found.blocks).columns if len(each)] == []


def test_what_was_good_before_an_unknown_object_is_delivered() -> None:
    victim = Victim()
    said: list[Delivery] = []
    for name in ("need-time", "unknown-object"):
        fragment = corpus()[name]
        answer = bytes((fragment[0] & 0xF0 | victim.sequence,)) + fragment[1:]
        out = victim.master.receive(answer, victim.now)
        said += [each for each in out if isinstance(each, Delivery)]
        victim.take(out)
    assert [list(each.values) for each in said[0].columns] == [[42]]
    assert said[0].rest[:2] == b"\xfa\x07"

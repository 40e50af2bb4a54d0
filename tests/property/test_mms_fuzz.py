"""Whatever a server says, an MMS client raises its own errors alone, at once, and goes on."""

import time

import pytest

from mms_fuzz import HANG_S, Victim, carried, corpus, open_badly, opening_answers, run
from mms_talks import unopened
from otgate_iec61850.mms import ber
from otgate_iec61850.mms.association import State
from otgate_iec61850.mms.errors import Malformed

ROUNDS = 2_000

SEEDS = [
    *range(3),
    *(pytest.param(at, marks=pytest.mark.slow) for at in range(3, 20)),
]


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_that_a_server_says_stops_a_client(seed: int) -> None:
    victim = run(seed, ROUNDS if seed < 3 else 5 * ROUNDS)
    assert victim.reports
    assert victim.lost
    assert victim.slowest_s < HANG_S


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_that_a_server_says_while_opening_stops_a_client(seed: int) -> None:
    assert open_badly(seed, ROUNDS // 2) < HANG_S


@pytest.mark.parametrize("name", corpus())
def test_a_pdu_of_the_corpus_cut_anywhere_is_dropped_with_its_association(name: str) -> None:
    mms = corpus()[name]
    victim = Victim()
    victim.hear(carried(mms))
    for size in range(len(mms)):
        victim.hear(carried(mms[:size]))
    assert victim.lost >= len(mms) - 8


def test_an_answer_that_stops_anywhere_opens_nothing() -> None:
    confirm, accept = opening_answers()
    for size in range(len(accept)):
        talk = unopened()
        talk.requester.receive(confirm)
        talk.requester.receive(accept[:size])
        assert talk.requester.association.state is State.ASSOCIATING


@pytest.mark.parametrize("deep", [30, 1000, 60_000])
def test_depth_is_capped_in_definite_and_indefinite_lengths(deep: int) -> None:
    endless = b"\xa2\x80" * deep
    with pytest.raises(Malformed):
        ber.definite(endless)
    nested = b""
    for _ in range(min(deep, 1000)):
        nested = ber.element(0xA2, nested)
    victim = Victim()
    victim.hear(carried(ber.element(0xA1, b"\x02\x01\x03\xa4", ber.length(len(nested)), nested)))
    victim.hear(carried(b"\xa1\x80\x02\x01\x03\xa4\x80" + endless))
    assert victim.lost == 2
    assert victim.slowest_s < HANG_S


@pytest.mark.parametrize("small", [b"\x8a\0", b"\xa2\0", b"\x84\1\0", b"\x85\1\1"])
def test_the_largest_pdu_of_the_smallest_values_costs_little(small: bytes) -> None:
    body = small * (64_000 // len(small))
    victim = Victim()
    victim.hear(
        carried(ber.element(0xA1, b"\x02\x01\x03", ber.element(0xA4, ber.element(0xA1, body))))
    )
    assert victim.slowest_s < HANG_S


def test_work_is_linear_in_the_input() -> None:
    def cpu_s(count: int) -> float:
        mms = ber.element(
            0xA1, b"\x02\x01\x03\xa4\x80\xa1\x80" + b"\x83\x01\xff" * count + bytes(4)
        )
        best = 1e9
        for _ in range(3):
            victim = Victim()
            began = time.process_time()
            victim.hear(carried(mms))
            best = min(best, time.process_time() - began)
        return best

    assert cpu_s(60_000) < 30 * cpu_s(6_000) + 0.01


def test_an_association_that_never_goes_on_keeps_little() -> None:
    talk, part = unopened(), b"\x03\0\x04\0\x02\xf0\0" + bytes(1017)
    talk.requester.receive(60 * part)
    with pytest.raises(Malformed, match="a TSDU of more than"):
        talk.requester.receive(10 * part)

from dataclasses import replace

import pytest

from otgate.model import Lane
from otgate.publish.message import Claim, Message, Settles
from otgate.publish.throughput import Throughput

S = 1_000_000_000
CLAIM = Claim(Lane.DATA, 7, 0, 100, 10 * S, spooled_ns=11 * S, sent_ns=13 * S)
MESSAGE = Message("otgate/v1/x", b"1234", claim=CLAIM)


@pytest.fixture
def throughput() -> Throughput:
    return Throughput()


def test_every_hop_of_a_message_is_timed(throughput: Throughput) -> None:
    throughput.taken(MESSAGE, 17 * S)
    hops = (throughput.spooled, throughput.published, throughput.acknowledged, throughput.whole)
    assert [hop.sum_s for hop in hops] == [1.0, 2.0, 4.0, 7.0]


def test_a_repeated_value_and_a_standing_message_say_nothing_of_time(
    throughput: Throughput,
) -> None:
    throughput.taken(replace(MESSAGE, claim=replace(CLAIM, spooled_ns=0)), 17 * S)
    throughput.taken(replace(MESSAGE, claim=None), 17 * S)
    assert sum(throughput.whole.counts) == 0
    assert throughput.size_bytes == 2 * MESSAGE.size


def test_gaps_are_counted_by_reason_in_samples(throughput: Throughput) -> None:
    gap = Claim(Lane.DATA, 7, 0, 40, settles=Settles.ANNOUNCED, reason="dropped")
    throughput.taken(replace(MESSAGE, claim=gap), 17 * S)
    throughput.taken(replace(MESSAGE, claim=gap), 17 * S)
    told = {reason: count for reason, count in throughput.gaps.items() if count}
    assert told == {"dropped": 80}
    assert {"removed", "damaged", "refused", "recalled"} < set(throughput.gaps)

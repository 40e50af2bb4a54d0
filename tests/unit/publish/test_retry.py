import random

import pytest

from otgate.publish.dialect import Dialect, first_dialect
from otgate.publish.message import Retain
from otgate.publish.retry import LONGEST_S, STABLE_S, TAKEN_OVER_S, Ending, Retry
from otgate.publish.settings import Protocol


def delays(retry: Retry, times: int) -> list[float]:
    return [retry.after(Ending.LOST, None).delay_s for _ in range(times)]


def test_back_off_is_jittered_up_to_a_doubling_ceiling_of_a_minute() -> None:
    runs = [delays(Retry(1, random.Random(seed)), 12) for seed in range(200)]
    highest = [max(column) for column in zip(*runs, strict=True)]
    assert highest[0] <= 1.0
    assert all(high <= min(LONGEST_S, 2.0**n) for n, high in enumerate(highest))
    assert highest[11] > 50
    assert min(run[11] for run in runs) < 5


def test_only_a_stable_minute_resets_the_back_off() -> None:
    retry = Retry(1, random.Random(1))
    delays(retry, 10)
    short = [retry.after(Ending.LOST, STABLE_S - 1).delay_s for _ in range(20)]
    assert max(short) > 1
    assert retry.after(Ending.LOST, STABLE_S).delay_s <= 1


def test_the_other_brokers_are_tried_before_any_wait() -> None:
    retry = Retry(3, random.Random(1))
    attempts = [retry.first(), *(retry.after(Ending.LOST, None) for _ in range(3))]
    assert [attempt.broker for attempt in attempts] == [0, 1, 2, 0]
    assert [attempt.delay_s > 0 for attempt in attempts] == [False, False, False, True]


def test_after_a_stable_connection_the_first_broker_is_tried_first() -> None:
    retry = Retry(2, random.Random(1))
    assert retry.after(Ending.LOST, None).broker == 1
    assert retry.after(Ending.LOST, 3600).broker == 0


def test_a_session_that_was_taken_over_is_not_fought_for() -> None:
    attempt = Retry(2, random.Random(1)).after(Ending.TAKEN_OVER, 3600)
    assert attempt.delay_s >= TAKEN_OVER_S


@pytest.mark.parametrize("code", [None, 0x84])
def test_a_server_without_mqtt_5_is_asked_for_less(code: int | None) -> None:
    simpler = first_dialect(Protocol.AUTO).after(code, Protocol.AUTO)
    assert simpler == Dialect(Protocol.V311)
    assert simpler.after(code, Protocol.AUTO) is None


def test_nobody_asks_for_less_than_the_settings_say() -> None:
    assert first_dialect(Protocol.V5).after(0x84, Protocol.V5) is None
    assert first_dialect(Protocol.V311).protocol is Protocol.V311


def test_a_server_without_retain_or_qos_gets_a_plain_will() -> None:
    assert Dialect().after(0x9A, Protocol.AUTO) == Dialect(retain=Retain.NO)
    assert Dialect().after(0x9B, Protocol.AUTO) == Dialect(will_qos=0)

"""The benchmarks' subscriber takes every message, whole and once."""

import time

import pytest
from paho.mqtt import publish

from bench.subscriber import cut, packet, subscribed
from brokers import Mosquitto, broker
from daemons import wait_until

__all__ = ["broker"]

ONE = packet(0x30, b"\0\1t" + b"x" * 200)


@pytest.mark.parametrize("at", range(0, 2 * len(ONE) + 1, 7))
def test_packets_cut_anywhere_come_out_whole(at: int) -> None:
    data = ONE + ONE
    first, rest = cut(data[:at])
    second, rest = cut(rest + data[at:])
    assert [*first, *second] == [(3, ONE[3:])] * 2
    assert rest == b""


def test_all_that_is_published_is_taken(broker: Mosquitto) -> None:
    payloads = [b"x" * size for size in (0, 1, 127, 128, 20_000, 3_000_000)]
    taken: list[tuple[bytes, bytes, int]] = []
    before_ns = time.monotonic_ns()
    with subscribed(broker.port, ["a/+"], lambda *message: taken.append(message)):
        for payload in payloads:
            publish.single("a/b", payload, qos=1, port=broker.port)
        publish.single("elsewhere", b"no", qos=1, port=broker.port)
        wait_until(lambda: len(taken) == len(payloads))
    assert [(topic, payload) for topic, payload, _ in taken] == [
        (b"a/b", each) for each in payloads
    ]
    assert all(before_ns < at_ns <= time.monotonic_ns() for _, _, at_ns in taken)

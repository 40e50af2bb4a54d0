"""The field side's stages before the spool: decode, report, gate."""

from collections.abc import Iterator
from contextlib import contextmanager

import inputs
import numpy as np
from timing import Trial, looped

from otgate.model import Device, ValueType
from otgate.policy.gate import Gate, compile_gates
from otgate.policy.language import Conduit, Effect, Limits, Match, Policy, Rule, Sensitivity, Zone
from otgate.report import Report
from otgate_modbus import Modbus
from otgate_modbus.decode import Layout
from otgate_modbus.planner import Ground
from otgate_modbus.reading import readings_of

SECOND_NS = 1_000_000_000
REGISTERS_A_READ = 125
FREE = Limits()
LIMITED = Limits(min_interval_s=0.5, quantize=0.5)


@contextmanager
def decode(count: int, changed: int) -> Iterator[tuple[Trial, Trial]]:
    """Replies of u16 registers with a scale; the floor is a view, a byte swap and a cast."""
    polls = [column.astype(">u2").tobytes() for column in inputs.walk(registers(count), changed)]
    cut = 2 * REGISTERS_A_READ
    replies = [[poll[at : at + cut] for at in range(0, len(poll), cut)] for poll in polls]
    settings = Modbus.settings(url="tcp://192.0.2.1")
    device = inputs.device(count)
    readings = readings_of(device, settings, range(count), [])
    blocks = Ground(settings).pack(readings)
    layout, good = Layout("f3", readings, blocks), (0,) * len(blocks)
    assert len(blocks) == len(replies[0])

    def ours(number: int) -> None:
        layout.decode(replies[number % len(replies)], good, number)

    def floor(number: int) -> None:
        np.frombuffer(polls[number % len(polls)], ">u2").astype(np.float64)

    yield looped(ours), looped(floor)


def registers(count: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint16]]:
    """Return register contents that a walk does not overflow."""
    return np.random.default_rng(1).integers(1000, 60_000, count).astype(np.uint16)


@contextmanager
def report(count: int, changed: int) -> Iterator[tuple[Trial, Trial]]:
    """Points with a deadband; an unchanged poll is the same array again, as decode leaves it."""
    columns = inputs.walk(registers(count) / 10.0, changed)
    polls = inputs.batches(np.arange(count, dtype=np.int32), columns)
    reporting = Report(inputs.device(count), [ValueType.F64] * count)
    begun_ns = polls[0].received_ns

    def ours(number: int) -> None:
        batch = polls[number % len(polls)]
        batch.received_ns = begun_ns + number
        reporting.pass_(batch)

    def floor(number: int) -> None:
        values = columns[number % len(columns)]
        assert (values != columns[number % len(columns) - 1]) is not None

    yield looped(ours), looped(floor)


@contextmanager
def gate(count: int, changed: int, limits: Limits = FREE) -> Iterator[tuple[Trial, Trial]]:
    """Every point crosses; the floor looks one number up per sample, as the catalog needs."""
    device = inputs.device(min(inputs.POINTS, 10 * count))
    crossing = gate_of(device, limits)
    batches = inputs.reported(count, changed)
    numbers = np.arange(len(device.points), dtype=np.int32)

    def ours(number: int) -> None:
        batch = batches[number % len(batches)]
        batch.received_ns = number * SECOND_NS
        crossing.pass_(batch, batch.received_ns)

    def floor(number: int) -> None:
        numbers[batches[number % len(batches)].index]

    yield looped(ours), looped(floor)


@contextmanager
def gate_limited(count: int, changed: int) -> Iterator[tuple[Trial, Trial]]:
    """As `gate`, with a minimum interval that has always ended and a step to round to."""
    with gate(count, changed, LIMITED) as trials:
        yield trials


def gate_of(device: Device, limits: Limits) -> Gate:
    """Return the gate of a policy with one rule."""
    zones = {"bay": Zone("bay"), "enterprise": Zone("enterprise")}
    conduit = Conduit("c", frozenset({"bay"}), "enterprise", ceiling=Sensitivity.INTERNAL)
    rule = Rule("all", Effect.ALLOW, Match(), "bench", limits=limits)
    policy = Policy("bench", 1, frozenset({"feeder"}), zones, {"c": conduit}, [rule])
    types = {device.id: [ValueType.F64] * len(device.points)}
    return compile_gates(policy, [device], types)["c"]

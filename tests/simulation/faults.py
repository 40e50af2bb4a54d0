"""Draws from a seed what goes wrong in a simulation, and when each fault ends."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from random import Random

DEVICE_FAULTS = ("silent", "exception", "late", "garbage", "wrong-tid", "close")
LINE_FAULTS = ("nothing", "one way", "refused")
LASTING: Mapping[str, tuple[str, ...]] = {
    "device": DEVICE_FAULTS,
    "field line": LINE_FAULTS,
    "broker line": LINE_FAULTS,
    "broker": ("refusing", "slow", "silent"),
    "disk": ("full", "io error", "sync error", "slow"),
    "watch": ("deaf",),
}
"""What lasts for a while, by whom it befalls."""
SUDDEN: Mapping[str, tuple[str, ...]] = {
    "broker": ("crash", "break", "skip", "exchange"),
    "broker line": ("forget",),
    "field line": ("forget",),
    "process": ("kill field", "kill bus", "kill both", "stop field", "stop bus", "edit bus"),
    "power": ("cut",),
}
QUIET_BEFORE_S, QUIET_AFTER_S = 20.0, 270.0
"""Nothing goes wrong in the first and the last part: every outage has to end."""
MEAN_S, LONGEST_S = 40.0, 150.0


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that goes wrong from ``begin_s`` on, for ``for_s`` seconds where it lasts."""

    begin_s: float
    for_s: float
    where: str
    kind: str
    which: int
    """Of several devices or lines."""

    def __str__(self) -> str:
        told = f"{self.where} {self.which}: {self.kind}"
        return f"{told} for {self.for_s:.1f} s" if self.for_s else told


def drawn(rng: Random, seconds: float) -> Iterator[Fault]:
    """Yield the faults of a simulation of that length, in order."""
    at_s = QUIET_BEFORE_S
    while (at_s := at_s + rng.expovariate(1 / MEAN_S)) < seconds - QUIET_AFTER_S:
        lasting = rng.random() < 0.6
        kinds = LASTING if lasting else SUDDEN
        where = rng.choice(list(kinds))
        for_s = min(rng.expovariate(1 / 25), LONGEST_S, seconds - QUIET_AFTER_S - at_s)
        kind = rng.choice(kinds[where])
        yield Fault(at_s, for_s if lasting else 0.0, where, kind, rng.randrange(1 << 16))

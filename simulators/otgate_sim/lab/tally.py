"""What was spooled against what an independent subscriber received; pure."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from math import ceil
from typing import NamedTuple


class Stream(NamedTuple):
    """One row of sequence numbers."""

    conduit: str
    lane: str
    epoch: str


class Name(NamedTuple):
    """A point of a device."""

    device: str
    point: str


@dataclass(slots=True)
class Tally:
    """Samples by stream and sequence number, as the subscriber and as the spools have them."""

    crosses: Callable[[str, Name], bool]
    """Whether the policy lets a point through a conduit."""
    holds: Callable[[str, Name], bool]
    """Whether the policy holds a point's values back for a while."""
    received: dict[Stream, dict[int, Name]] = field(default_factory=dict)
    spooled: dict[Stream, dict[int, Name]] = field(default_factory=dict)
    announced: dict[Stream, set[int]] = field(default_factory=dict)
    """Numbers that a published gap covers."""
    latencies_ms: list[float] = field(default_factory=list)
    """One for each first arrival of a sample that nothing holds back."""
    held_ms: list[float] = field(default_factory=list)
    """The same of points that the policy holds back."""
    duplicated: int = 0
    denied: int = 0

    def receive(self, stream: Stream, seq: int, names: Iterable[Name], age_ms: float) -> None:
        """Book a message whose n-th sample has number ``seq + n``."""
        seen = self.received.setdefault(stream, {})
        for number, name in enumerate(names, seq):
            self.denied += not self.crosses(stream.conduit, name)
            if number in seen:
                self.duplicated += 1
                continue
            seen[number] = name
            held = self.holds(stream.conduit, name)
            (self.held_ms if held else self.latencies_ms).append(age_ms)

    def announce(self, stream: Stream, seq: int, count: int) -> None:
        """Book a published gap."""
        self.announced.setdefault(stream, set()).update(range(seq, seq + count))

    def spool(self, stream: Stream, seq: int, names: Iterable[Name]) -> None:
        """Book a frame that a spool holds."""
        self.spooled.setdefault(stream, {}).update(enumerate(names, seq))

    def lost(self) -> list[Name]:
        """Return the point of every spooled sample that neither arrived nor is in a gap."""
        missing = []
        for stream, samples in self.spooled.items():
            arrived = self.received.get(stream, {})
            excused = self.announced.get(stream, set())
            missing += [
                name
                for number, name in samples.items()
                if arrived.get(number) != name and number not in excused
            ]
        return missing

    def result(self, drivers: Mapping[str, str]) -> dict[str, object]:
        """Return the outcome, as `otgate lab --json` prints it."""
        lost = Counter(name.device for name in self.lost())
        arrived = Counter(name.device for seen in self.received.values() for name in seen.values())
        return {
            "samples_published": sum(map(len, self.spooled.values())),
            "samples_received": arrived.total(),
            "lost": lost.total(),
            "duplicated": self.duplicated,
            "denied_points_seen": self.denied,
            "latency_ms_p50": percentile(self.latencies_ms, 0.50),
            "latency_ms_p99": percentile(self.latencies_ms, 0.99),
            "devices": {
                device: {
                    "driver": driver,
                    "received": arrived[device],
                    "lost": lost[device],
                }
                for device, driver in drivers.items()
            },
        }


def percentile(values: Iterable[float], share: float) -> float | None:
    """Return the smallest value that ``share`` of all do not exceed, or None of none."""
    ordered = sorted(values)
    return round(ordered[max(0, ceil(share * len(ordered)) - 1)], 2) if ordered else None

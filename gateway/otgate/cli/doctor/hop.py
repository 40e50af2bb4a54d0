"""One hop on a point's way, and what was found there."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Found(StrEnum):
    """What was found at a hop."""

    OK = "ok"
    WAITS = "waits"
    """Nothing is wrong; there is nothing new to say, or it is held back for now."""
    BARRED = "barred"
    """The policy keeps it back, as it should."""
    STOPS = "STOPS"
    """It does not come beyond this, and something is to be mended."""
    UNSEEN = "?"
    """What would tell is not to be had."""


@dataclass(frozen=True, slots=True)
class Hop:
    """A hop with its evidence in words, and what to do where it stops."""

    name: str
    found: Found
    says: str
    help: str = ""


@dataclass(frozen=True, slots=True)
class Way:
    """The hops of one conduit."""

    conduit: str
    hops: Sequence[Hop]


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All hops of a point: those before the conduits, and each conduit's."""

    point: str
    hops: Sequence[Hop]
    ways: Sequence[Way]
    remarks: Sequence[str] = ()

    @property
    def arrives(self) -> bool:
        """Whether nothing stops it, and one conduit at least carries it."""
        every = [*self.hops, *(hop for way in self.ways for hop in way.hops)]
        carried = any(all(hop.found is not Found.BARRED for hop in way.hops) for way in self.ways)
        return carried and all(hop.found is not Found.STOPS for hop in every)


def first_stop(hops: Sequence[Hop]) -> Hop | None:
    """Return the first hop that it does not come beyond."""
    return next((hop for hop in hops if hop.found in {Found.STOPS, Found.BARRED}), None)

"""Find points that are in every one of some unions of regions, or show that there are none.

The search keeps one region, takes whatever only one choice is left for, and tries the rest choice
by choice (Davis, Putnam, Logemann, Loveland). It is exact; what takes too long is undecided.
"""

from collections.abc import Sequence

from otgate.policy.globs import named
from otgate.policy.region import Region, Union

MAX_TRIES = 2_000
"""Choices after which a search gives up: a few seconds, of rules that nobody can read."""


class Intricate(Exception):
    """A search has tried more choices than are worth it."""


def common(start: Region, unions: Sequence[Union], search: "Search | None" = None) -> Region | None:
    """Return points of ``start`` that are in all of ``unions``, or None if none is conceivable.

    Raises:
        Tangled: globs that no search decides.
        Intricate: more choices than the search may try.
    """
    return (search or Search()).within(start.meet(start), unions)


class Search:
    """One search, which counts what it tries: at most MAX_TRIES, or ``most`` if that is less."""

    def __init__(self, most: int | None = None) -> None:
        self.tries = 0
        self.most = MAX_TRIES if most is None else min(most, MAX_TRIES)

    def within(self, start: Region | None, unions: Sequence[Union]) -> Region | None:
        """Return points of ``start`` that are in all of ``unions``."""
        narrowed = None if start is None else settled(start, unions)
        if narrowed is None:
            return None
        here, open_ = narrowed
        if not open_:
            return here
        chosen = min(open_, key=len)
        others = [union for union in open_ if union is not chosen]
        for region in chosen:
            self.tries += 1
            if self.tries > self.most:
                raise Intricate
            found = self.within(joined(here, region), others)
            if found is not None:
                return found
        return None


def settled(here: Region, unions: Sequence[Union]) -> tuple[Region, Sequence[Union]] | None:
    """Take every choice that is the only one, until there are several for each union left.

    Returns what is left of ``here`` and the unions that still ask for a choice; None if nothing is.
    """
    open_, forced = unions, True
    while forced:
        forced, waiting = False, list[Union]()
        for union in open_:
            if any(here.within(region) for region in union):
                continue
            living = [region for region in union if here.meet(region)]
            if len(living) > 1:
                waiting.append(living)
                continue
            both = joined(here, living[0]) if living else None
            if both is None:
                return None
            here, forced = both, True
        open_ = waiting
    return here, open_


def joined(here: Region, region: Region) -> Region | None:
    """Return the points of both, or None if there are none."""
    both = here.meet(region)
    if both is None or (both.names != here.names and named(both.names) is None):
        return None
    return both

"""Sets of conceivable points: what a match holds for, and what it does not, as regions.

A region is a conjunction: some kinds, some zones, some sensitivities, tags that are there, tags
that are not, and terms on the name. Sets of words are whole numbers, a bit for each word of a
`Space`. A match and its complement are both unions of regions.
"""

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import NamedTuple

from otgate.model import Kind, Sensitivity
from otgate.policy.decide import BARRED_KINDS
from otgate.policy.globs import Part, Term, Terms
from otgate.policy.language import Conduit, Match

KINDS = tuple(Kind)
LEVELS = tuple(Sensitivity)
ALL_KINDS, ALL_LEVELS = (1 << len(KINDS)) - 1, (1 << len(LEVELS)) - 1
ANY_NAME: Terms = frozenset()


class Region(NamedTuple):
    """All points with one of these kinds, zones and sensitivities, these tags, such a name."""

    kinds: int
    zones: int
    levels: int
    on: int = 0
    off: int = 0
    names: Terms = ANY_NAME

    def meet(self, other: "Region") -> "Region | None":
        """Return the points of both; None if their attributes alone leave none."""
        kinds, zones, levels = (
            self.kinds & other.kinds,
            self.zones & other.zones,
            self.levels & other.levels,
        )
        on, off = self.on | other.on, self.off | other.off
        if not kinds or not zones or not levels or on & off:
            return None
        return Region(kinds, zones, levels, on, off, self.names | other.names)

    def within(self, other: "Region") -> bool:
        """Tell whether every point is seen to be in ``other``; globs count as what they say."""
        return not (
            self.kinds & ~other.kinds
            or self.zones & ~other.zones
            or self.levels & ~other.levels
            or other.on & ~self.on
            or other.off & ~self.off
            or other.names - self.names
        )


Union = Sequence[Region]
"""The points that are in at least one of some regions."""


class Space:
    """Every conceivable point over some zones and tags."""

    def __init__(self, zones: Iterable[str], tags: Iterable[str]) -> None:
        self.zones = tuple(sorted(set(zones)))
        self.tags = tuple(sorted(set(tags)))
        self.zone_bits = {zone: 1 << place for place, zone in enumerate(self.zones)}
        self.tag_bits = {tag: 1 << place for place, tag in enumerate(self.tags)}
        self.everything = Region(ALL_KINDS, (1 << len(self.zones)) - 1, ALL_LEVELS)
        self.matched = cache(self._matched)
        """The points that a match holds for."""
        self.unmatched = cache(self._unmatched)
        """The points that a match does not hold for, the plainest first."""

    def _matched(self, match: Match) -> Union:
        common = self.everything._replace(
            kinds=kind_bits(match.kind),
            zones=self._zones(match.zone),
            levels=level_bits(match.sensitivity),
            on=self._tags(match.tags_all),
            off=self._tags(match.tags_none),
            names=frozenset(terms(match, wanted=True)),
        )
        given = [None] if match.tags_any is None else sorted(match.tags_any)
        each = [common if tag is None else self._with(common, tag) for tag in given]
        return [region for region in each if region.meet(self.everything)]

    def _unmatched(self, match: Match) -> Union:
        every = self.everything
        none_of_any = [] if match.tags_any is None else [self.tagless(match.tags_any)]
        outside = (
            *none_of_any,
            *(every._replace(off=self.tag_bits[tag]) for tag in sorted(match.tags_all)),
            *(every._replace(names=frozenset({term})) for term in terms(match, wanted=False)),
            every._replace(kinds=ALL_KINDS & ~kind_bits(match.kind)),
            every._replace(zones=every.zones & ~self._zones(match.zone)),
            every._replace(levels=ALL_LEVELS & ~level_bits(match.sensitivity)),
            *(every._replace(on=self.tag_bits[tag]) for tag in sorted(match.tags_none)),
        )
        return [region for region in outside if region.meet(every)]

    def admitted(self, conduit: Conduit) -> Region:
        """Return the points that the guards of ``conduit`` let pass."""
        return self.everything._replace(
            zones=self._zones(conduit.from_zones),
            kinds=ALL_KINDS & ~kind_bits(BARRED_KINDS[conduit.direction]),
            levels=level_bits(level for level in LEVELS if level <= conduit.ceiling),
        )

    def stopped(self, conduit: Conduit) -> Union:
        """Return the points that a guard of ``conduit`` stops."""
        every, inside = self.everything, self.admitted(conduit)
        outside = (
            every._replace(zones=every.zones & ~inside.zones),
            every._replace(kinds=every.kinds & ~inside.kinds),
            every._replace(levels=every.levels & ~inside.levels),
        )
        return [region for region in outside if region.meet(every)]

    def tagless(self, tags: Iterable[str]) -> Region:
        """Return the points that have none of ``tags``."""
        return self.everything._replace(off=self._tags(tags))

    def _with(self, region: Region, tag: str) -> Region:
        return region._replace(on=region.on | self.tag_bits[tag])

    def _zones(self, zones: Iterable[str] | None) -> int:
        if zones is None:
            return (1 << len(self.zones)) - 1
        return sum(self.zone_bits[zone] for zone in set(zones) if zone in self.zone_bits)

    def _tags(self, tags: Iterable[str]) -> int:
        return sum(self.tag_bits[tag] for tag in set(tags))


def terms(match: Match, *, wanted: bool) -> Iterator[Term]:
    """Return what the globs of ``match`` ask of a name, or each of them refused."""
    if match.device is not None:
        yield Term(Part.DEVICE, match.device, wanted)
    if match.point is not None:
        yield Term(Part.PATH, match.point, wanted)


def kind_bits(kinds: Iterable[Kind] | None) -> int:
    """Return a set of kinds as a whole number; None is all."""
    return ALL_KINDS if kinds is None else sum(1 << KINDS.index(kind) for kind in set(kinds))


def level_bits(levels: Iterable[Sensitivity] | None) -> int:
    """Return a set of sensitivities as a whole number; None is all."""
    return ALL_LEVELS if levels is None else sum(1 << LEVELS.index(level) for level in set(levels))


def words(numbered: Sequence[str], bits: int) -> list[str]:
    """Return the words that ``bits`` stand for."""
    return [word for place, word in enumerate(numbered) if bits >> place & 1]

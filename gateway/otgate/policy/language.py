"""What a policy says, as plain values: zones, conduits, rules and limits."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from otgate.model import Kind, Sensitivity


class Effect(StrEnum):
    """What a matching rule does. Any deny beats every allow."""

    ALLOW = "allow"
    DENY = "deny"


class Direction(StrEnum):
    """Which way a conduit carries. Only outward conduits exist."""

    OUT = "out"


class UnderTest(StrEnum):
    """What a conduit does with data under test."""

    DROP = "drop"
    PASS = "pass"  # noqa: S105  a verb, not a secret


class Strip(StrEnum):
    """A descriptive attribute that a limit can keep from crossing."""

    NAME = "name"
    DESCRIPTION = "description"
    PLACE = "place"
    OWNER = "owner"
    EXTERNAL_ID = "external_id"
    DEVICE_ADDRESS = "device_address"


@dataclass(frozen=True, slots=True)
class Match:
    """Which points a rule speaks of; every given attribute has to hold, an absent one holds.

    ``device`` and ``point`` are globs (``*`` and ``?``); ``point`` is matched against
    ``device/point``.
    """

    kind: frozenset[Kind] | None = None
    tags_all: frozenset[str] = frozenset()
    tags_any: frozenset[str] | None = None
    tags_none: frozenset[str] = frozenset()
    zone: frozenset[str] | None = None
    sensitivity: frozenset[Sensitivity] | None = None
    device: tuple[str, ...] | None = None
    point: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """Restrictions on what crosses; limits only restrict and they join.

    ``kinds`` names the kinds that ``min_interval_s`` and ``quantize`` apply to. ``delay_s`` holds
    everything back that crosses a conduit which they are given for.
    """

    min_interval_s: float = 0.0
    quantize: float = 0.0
    strip: frozenset[Strip] = frozenset()
    kinds: frozenset[Kind] = frozenset({Kind.MEASUREMENT, Kind.COUNTER})
    delay_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Rule:
    """One allow or deny, with the reason that an auditor reads."""

    name: str
    effect: Effect
    match: Match
    why: str
    conduits: frozenset[str] | None = None
    """Conduit ids; None is every conduit."""
    limits: Limits = Limits()
    owner: str = ""
    ticket: str = ""
    approved_by: str = ""
    review_by: str = ""


@dataclass(frozen=True, slots=True)
class Zone:
    """A segment of the plant (IEC 62443-3-2) with its Purdue level."""

    id: str
    purdue: float | None = None


@dataclass(frozen=True, slots=True)
class Conduit:
    """The only way between two zones (IEC 62443-3-2)."""

    id: str
    from_zones: frozenset[str]
    to: str
    direction: Direction = Direction.OUT
    ceiling: Sensitivity = Sensitivity.PUBLIC
    limits: Limits = Limits()
    test: UnderTest = UnderTest.DROP


@dataclass(frozen=True, slots=True)
class Assertion:
    """What must never cross, for any conceivable point; a policy it fails for is refused."""

    never: Match
    on: frozenset[str] | None = None
    """Conduit ids; None is every conduit."""
    why: str = ""


@dataclass(frozen=True, slots=True)
class Policy:
    """A whole policy. What no rule allows does not cross."""

    name: str
    version: int
    tags: frozenset[str]
    zones: Mapping[str, Zone]
    conduits: Mapping[str, Conduit]
    rules: Sequence[Rule] = field(default=())
    assertions: Sequence[Assertion] = field(default=())
    valid_until: str = ""
    """Day after which nothing crosses, YYYY-MM-DD, UTC; nothing where it has no end."""

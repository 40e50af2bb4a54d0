"""The form of ``policy.yaml``: what the security people write, and its plain values."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import date
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, Field

from otgate.config.forms import Entry, Id, Name, Seconds, SensitivityName, Version, wrong
from otgate.model import Kind, Sensitivity
from otgate.policy.language import (
    Assertion,
    Conduit,
    Direction,
    Effect,
    Limits,
    Match,
    Policy,
    Rule,
    Strip,
    UnderTest,
    Zone,
)

KindName = Literal["measurement", "status", "counter", "event", "text", "setting", "control"]
StripName = Literal["name", "description", "place", "owner", "external_id", "device_address"]
T = TypeVar("T")


def a_date(text: str) -> str:
    """Accept a day as YYYY-MM-DD."""
    try:
        date.fromisoformat(text)
    except ValueError:
        raise wrong("wrong-value", f"`{text}` is not a date", "write `YYYY-MM-DD`") from None
    return text


Day = Annotated[str, AfterValidator(a_date)]
Glob = Annotated[str, Field(pattern=r"^[a-z0-9_*?/-]{1,130}$")]


class TitleEntry(Entry):
    """What the policy is called."""

    name: Annotated[Name, Field(examples=["substation-7 egress"])]
    """What it is called, wherever it is spoken of."""
    version: Annotated[int, Field(ge=1, examples=[3])]
    """Raised with every change."""
    valid_until: Annotated[Day, Field(examples=["2027-11-30"])] = ""
    """Day after which nothing crosses, YYYY-MM-DD, UTC."""


class VocabularyEntry(Entry):
    """The words that point maps and rules may use."""

    tags: list[Id] = Field(default_factory=list, examples=[["feeder", "protection"]])
    """Every tag there is."""


class ZoneEntry(Entry):
    """A segment of the plant (IEC 62443-3-2)."""

    purdue: Annotated[float | None, Field(ge=0, le=5, examples=[1, 3.5])] = None
    """Level in the Purdue model."""


class LimitsEntry(Entry):
    """Restrictions on what crosses; they only restrict, and they join."""

    min_interval_s: Seconds = 0.0
    """A point crosses at most this often (seconds)."""
    quantize: Annotated[float, Field(ge=0)] = 0.0
    """Values are rounded to multiples of this step (engineering units); 0 is off."""
    strip: list[StripName] = Field(default_factory=list, examples=[["device_address"]])
    """Attributes that do not cross."""
    kinds: Annotated[list[KindName] | None, Field(min_length=1, examples=[["measurement"]])] = None
    """Kinds that `min_interval_s` and `quantize` apply to: measurements and counters."""
    delay_s: Seconds = 0.0
    """Everything that crosses the conduit is held back for so long (seconds)."""


class ConduitEntry(Entry):
    """The only way between two zones."""

    from_: Annotated[list[Id], Field(alias="from", min_length=1, examples=[["bay"]])]
    """Zones whose points may enter it."""
    to: Annotated[Id, Field(examples=["enterprise"])]
    """The zone it leads to."""
    direction: Literal["out"] = "out"
    """Only outward conduits exist."""
    ceiling: SensitivityName = "public"
    """The most sensitive classification that may enter."""
    limits: LimitsEntry = LimitsEntry()
    """Restrictions on everything that crosses here."""
    test: Literal["drop", "pass"] = "drop"
    """What happens to data under test."""


class MatchEntry(Entry):
    """Which points a rule speaks of: every attribute given has to hold."""

    kind: Annotated[
        list[KindName] | None, Field(min_length=1, examples=[["measurement", "status"]])
    ] = None
    """The point is of one of these kinds."""
    tags_all: list[Id] = Field(default_factory=list, examples=[["feeder"]])
    """The point has all of these."""
    tags_any: Annotated[
        list[Id] | None, Field(min_length=1, examples=[["feeder", "transformer"]])
    ] = None
    """The point has at least one of these."""
    tags_none: list[Id] = Field(default_factory=list, examples=[["protection"]])
    """The point has none of these."""
    zone: Annotated[list[Id] | None, Field(min_length=1, examples=[["bay"]])] = None
    """The device stands in one of these zones."""
    sensitivity: Annotated[
        list[SensitivityName] | None, Field(min_length=1, examples=[["public", "internal"]])
    ] = None
    """The point is classified as one of these."""
    device: Annotated[list[Glob] | None, Field(min_length=1, examples=[["f*"]])] = None
    """Device ids; `*` and `?` stand for any."""
    point: Annotated[list[Glob] | None, Field(min_length=1, examples=[["f3/i?"]])] = None
    """`device/point`; `*` and `?` stand for any."""


class RuleEntry(Entry):
    """One allow or deny. Any deny beats every allow; order means nothing."""

    name: Annotated[Id, Field(examples=["feeder-loads"])]
    """What `otgate policy explain` calls it; unique."""
    effect: Literal["allow", "deny"]
    """Whether points may cross or must not."""
    conduits: Annotated[list[Id], Field(min_length=1)] | Literal["all"] = "all"
    """Conduits it speaks of."""
    match: MatchEntry
    """Which points it speaks of."""
    limits: LimitsEntry = LimitsEntry()
    """Restrictions on what this rule allows."""
    why: Annotated[Name, Field(examples=["load forecasting"])]
    """The reason, for whoever audits it."""
    owner: Annotated[str, Field(examples=["grid planning"])] = ""
    """Who asked for it."""
    ticket: Annotated[str, Field(examples=["CR-1190"])] = ""
    """Where it was asked for."""
    approved_by: Annotated[str, Field(examples=["j.doe"])] = ""
    """Who approved it."""
    review_by: Annotated[Day, Field(examples=["2027-06-30"])] = ""
    """Day by which somebody looks at it again, YYYY-MM-DD."""


class AssertionEntry(Entry):
    """What must never cross, whatever points there will be."""

    never: MatchEntry
    """No point that this holds for ever crosses."""
    on: Annotated[list[Id], Field(min_length=1)] | Literal["all"] = "all"
    """Conduits it speaks of."""
    why: Annotated[str, Field(examples=["CIP-011: relay settings are BCSI"])] = ""
    """The reason, for whoever audits it."""


class PolicyFile(Entry):
    """`policy.yaml`: zones, conduits, and which points may cross. What no rule allows stays."""

    config_version: Version
    """The format of this file: 1."""
    policy: TitleEntry
    """What the policy is called."""
    vocabulary: VocabularyEntry = VocabularyEntry()
    """The words that point maps and rules may use."""
    zones: Annotated[
        dict[Id, ZoneEntry | None],
        Field(min_length=1, examples=[{"bay": {"purdue": 1}, "enterprise": {"purdue": 4}}]),
    ]
    """Every zone, the devices' and those that conduits lead to."""
    conduits: Annotated[
        dict[Id, ConduitEntry],
        Field(min_length=1, examples=[{"analytics": {"from": ["bay"], "to": "enterprise"}}]),
    ]
    """Every way out; each publishes on its own."""
    rules: list[RuleEntry] = Field(default_factory=list)
    """Who may cross; any deny beats every allow."""
    assertions: list[AssertionEntry] = Field(default_factory=list)
    """What must never cross, proved for any conceivable point or the policy is refused."""


def policy_of(file: PolicyFile) -> Policy:
    """Return the plain values that a policy file stands for."""
    return Policy(
        name=file.policy.name,
        version=file.policy.version,
        tags=frozenset(file.vocabulary.tags),
        zones={
            name: Zone(name, entry.purdue if entry else None) for name, entry in file.zones.items()
        },
        conduits={name: conduit_of(name, entry) for name, entry in file.conduits.items()},
        rules=tuple(map(rule_of, file.rules)),
        assertions=tuple(map(assertion_of, file.assertions)),
        valid_until=file.policy.valid_until,
    )


def conduit_of(name: str, entry: ConduitEntry) -> Conduit:
    """Return the conduit that an entry stands for."""
    return Conduit(
        id=name,
        from_zones=frozenset(entry.from_),
        to=entry.to,
        direction=Direction(entry.direction),
        ceiling=Sensitivity[entry.ceiling.upper()],
        limits=limits_of(entry.limits),
        test=UnderTest(entry.test),
    )


def rule_of(entry: RuleEntry) -> Rule:
    """Return the rule that an entry stands for."""
    return Rule(
        name=entry.name,
        effect=Effect(entry.effect),
        match=match_of(entry.match),
        why=entry.why,
        conduits=None if entry.conduits == "all" else frozenset(entry.conduits),
        limits=limits_of(entry.limits),
        owner=entry.owner,
        ticket=entry.ticket,
        approved_by=entry.approved_by,
        review_by=entry.review_by,
    )


def assertion_of(entry: AssertionEntry) -> Assertion:
    """Return the assertion that an entry stands for."""
    on = None if entry.on == "all" else frozenset(entry.on)
    return Assertion(match_of(entry.never), on, entry.why)


def match_of(entry: MatchEntry) -> Match:
    """Return the match that an entry stands for."""
    return Match(
        kind=given(entry.kind, Kind),
        tags_all=frozenset(entry.tags_all),
        tags_any=given(entry.tags_any, str),
        tags_none=frozenset(entry.tags_none),
        zone=given(entry.zone, str),
        sensitivity=given(entry.sensitivity, lambda name: Sensitivity[name.upper()]),
        device=tuple(entry.device) if entry.device else None,
        point=tuple(entry.point) if entry.point else None,
    )


def limits_of(entry: LimitsEntry) -> Limits:
    """Return the limits that an entry stands for."""
    limits = Limits(
        min_interval_s=entry.min_interval_s,
        quantize=entry.quantize,
        strip=frozenset(map(Strip, entry.strip)),
        delay_s=entry.delay_s,
    )
    if entry.kinds is None:
        return limits
    return replace(limits, kinds=frozenset(map(Kind, entry.kinds)))


def given(names: Iterable[Any] | None, form: Callable[[Any], T]) -> frozenset[T] | None:
    """Return a set of what is named, or None where nothing is asked."""
    return None if names is None else frozenset(map(form, names))

"""One calculated point: its definition, unit, kind and labels, each held against its inputs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from otgate.calc.calculation import Definition, Formula, Window
from otgate.calc.meaning import Meaning, meaning
from otgate.calc.panes import Aggregate
from otgate.calc.tree import BadExpression, Node
from otgate.calc.units import Unit, clash, unit_of
from otgate.calc.windows import Span
from otgate.config.calc_inputs import Input, Inputs, Scope
from otgate.config.calc_labels import Labels, joined
from otgate.model import Deadband, Kind, Point, Sensitivity, ValueType

NO_NUMBER = {
    Aggregate.MIN: "least",
    Aggregate.MEAN: "mean",
    Aggregate.MAX: "greatest",
}
PLAIN = frozenset({Aggregate.COUNT, Aggregate.GOOD_SHARE, Aggregate.LATE})
"""Aggregates that are not in the unit of what they are about."""

KEEPING = frozenset({Aggregate.MIN, Aggregate.MAX, Aggregate.LAST})
"""Aggregates that are values of the point itself."""

DEFAULT_GRACE_S = 2


@dataclass(slots=True)
class Draft:
    """A calculated point as it is written; one entry may be several."""

    path: str
    id: str
    where: tuple[str | int, ...]
    """The entry in the site file."""
    given: Mapping[str, Any]
    node: Node | None = None
    of: str = ""
    aggregate: Aggregate = Aggregate.LAST
    inputs: Sequence[str] = ()


class WrongKey(Exception):
    """What is wrong with a key of an entry, beside its formula."""

    def __init__(self, key: str, code: str, message: str, help_: str) -> None:
        super().__init__(message)
        self.key, self.code, self.message, self.help = key, code, message, help_


@dataclass(frozen=True, slots=True)
class Made:
    """What an entry means: its definition, what it is measured in, and its states."""

    definition: Definition
    unit: Unit | None
    states: Mapping[int, str]
    doubts: Sequence[BadExpression]
    """What of its units is probably a mistake."""


def made(draft: Draft, inputs: Inputs) -> Made:
    """Return what a draft means.

    Raises:
        BadExpression: its formula means nothing.
        WrongKey: its window cannot be.
        Spoilt: an input has a mistake of its own.
    """
    if draft.node is None:
        source = inputs.find(draft.of, (0, len(draft.of)))
        return Made(
            windowed(draft, source), of_window(draft.aggregate, source), states(draft, source), ()
        )
    scope = Scope(inputs)
    found: Meaning = meaning(draft.node, scope)
    return Made(Formula(found.term), found.unit, found.states, scope.doubts)


def windowed(draft: Draft, source: Input) -> Window:
    """Return the window that a draft means.

    Raises:
        WrongKey: nothing can be said so of this point.
    """
    if isinstance(source.definition, Window):
        message = f"`{draft.of}` is a window itself"
        help_ = f"follow `{source.definition.of}`, with a longer `every_s` or `over_s`"
        raise WrongKey("of", "bad-window", message, help_)
    coded = bool(source.point.states) or source.point.has_flags
    wrong = draft.aggregate in NO_NUMBER and (coded or source.kind is ValueType.BOOL)
    if source.kind is ValueType.BOOL and draft.aggregate is Aggregate.MEAN:
        wrong = False  # the share of the time that it was true
    if source.kind is ValueType.TEXT or wrong:
        what = "a text" if source.kind is ValueType.TEXT else "a state"
        message = f"`{draft.of}` is {what}: it has no {draft.aggregate}"
        raise WrongKey("aggregates", "bad-window", message, "e.g. `last`, `count`, `good_share`")
    kind = ValueType.I64 if source.kind is ValueType.U64 else source.kind
    return Window(draft.of, kind, draft.aggregate, span(draft.given))


def span(given: Mapping[str, Any]) -> Span:
    """Return how long windows are.

    Raises:
        WrongKey: the lengths do not go together.
    """
    every_s, over_s = given["every_s"], given["over_s"] or given["every_s"]
    grace_s = DEFAULT_GRACE_S if given["grace_s"] is None else given["grace_s"]
    if over_s % every_s or over_s > 60 * every_s:
        message = f"`over_s` has to be 1 to 60 times `every_s`, {over_s} is not"
        raise WrongKey("over_s", "bad-window", message, f"e.g. {2 * every_s}")
    if grace_s > 60 * every_s:
        message = f"windows each {every_s} s cannot wait {grace_s} s for what comes late"
        raise WrongKey("grace_s", "bad-window", message, "lengthen `every_s`")
    return Span(every_s * 10**9, over_s * 10**9, grace_s * 10**9)


def of_window(aggregate: Aggregate, source: Input) -> Unit | None:
    """Return the unit of an aggregate."""
    is_share = aggregate is Aggregate.MEAN and source.kind is ValueType.BOOL
    return None if aggregate in PLAIN or is_share else unit_of(source.point.unit)


def states(draft: Draft, source: Input) -> Mapping[int, str]:
    """Return the labels of an aggregate's values."""
    return source.point.states if draft.aggregate is Aggregate.LAST else {}


def point_of(draft: Draft, made_: Made, inputs: Sequence[Point], zone: str) -> Point:
    """Return the point that policy, catalog and report see.

    Raises:
        WrongKey: what is said of it does not fit what it follows from.
    """
    given, labels = draft.given, joined(inputs)
    kind = kind_of(draft, made_, labels)
    return Point(
        id=draft.id,
        kind=kind,
        address=shown(draft),
        name=given["name"] or (name_of(draft, inputs[0]) if draft.of else ""),
        description=given["description"],
        unit=unit_text(given["unit"], made_.unit),
        states=made_.states,
        deadband=deadband(given["deadband"], kind),
        latch=given["latch"] == "on",
        max_age_s=given["max_age_s"],
        zone=zone,
        tags=labels.tags | frozenset(given["tags"]),
        sensitivity=sensitivity(given["sensitivity"], labels),
        owner=labels.owner if given["owner"] is None else given["owner"],
        external_id=given["external_id"],
        place=labels.place,
    )


def kind_of(draft: Draft, made_: Made, labels: Labels) -> Kind:
    """Return what a point is to people: what is said, if that is no milder than its inputs.

    Raises:
        WrongKey: it cannot be what is said.
    """
    wanted = draft.given["kind"]
    if labels.barred is not None:
        if wanted not in {None, labels.barred}:
            message = f"what follows from a {labels.barred} is a {labels.barred}, no {wanted}"
            raise WrongKey("kind", "label-lowered", message, "leave `kind` out")
        return labels.barred
    usual = usual_kind(draft, made_, labels)
    if usual in CONTINUOUS:  # a load profile does not become a reading of a meter
        possible = {usual, *(CONTINUOUS if labels.kinds == {Kind.COUNTER} else ())}
    else:
        possible = {usual, *DISCRETE}
    if wanted is not None and wanted not in possible:
        known = ", ".join(f"`{one}`" for one in sorted(possible))
        message = f"a {wanted} does not follow from this"
        raise WrongKey("kind", "label-lowered", message, f"it can be {known}")
    return usual if wanted is None else Kind(wanted)


CONTINUOUS = frozenset({Kind.MEASUREMENT, Kind.COUNTER})
DISCRETE = frozenset({Kind.STATUS, Kind.EVENT})


def usual_kind(draft: Draft, made_: Made, labels: Labels) -> Kind:
    """Return what a point is that says nothing of it."""
    if draft.of and draft.aggregate in KEEPING:
        return next(iter(labels.kinds))
    coded = bool(made_.states) or made_.definition.kind is ValueType.BOOL
    return Kind.STATUS if coded else Kind.MEASUREMENT


def sensitivity(wanted: str | None, labels: Labels) -> Sensitivity:
    """Return the classification.

    Raises:
        WrongKey: it is milder than that of an input.
    """
    if wanted is None:
        return labels.sensitivity
    if Sensitivity[wanted.upper()] < labels.sensitivity:
        least = labels.sensitivity.name.lower()
        message = f"`{wanted}` is milder than an input, which is {least}"
        raise WrongKey("sensitivity", "label-lowered", message, f"`{least}`, or leave it out")
    return Sensitivity[wanted.upper()]


def unit_text(wanted: str | None, found: Unit | None) -> str:
    """Return the unit.

    Raises:
        WrongKey: the result is in another.
    """
    if wanted is None:
        return "" if found is None else found.text
    wrong = clash(found, unit_of(wanted))
    if wrong is not None and wrong.sure:
        help_ = wrong.help.replace("what is in ", "the formula, which is in ")
        raise WrongKey("unit", "unit-clash", f"the result is another: {wrong.message}", help_)
    return wanted


def deadband(amount: float | None, kind: Kind) -> Deadband | None:
    """Return a deadband, if one is given.

    Raises:
        WrongKey: every change of such a point is reported.
    """
    if amount is not None and kind not in CONTINUOUS | {Kind.SETTING}:
        message = f"a {kind} has no deadband: every change of it is reported"
        raise WrongKey("deadband", "deadband-on-status", message, "leave it out")
    return Deadband(amount) if amount else None


def shown(draft: Draft) -> str:
    """Return in a line how a point is calculated."""
    given = draft.given
    if draft.node is not None:
        return str(given["formula"])
    over = f" over {given['over_s']} s" if given["over_s"] else ""
    return f"{draft.aggregate} of {draft.of} each {given['every_s']} s{over}"


def name_of(draft: Draft, source: Point) -> str:
    """Return a name for a window, after the point that it is about."""
    seconds = draft.given["over_s"] or draft.given["every_s"]
    stretch = f"{seconds // 60} min" if seconds % 60 == 0 else f"{seconds} s"
    what = str(draft.aggregate).replace("_", " ")
    return f"{source.name or draft.of}, {what} of {stretch}"[:256]

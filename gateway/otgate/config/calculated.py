"""The calculated devices of a site file: entries to drafts, drafts in their order to points."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from otgate.calc.calculation import CALC, Calculations, Definition, in_order
from otgate.calc.panes import Aggregate
from otgate.calc.parse import parse
from otgate.calc.tree import BadExpression, names
from otgate.config.calc_crossing import alone
from otgate.config.calc_file import CalcOutline, CalculatedEntry
from otgate.config.calc_inputs import Input, Inputs, Spoilt
from otgate.config.calc_labels import strictest
from otgate.config.calc_point import Draft, Made, WrongKey, made, point_of
from otgate.config.columns import ID
from otgate.config.device import DeviceReading
from otgate.config.diagnostic import Diagnostics, Place, Severity
from otgate.config.forms import ID_HELP, ReportingEntry
from otgate.config.nearest import did_you_mean
from otgate.config.validate import partial, value_at
from otgate.config.yaml_text import Path, Tree
from otgate.model import Device, Point, Reporting, Scan
from otgate.policy.language import Policy

WINDOW_KEYS = ("aggregates", "every_s", "over_s", "grace_s")
FORMULA_KEYS = ("deadband", "latch")
CALCULATED = -1
"""Stands for the number of an entry of ``devices:`` where a device is none of them."""

MOST_CYCLES = 20
"""Cycles that are told; whoever has more has one mistake."""


class CalcReading:
    """Reads ``calc:`` once every device is read; each point's mistakes leave the others alone."""

    def __init__(self, tree: Tree, devices: DeviceReading, found: Diagnostics) -> None:
        self.tree = tree
        self.devices = devices
        self.found = found
        self.inputs = Inputs(devices.complete, devices.plans, devices.ids)
        self.drafts: dict[str, Draft] = {}
        self.entries: list[tuple[str, ReportingEntry | None]] = []
        self.points: dict[str, tuple[Point, Definition]] = {}

    def read(self, given: Sequence[Mapping[str, Any]]) -> None:
        """Read every entry, and add what is right to the devices."""
        for number in range(len(given)):
            self.entry(("calc", number))
        for path in self.ordered():
            self.build(self.drafts[path])
        for device, reporting in self.entries:
            self.add(device, reporting or self.devices.defaults.reporting)

    def entry(self, path: Path) -> None:
        """Read one calculated device."""
        given = partial(CalcOutline, self.tree, path, self.found)
        if "device" not in given or "points" not in given:
            return
        device = given["device"]
        place = self.tree.at(*path, "device")
        first, other = self.devices.ids.setdefault(device, (place, CALCULATED))
        if other != CALCULATED or first != place:
            message = f"device `{device}` is declared twice"
            help_ = f"it is first declared on line {first.line}"
            self.found.say("duplicate-id", place, message, help_)
            return
        self.entries.append((device, given.get("reporting")))
        for number in range(len(given["points"])):
            for draft in self.drafted(device, (*path, "points", number)):
                self.keep(draft)

    def keep(self, draft: Draft) -> None:
        """Take a draft, unless another has its name, or its name is none."""
        place = self.tree.at(*draft.where, "id")
        if not ID.fullmatch(draft.id):
            help_ = f"give it an `id`: {ID_HELP}"
            self.found.say("bad-id", place, f"`{draft.id}` is not an id", help_)
        elif draft.path in self.drafts:
            first = self.tree.at(*self.drafts[draft.path].where)
            message = f"point `{draft.id}` is declared twice"
            self.found.say(
                "duplicate-id", place, message, f"it is first declared on line {first.line}"
            )
        else:
            self.drafts[draft.path] = draft
            self.inputs.calculated[draft.path] = None

    def drafted(self, device: str, where: Path) -> Iterator[Draft]:
        """Yield the points that one entry means."""
        given = partial(CalculatedEntry, self.tree, where, self.found)
        if len(given) < len(CalculatedEntry.model_fields) or not self.fits(where, given):
            id_ = value_at(self.tree, where).get("id")
            self.inputs.calculated.setdefault(f"{device}/{id_}", None)  # so that it is no news
            return
        self.check_tags(where, given["tags"])
        if given["formula"] is None:
            yield from self.windows(device, where, given)
            return
        draft = Draft(f"{device}/{given['id']}", given["id"], where, given)
        try:
            draft.node = parse(given["formula"])
        except BadExpression as bad:
            self.say(bad, draft)
        else:
            draft.inputs = list(dict.fromkeys(name.path for name in names(draft.node)))
        yield draft

    def fits(self, where: Path, given: Mapping[str, Any]) -> bool:
        """Check that an entry is either a formula or windows, and has what that needs."""
        before = self.found.errors
        if (given["formula"] is None) == (given["of"] is None):
            message = "a calculated point has either a `formula` or an `of`"
            help_ = "`formula: f1/p + f2/p`, or `of: f1/p` with `aggregates` and `every_s`"
            self.found.say("missing-key", self.tree.key(*where), message, help_)
            return False
        is_window = given["formula"] is None
        needed = ("aggregates", "every_s") if is_window else ("id",)
        for key in needed:
            if given[key] is None:
                about = (CalculatedEntry.model_fields[key].description or "").splitlines()[0]
                help_ = about[:1].lower() + about[1:].rstrip(".")
                self.found.say("missing-key", self.tree.key(*where), f"missing key `{key}`", help_)
        for key in FORMULA_KEYS if is_window else WINDOW_KEYS:
            if given[key] is not None:
                why = "every window is sent" if is_window else "it belongs to `of`"
                message = f"`{key}` says nothing of a {'window' if is_window else 'formula'}"
                self.found.say("misplaced-key", self.tree.key(*where, key), message, why)
        return self.found.errors == before

    def check_tags(self, where: Path, tags: Sequence[str]) -> None:
        """Check the added tags against the policy's vocabulary."""
        policy = self.devices.policy
        vocabulary = policy.tags if policy else None
        for number, tag in enumerate(tags):
            if vocabulary is not None and tag not in vocabulary:
                place = self.tree.at(*where, "tags", number)
                message = f"tag `{tag}` is not in the policy's vocabulary"
                help_ = did_you_mean(tag, vocabulary, otherwise="declared")
                self.found.say("unknown-tag", place, message, help_)

    def windows(self, device: str, where: Path, given: Mapping[str, Any]) -> Iterator[Draft]:
        """Yield a point per aggregate of each point that an entry follows."""
        many = "*" in given["of"] or "?" in given["of"]
        followed = self.inputs.matching(given["of"]) if many else [given["of"]]
        place = self.tree.at(*where, "of")
        if not followed:
            help_ = "it means points that are read, by `device/point`"
            self.found.say("unknown-input", place, f"no point is called `{given['of']}`", help_)
        if many and given["id"] is not None:
            message = "`id` says nothing of several points"
            help_ = "leave it out: they are called `device_point_aggregate`"
            self.found.say("misplaced-key", self.tree.key(*where, "id"), message, help_)
            return
        for of in followed:
            stem = given["id"] or of.replace("/", "_")
            for name in given["aggregates"]:
                alone = given["id"] is not None and len(given["aggregates"]) == 1
                id_ = stem if alone else f"{stem}_{name}"
                aggregate = Aggregate(name)
                yield Draft(f"{device}/{id_}", id_, where, given, None, of, aggregate, [of])

    def ordered(self) -> Sequence[str]:
        """Return the points so that each stands behind its inputs; say which go in a circle."""
        graph = {path: list(draft.inputs) for path, draft in self.drafts.items()}
        for _ in range(MOST_CYCLES):
            ordered, cycle = in_order(graph)
            if not cycle:
                return ordered
            for path in cycle[1:]:
                del graph[path]
            self.say_cycle(cycle)
        return ()

    def say_cycle(self, cycle: Sequence[str]) -> None:
        """Say that a point follows from itself, and by which way."""
        draft = self.drafts[cycle[0]]
        way = ", that from ".join(f"`{path}`" for path in cycle[1:])
        message = f"`{cycle[0]}` follows from {way}"
        place = self.tree.at(*draft.where, "of" if draft.of else "formula")
        self.found.say(
            "calculation-cycle", place, message, "let one of them follow from what is read"
        )

    def build(self, draft: Draft) -> None:
        """Make a point of a draft, or say why it is none."""
        if not draft.of and draft.node is None:
            return  # what is wrong with its formula has been said
        try:
            found = made(draft, self.inputs)
            sources = [self.inputs.find(path).point for path in draft.inputs]
            point = point_of(draft, found, sources, self.zone(draft, sources))
        except BadExpression as bad:
            self.say(bad, draft)
        except WrongKey as wrong:
            place = self.tree.at(*draft.where, wrong.key)
            self.found.say(wrong.code, place, wrong.message, wrong.help)
        except Spoilt:
            pass
        else:
            self.done(draft, found, point)

    def done(self, draft: Draft, found: Made, point: Point) -> None:
        """Keep a point that is right, for those that follow from it too."""
        for doubt in found.doubts:
            self.say(doubt, draft, Severity.WARNING)
        definition = found.definition
        self.points[draft.path] = point, definition
        self.inputs.calculated[draft.path] = Input(point, definition.kind, definition)

    def zone(self, draft: Draft, sources: Sequence[Point]) -> str:
        """Return the zone that stands for those of all inputs.

        Raises:
            WrongKey: none does.
        """
        policy = self.devices.policy
        zones = {source.zone for source in sources}
        zone = strictest(zones, policy.policy if policy else None)
        if zone is None:
            message = f"its inputs stand in {' and '.join(f'`{one}`' for one in sorted(zones))}"
            help_ = "calculate in one zone, or let the policy's conduits and rules treat them alike"
            key = "of" if draft.of else "formula"
            raise WrongKey(key, "zone-clash", f"{message}, which the policy tells apart", help_)
        return zone

    def add(self, device: str, reporting: ReportingEntry) -> None:
        """Add a calculated device to those that are read."""
        mine = [
            self.points[path]
            for path in self.drafts
            if path in self.points and path.startswith(f"{device}/")
        ]
        points = tuple(point for point, _ in mine)
        definitions = tuple(definition for _, definition in mine)
        kinds = [definition.kind for definition in definitions]
        settings = Calculations(definitions)
        told = Reporting(**reporting.model_dump())
        made_ = Device(device, CALC, "", points, {}, settings, told)
        self.devices.complete.append(made_)
        self.devices.plans[device] = [Scan(CALC, 1.0, range(len(points)), kinds)]

    def doubt_crossings(self, policy: Policy) -> None:
        """Warn of points that cross a conduit which something that they follow from does not."""
        if not self.points:
            return
        made_ = [(self.drafts[path], point) for path, (point, _) in self.points.items()]
        for draft, conduit, kept in alone(policy, self.devices.complete, made_):
            place = self.tree.at(*draft.where, "of" if draft.of else "formula")
            message = f"`{draft.path}` crosses `{conduit}`, `{kept}` that it follows from does not"
            help_ = "deny it, or allow it by its name or by a tag of its own if it is meant"
            self.found.say("input-kept-back", place, message, help_)

    def say(self, bad: BadExpression, draft: Draft, severity: Severity | None = None) -> None:
        """Say what is wrong with a formula, at the very place where it is written in one line."""
        key = "formula" if draft.given["formula"] is not None else "of"
        place = inside(self.tree, (*draft.where, key), str(draft.given[key]), bad.span)
        self.found.say(bad.code, place, bad.message, bad.help, severity)


def inside(tree: Tree, path: Path, text: str, span: tuple[int, int]) -> Place:
    """Return the place of a part of a text; all of it where it is not written as it is."""
    place = tree.at(*path)
    written = tree.source.lines[place.line - 1][place.column - 1 :]
    quoted = int(written[:1] in {'"', "'"})
    if not written[quoted:].startswith(text) or "\n" in text:
        return place
    start = place.column + quoted
    return tree.source.place(place.line, start + span[0], start + max(span[1], span[0] + 1))

"""The devices of a site file: their settings, points and plans."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from otgate.config.codes import severity_of
from otgate.config.device_map import Asked, Maps
from otgate.config.diagnostic import Diagnostics, Place, Severity, Use
from otgate.config.instances import Entries
from otgate.config.nearest import did_you_mean, nearest
from otgate.config.point_map import Ground, PointMap
from otgate.config.policy import PolicyReading
from otgate.config.site_file import DefaultsEntry, DeviceEntry, FlatEntry
from otgate.config.source import Source
from otgate.config.validate import partial, whole
from otgate.config.via import ViaEntry, via_mistakes
from otgate.driver import Doubting, Driver, Sharing
from otgate.errors import MOST_MISTAKES, Mistake, Mistakes
from otgate.load import link_loads
from otgate.model import MOVING, Device, Flat, Point, Reporting, Scan, Sensitivity
from otgate.via import ANY_WAY, Via


class DeviceReading:
    """Reads the devices one by one; each one's mistakes leave the others alone."""

    def __init__(
        self,
        entries: Entries,
        directory: Path,
        defaults: DefaultsEntry,
        policy: PolicyReading | None,
        found: Diagnostics,
    ) -> None:
        self.entries = entries
        self.tree = entries.tree
        self.instances = entries.instances
        self.directory = directory
        self.defaults = defaults
        self.policy = policy
        self.found = found
        self.complete: list[Device] = []
        self.plans: dict[str, Sequence[Scan]] = {}
        self.maps = Maps(entries.tree, directory, found)
        self.ids: dict[str, tuple[Place, int]] = {}
        self.numbers: dict[str, int] = {}
        """Where each device is among the site file's."""

    @property
    def sources(self) -> Mapping[str, Source | None]:
        """The files that devices are read from, by the name that the site file has for them."""
        return {**self.entries.sources, **self.maps.sources}

    def places(self) -> Mapping[str, Place]:
        """Return where each device is declared."""
        return {name: self.tree.at("devices", at, "id") for name, at in self.numbers.items()}

    def check_defaults(self) -> None:
        """Check the default tags against the policy's vocabulary."""
        vocabulary = self.policy.tags if self.policy else None
        for number, tag in enumerate(self.defaults.tags):
            if self.found.full(self.tree.source.name):
                self.found.leave_unread(self.tree.source.name)
                break
            if vocabulary is not None and tag not in vocabulary:
                place = self.tree.at("defaults", "tags", number)
                help_ = did_you_mean(tag, vocabulary, otherwise="declared")
                message = f"tag `{tag}` is not in the policy's vocabulary"
                self.found.say("unknown-tag", place, message, help_)

    def read_all(
        self,
        drivers: Mapping[str, Driver],
        overrides: Mapping[str, Mapping[str, Any]],
        step: Callable[[int, int], None],
    ) -> None:
        """Read every device, and check them against each other; tell ``step`` how far it is."""
        for number, raw in enumerate(self.entries.devices):
            if self.found.full(self.tree.source.name):
                self.found.leave_unread(self.tree.source.name)
                break
            step(number, len(self.entries.devices))
            with self.found.of(self.instances[number].use):
                self.read(number, raw, drivers, overrides)
        if not self.found.errors:
            for template in self.entries.templates:
                template.unused(self.found)
        self.check_sharing(drivers)
        self.check_loads(drivers)

    def read(
        self,
        number: int,
        raw: Mapping[str, Any],
        drivers: Mapping[str, Driver],
        overrides: Mapping[str, Mapping[str, Any]],
    ) -> None:
        """Read one device; keep it if everything needed for a plan is there."""
        path = ("devices", number)
        name = raw.get("driver")
        block_key = name if isinstance(name, str) else ""
        besides = {block_key} if block_key in drivers else {block_key, *drivers}
        given = partial(DeviceEntry, self.tree, path, self.found, besides=besides)
        self.check_id(number, given)
        self.check_zone(number, given)
        driver = self.driver(number, given, drivers)
        points = self.points(number, given, raw, driver)
        if driver is None:
            return
        block = {**as_mapping(raw.get(block_key)), **overrides.get(given.get("id", ""), {})}
        settings = self.settings(number, driver, block_key, raw, block)
        whole_entry = all(field in given for field in DeviceEntry.model_fields)
        if settings is not None and points is not None and whole_entry:
            via = ANY_WAY if given["id"] in overrides else self.via(given)
            device = device_of(given, points, settings, self.defaults, via)
            device = replace(device, flat=self.flat(number, given["flat"], points.points))
            self.plan(number, driver, device, points)

    def via(self, given: Mapping[str, Any]) -> Via:
        """Return the way to a device: its own, or the default."""
        entry: ViaEntry | None = given["via"] or self.defaults.via
        return entry.via() if entry else ANY_WAY

    def flat(self, number: int, entry: FlatEntry | None, points: Sequence[Point]) -> Flat:
        """Return what of a device is to change, or say which points it does not have."""
        if entry is None:
            return Flat()
        path = ("devices", number, "flat")
        numbers = {point.id: at for at, point in enumerate(points)}
        for at, name in enumerate(entry.each):
            if name not in numbers:
                place = self.tree.at(*path, "each", at)
                help_ = did_you_mean(name, numbers, otherwise="it has")
                self.found.say("unknown-point", place, f"the map has no point `{name}`", help_)
        if not entry.each and not any(point.kind in MOVING for point in points):
            message = "the device has no measurement and no counter that could stay the same"
            help_ = "name the points that have to change: `each: [status]`"
            self.found.say("flat-of-nothing", self.tree.key(*path), message, help_)
        each = tuple(numbers[name] for name in entry.each if name in numbers)
        return Flat(entry.after_s, each)

    def check_id(self, number: int, given: Mapping[str, Any]) -> None:
        """Refuse a second device of the same id."""
        if "id" not in given:
            return
        place = self.tree.at("devices", number, "id")
        first, other = self.ids.setdefault(given["id"], (place, number))
        if other != number:
            message = f"device `{given['id']}` is declared twice"
            help_ = f"it is first declared on line {first.line}"
            if first == place:
                help_ = "write `${n}` into the id of a repeated device"
            self.found.say("duplicate-id", place, message, help_)

    def check_zone(self, number: int, given: Mapping[str, Any]) -> None:
        """Refuse a zone that the policy does not declare."""
        zones = self.policy.zones if self.policy else None
        zone = given.get("zone")
        if zones is not None and zone is not None and zone not in zones:
            place = self.tree.at("devices", number, "zone")
            help_ = did_you_mean(zone, zones, otherwise="declared")
            self.found.say("unknown-zone", place, f"the policy declares no zone `{zone}`", help_)

    def driver(
        self, number: int, given: Mapping[str, Any], drivers: Mapping[str, Driver]
    ) -> Driver | None:
        """Return the device's driver if it is installed."""
        name = given.get("driver")
        if name is None or name in drivers:
            return drivers.get(name or "")
        place = self.tree.at("devices", number, "driver")
        help_ = did_you_mean(name, drivers, otherwise="installed")
        self.found.say("unknown-driver", place, f"no driver `{name}` is installed", help_)
        return None

    def settings(
        self, number: int, driver: Driver, name: str, raw: Mapping[str, Any], block: Any
    ) -> Any:
        """Return the checked settings of the driver."""
        path = ("devices", number)
        needs = [key for key, one in driver.settings.model_fields.items() if one.is_required()]
        if name not in raw and needs and not block:
            keys = ", ".join(f"`{key}`" for key in needs)
            message = f"missing key `{name}`"
            help_ = f"the driver needs {keys} there"
            self.found.say("missing-key", self.tree.key(*path), message, help_)
            return None
        value = block if isinstance(raw.get(name, {}), dict) else raw[name]
        context = {"directory": self.directory}  # what relative paths start from
        return whole(driver.settings, value, self.tree, (*path, name), self.found, context=context)

    def points(
        self, number: int, given: Mapping[str, Any], raw: Mapping[str, Any], driver: Driver | None
    ) -> PointMap | None:
        """Return the points of a device; devices that agree on everything share them."""
        if not any(key in raw for key in ("points", "blocks")):
            self.say_pointless(number, raw)
            return None
        ground = self.ground(given)
        points, new = self.maps.of(Asked(number, given, self.instances[number], driver), ground)
        if new:
            self.check_default_age(points, ground)
        return points

    def say_pointless(self, number: int, raw: Mapping[str, Any]) -> None:
        """Say that a device has no points, unless a key beside it is meant."""
        known = DeviceEntry.model_fields
        if not any(nearest(key, ["points", "blocks"]) for key in raw if key not in known):
            place = self.tree.key("devices", number)
            help_ = "the point map, a CSV file beside the site file"
            self.found.say("missing-key", place, "missing key `points`", help_)

    def ground(self, given: Mapping[str, Any]) -> Ground:
        """Return what holds for every point of a device."""
        return Ground(
            zone=given.get("zone", ""),
            scans=given.get("scans", {}),
            ratios=given.get("ratios", {}),
            vocabulary=self.policy.tags if self.policy else None,
            sensitivity=Sensitivity[self.defaults.sensitivity.upper()],
            tags=frozenset(self.defaults.tags),
            max_age_s=self.defaults.max_age_s,
            owner=self.defaults.owner,
        )

    def check_default_age(self, read: PointMap | None, ground: Ground) -> None:
        """Warn, once per scan class, where the default age is shorter than the period."""
        age_s = ground.max_age_s
        slow = {name for name, period_s in ground.scans.items() if 0 < age_s < period_s}
        if not slow or read is None:
            return
        for scan in sorted({one.scan for one in read.points if one.max_age_s == age_s} & slow):
            period_s = ground.scans[scan]
            message = f"stale after {age_s:g} s, but scan `{scan}` reads each {period_s:g} s"
            help_ = f"give points of `{scan}` a `max_age_s` of at least {2 * period_s:g}"
            place = self.tree.at("defaults", "max_age_s")
            self.found.say("max-age-too-short", place, message, help_)

    def plan(self, number: int, driver: Driver, device: Device, points: PointMap) -> None:
        """Keep a device and its plan, or say what the driver found wrong with it."""
        self.complete.append(device)
        self.numbers[device.id] = number
        map_name = points.sheet(0).table.source.name
        if self.found.full(map_name):  # of another device: this one would say it all again
            self.found.leave_unread(map_name)
            return
        try:
            self.plans[device.id] = driver.plan(device)
            said = driver.doubts(device) if isinstance(driver, Doubting) else ()
        except Mistakes as wrong:
            said = wrong.mistakes
        if len(said) >= MOST_MISTAKES:
            self.found.leave_unread(map_name)
        own = ("devices", number, "via") in self.tree.values
        said = [*said, *via_mistakes(device, driver, own=own)]
        numbers = {point.id: at for at, point in enumerate(device.points)} if said else {}
        for mistake in said:
            at = numbers.get(mistake.point or "")
            file = (self.tree if at is None else points.sheet(at).table).source.name
            weight = Severity(severity_of(mistake.code))
            if self.found.full(file, weight):
                self.found.leave_out(file, weight)
                continue
            with self.found.of(self.use(mistake, points, numbers)):
                place = self.place(number, mistake, points, numbers)
                self.found.say(mistake.code, place, mistake.message, mistake.help)

    def use(self, mistake: Mistake, points: PointMap, numbers: Mapping[str, int]) -> Use | None:
        """Return what to call the part of a device that a driver's mistake speaks of."""
        at = numbers.get(mistake.point or "")
        part = None if at is None else points.use(at)
        return part or self.found.use

    def check_sharing(self, drivers: Mapping[str, Driver]) -> None:
        """Say what devices that share a link must not have in common."""
        shared: dict[Any, list[Device]] = {}
        for device in self.complete:
            key = (device.driver, drivers[device.driver].link_key(device))
            shared.setdefault(key, []).append(device)
        for (name, _), devices in shared.items():
            driver = drivers[name]
            wrong = driver.sharing(devices) if isinstance(driver, Sharing) else {}
            for device_id, mistakes in [*wrong.items(), *other_ways(devices)]:
                number = self.numbers[device_id]
                with self.found.of(self.instances[number].use):
                    for mistake in mistakes:
                        place = self.key_place(number, mistake)
                        self.found.say(mistake.code, place, mistake.message, mistake.help)

    def check_loads(self, drivers: Mapping[str, Driver]) -> None:
        """Warn of scans that cannot keep their period."""
        for load in link_loads(self.complete, self.plans, drivers):
            for late in load.late():
                number = self.numbers[late.scan.device]
                place = self.tree.at("devices", number, "scans", late.scan.scan)
                with self.found.of(self.instances[number].use):
                    self.found.say(late.code, place, late.message, late.help)

    def place(
        self, number: int, mistake: Mistake, points: PointMap, numbers: Mapping[str, int]
    ) -> Place:
        """Return the cell or the key that a driver's mistake speaks of."""
        if mistake.point is not None and mistake.point in numbers:
            return points.place(numbers[mistake.point], mistake.field)
        return self.key_place(number, mistake)

    def key_place(self, number: int, mistake: Mistake) -> Place:
        """Return the key of a device entry that a driver's mistake speaks of."""
        steps = (mistake.field or "").split(".")
        keys = (int(step) if step.isdecimal() else step for step in steps if step)
        return self.tree.at("devices", number, *keys)


def other_ways(devices: Sequence[Device]) -> Iterator[tuple[str, Sequence[Mistake]]]:
    """Say which devices of one link go another way than the first of them."""
    first = devices[0]
    for device in devices:
        if device.via != first.via:
            message = f"device `{first.id}` is on the same link and has another `via`"
            yield device.id, [Mistake("impossible-via", message, None, "via")]


def as_mapping(value: Any) -> Mapping[str, Any]:
    """Return a mapping as it is, and nothing of anything else."""
    return value if isinstance(value, dict) else {}


def device_of(
    given: Mapping[str, Any], points: PointMap, settings: Any, defaults: DefaultsEntry, via: Via
) -> Device:
    """Return the device that an entry stands for."""
    reporting = given["reporting"] or defaults.reporting
    return Device(
        id=given["id"],
        driver=given["driver"],
        zone=given["zone"],
        points=points.points,
        scans=given["scans"],
        settings=settings,
        reporting=Reporting(**reporting.model_dump()),
        time_zone=given["time_zone"],
        maintenance=given["maintenance"] == "on",
        via=via,
    )

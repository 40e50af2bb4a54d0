"""A site as its files describe it, or everything that is wrong with them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from otgate.calc.calculation import CALC
from otgate.config.audit_file import audit_place
from otgate.config.audit_place import AuditPlace
from otgate.config.bus_side import BusFile
from otgate.config.calculated import CalcReading
from otgate.config.device import DeviceReading
from otgate.config.diagnostic import Diagnostic, Diagnostics, Place
from otgate.config.instances import written_out
from otgate.config.policy import PolicyReading, read_policy
from otgate.config.signed import Files, Signable, check_signatures
from otgate.config.site_bus import check_buses
from otgate.config.site_file import DefaultsEntry, IdentityEntry, SiteOutline, SpoolEntry
from otgate.config.source import MAX_YAML_BYTES, read_source
from otgate.config.validate import partial
from otgate.config.yaml_text import Tree, read_yaml
from otgate.driver import Driver, planned_types
from otgate.model import Device, Scan
from otgate.policy.language import Policy
from otgate.sandbox.needs import SandboxMode

Step = Callable[[str, int, int], None]
"""Told what is under way, and how much of how much is done; 0 of 0 where nobody knows."""

Overrides = Mapping[str, Mapping[str, Any]]
"""Device ids to keys that replace those of its driver's block."""


def silent(what: str, done: int, of: int) -> None:
    """Tell nobody."""


@dataclass(frozen=True, slots=True)
class SpoolPlace:
    """Where the spools lie, one directory per conduit, and how much each keeps."""

    directory: Path
    size_mb: int
    age_h: float
    reserve_mb: int


@dataclass(frozen=True, slots=True)
class Site:
    """Everything that the field side is told. Devices carry points and checked settings."""

    id: str
    name: str
    gateway: str
    path: Path
    devices: Sequence[Device]
    plans: Mapping[str, Sequence[Scan]]
    policy: Policy
    policy_hash: str
    map_hash: str
    site_hash: str
    spool: SpoolPlace
    state_directory: Path
    control_directory: Path
    sandbox: SandboxMode
    audit: AuditPlace
    signers: Mapping[str, str] = field(default_factory=dict)
    """The id of the key that each role's files are signed with, for roles that have to sign."""
    clock_checked: bool = False
    """Whether stamps are doubted while the system does not say that its clock is synchronised."""
    metrics_listen: str = ""
    """``host:port`` at which metrics are read besides the unix socket; empty: nowhere."""

    @property
    def wired(self) -> Sequence[Device]:
        """The devices that are read; all others are calculated."""
        return [device for device in self.devices if device.driver != CALC]


@dataclass(frozen=True, slots=True)
class Loaded:
    """What came of loading a site. ``site`` is None if there is any error."""

    site: Site | None
    diagnostics: Sequence[Diagnostic]


@dataclass(frozen=True, slots=True)
class Checked:
    """What came of checking a site with its bus files, and what others are compared with."""

    path: Path
    site: Site | None
    diagnostics: Sequence[Diagnostic]
    identity: IdentityEntry | None
    buses: Sequence[tuple[Tree, BusFile]]
    """The bus files without errors, and where everything stands in them."""
    places: Mapping[str, Place]
    """Where each device is declared."""

    @property
    def gateway(self) -> str:
        """The gateway's id, where it could be read."""
        return "" if self.identity is None else self.identity.gateway

    @property
    def network(self) -> str:
        """The network that the addresses of the devices are of."""
        return "" if self.identity is None else self.identity.network


def load_site(
    path: Path,
    drivers: Mapping[str, Driver],
    *,
    overrides: Overrides | None = None,
    step: Step = silent,
) -> Loaded:
    """Read a site file and everything it names. Needs no device and no network."""
    found = Diagnostics()
    reading = SiteReading(path, drivers, overrides or {}, found, step)
    return Loaded(reading.site(), found.sorted())


def read_signable(
    path: Path, drivers: Mapping[str, Driver]
) -> tuple[Sequence[Signable], Sequence[Diagnostic]]:
    """Read the files of a site that can be signed, and what is wrong with the site."""
    found = Diagnostics()
    reading = SiteReading(path, drivers, {}, found)
    reading.site()
    keyed = (replace(one, key=reading.signers.get(one.role, "")) for one in reading.files or ())
    return list(keyed), found.sorted()


def check_sites(
    paths: Sequence[Path], drivers: Mapping[str, Driver], step: Step = silent
) -> list[Checked]:
    """Do the same for many, look at their bus files too, and compare their topics."""
    published: dict[tuple[str, str], Path] = {}
    return [check_site(path, drivers, published, step) for path in dict.fromkeys(paths)]


def check_site(
    path: Path, drivers: Mapping[str, Driver], published: dict[tuple[str, str], Path], step: Step
) -> Checked:
    """Check one site against those before it, by site and gateway."""
    found = Diagnostics()
    reading = SiteReading(path, drivers, {}, found, step)
    site = reading.site()
    buses = check_buses(path.parent, reading.policy, found)
    if reading.identity is not None and reading.tree is not None:
        first = published.setdefault((reading.identity.id, reading.identity.gateway), path)
        if first != path:
            message = f"publishes the same topics as `{first}`"
            help_ = "give the site or the gateway another id"
            found.say("topic-collision", reading.tree.key("site", "gateway"), message, help_)
    right = None if found.errors else site
    said = found.sorted()
    return Checked(path, right, said, reading.identity, buses, reading.places)


class SiteReading:
    """One reading of a site's files."""

    def __init__(
        self,
        path: Path,
        drivers: Mapping[str, Driver],
        overrides: Overrides,
        found: Diagnostics,
        step: Step = silent,
    ) -> None:
        self.step = step
        self.path = path
        self.drivers = drivers
        self.overrides = overrides
        self.found = found
        self.policy: PolicyReading | None = None
        self.places: Mapping[str, Place] = {}
        self.tree: Tree | None = None
        self.identity: IdentityEntry | None = None
        self.files: Files | None = None
        self.signers: Mapping[str, str] = {}

    def site(self) -> Site | None:
        """Return the site if nothing is wrong."""
        source = read_source(self.path, MAX_YAML_BYTES, self.found)
        tree = None if source is None else read_yaml(source, self.found)
        if tree is None:
            return None
        given = partial(SiteOutline, tree, (), self.found)
        self.tree, self.identity = tree, given.get("site")
        if "policy" in given:
            self.policy = read_policy(
                self.path.parent / given["policy"], tree.at("policy"), self.found
            )
        devices = self.devices(tree, given)
        calculated = CalcReading(tree, devices, self.found)
        calculated.read(given.get("calc", ()))
        self.check_signatures(tree, given, devices)
        if self.policy is not None:
            self.judge(self.policy, devices)
        if self.found.errors or self.policy is None or self.policy.policy is None:
            return None
        calculated.doubt_crossings(self.policy.policy)
        return self.built(tree, given, devices, self.policy.policy)

    def devices(self, tree: Tree, given: Mapping[str, Any]) -> DeviceReading:
        """Read every device with its points and plan it."""
        told = given.get("defaults") is not None
        right = partial(DefaultsEntry, tree, ("defaults",), self.found) if told else {}
        defaults = DefaultsEntry(**right)
        here = self.path.parent
        raw, root = given.get("devices", ()), given.get("templates", ".")
        entries = written_out(tree, raw, here, root, self.found)
        reading = DeviceReading(entries, here, defaults, self.policy, self.found)
        reading.check_defaults()
        reading.read_all(
            self.drivers,
            self.overrides,
            lambda done, of: self.step(f"{self.path}: devices", done, of),
        )
        self.places = reading.places()
        return reading

    def check_signatures(
        self, tree: Tree, given: Mapping[str, Any], devices: DeviceReading
    ) -> None:
        """Hold the files as they were read against the signatures that they need."""
        policy = None if self.policy is None else (given["policy"], self.policy.tree.source)
        self.files = Files(tree.source, policy, devices.sources)
        if "signatures" in given:
            wanted = given["signatures"]
            self.signers = check_signatures(wanted, self.files, tree, self.path.parent, self.found)

    def judge(self, policy: PolicyReading, devices: DeviceReading) -> None:
        """Judge the policy; by the points only if all of them could be read."""
        if self.found.errors:
            policy.judge((), {}, self.found)
            return
        self.step(f"{self.path}: what may cross", 0, 0)
        plans = devices.plans
        types = {one.id: planned_types(one, plans[one.id]) for one in devices.complete}
        policy.judge(devices.complete, types, self.found)

    def built(
        self, tree: Tree, given: Mapping[str, Any], devices: DeviceReading, policy: Policy
    ) -> Site:
        """Put the parts together."""
        here = self.path.parent
        spool: SpoolEntry = given["spool"]
        identity = given["site"]
        return Site(
            id=identity.id,
            name=identity.name,
            gateway=identity.gateway,
            path=self.path,
            devices=tuple(devices.complete),
            plans=devices.plans,
            policy=policy,
            policy_hash=self.policy.hash if self.policy else "",
            map_hash=map_hash(tree, devices),
            site_hash=tree.source.digest,
            spool=SpoolPlace(here / spool.directory, spool.size_mb, spool.age_h, spool.reserve_mb),
            state_directory=here / given["state"],
            control_directory=here / "run",
            sandbox=given["sandbox"],
            audit=audit_place(here, here / given["state"], given["audit"]),
            clock_checked=given["clock"] == "checked",
            metrics_listen=given["metrics"].listen,
            signers=self.signers,
        )


def map_hash(tree: Tree, devices: DeviceReading) -> str:
    """Return a hash over the site file and every point map."""
    digest = sha256(tree.source.text.encode())
    for name, source in sorted(devices.sources.items()):
        digest.update(f"\0{name}\0".encode())
        digest.update(b"" if source is None else source.text.encode())
    return digest.hexdigest()

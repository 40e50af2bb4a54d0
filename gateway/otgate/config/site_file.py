"""The form of ``site.yaml``: what the OT people write."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag

from otgate.config.audit_file import SiteAuditEntry
from otgate.config.calc_file import CalcEntry
from otgate.config.forms import (
    DeviceId,
    Entry,
    File,
    Id,
    Name,
    ParameterName,
    Period,
    ReportingEntry,
    Seconds,
    SensitivityName,
    Switch,
    Version,
    wrong,
)
from otgate.config.metrics_entry import MetricsEntry
from otgate.config.ratios import BadRatio, read_ratio
from otgate.config.time_zones import known_zone
from otgate.config.via import VIA_EXAMPLE, ViaEntry
from otgate.sandbox.needs import SandboxMode


class IdentityEntry(Entry):
    """Which site and gateway this is; both stand in every topic."""

    id: Annotated[Id, Field(examples=["sub7"])]
    """The site, as topics name it."""
    name: Annotated[Name, Field(examples=["Substation 7"])] = ""
    """The site, as people name it."""
    gateway: Annotated[Id, Field(examples=["gw1"])]
    """This box, as topics name it; unique within the site."""
    network: Annotated[Name, Field(examples=["sub7"])] = ""
    """The network that addresses of devices are of: in another they are other devices."""


def a_time_zone(name: str) -> str:
    """Accept the IANA name of a time zone."""
    if not known_zone(name):
        raise wrong(
            "wrong-value", f"no time zone is named `{name}`", "e.g. `Europe/Zurich` or `UTC`"
        )
    return name


def a_ratio(given: float | str) -> float:
    """Accept a transformer's ratio, as a quotient or as what it is the quotient of."""
    try:
        return float(read_ratio(given if isinstance(given, str) else f"{given:g}"))
    except BadRatio as bad:
        raise wrong("wrong-value", bad.message, bad.help) from None


Ratio = Annotated[float | str, AfterValidator(a_ratio)]
Scans = Annotated[dict[Id, Period], Field(min_length=1, examples=[{"fast": 0.5, "normal": 2}])]
DEFAULT_SCANS = {"normal": 2.0}


MAX_REPEATS = 10_000
Scalar = str | bool | int | float


class SeriesEntry(Entry):
    """A number that goes on from one to the next."""

    first: Annotated[int, Field(alias="from")] = 1
    """The first one's."""
    step: int = 1
    """Added for each further one."""
    digits: Annotated[int, Field(ge=0, le=12)] = 0
    """With 2 it is text: `05`; 0 is a number."""


def form_of_each(value: Any) -> str:
    """Return which form is meant by what changes from one to the next."""
    return "series" if isinstance(value, dict | SeriesEntry) else "list"


Each = Annotated[
    Annotated[SeriesEntry, Tag("series")] | Annotated[list[Scalar], Tag("list")],
    Discriminator(form_of_each),
]


def form_of_change(value: Any) -> str:
    """Return which form is meant by what a point is otherwise."""
    return "cells" if isinstance(value, dict) else "word"


Change = Annotated[
    Annotated[dict[str, Scalar], Tag("cells")] | Annotated[Literal["absent"], Tag("word")],
    Discriminator(form_of_change),
]


class RepeatEntry(Entry):
    """How often something is there, and what changes from one to the next."""

    count: Annotated[int, Field(ge=1, le=MAX_REPEATS, examples=[12])]
    """How many there are."""
    first: Annotated[int, Field(alias="from", ge=0, le=1_000_000)] = 1
    """The number of the first: what `${n}` is."""
    each: Annotated[
        dict[ParameterName, Each],
        Field(examples=[{"host": {"from": 11}, "bay": ["north", "south"]}]),
    ] = Field(default_factory=dict)
    """Further values that change: a series, or a list with one for each."""


class BlockEntry(RepeatEntry):
    """Points that a device has several times over."""

    points: Annotated[File, Field(examples=["points/bay.csv"])]
    """The point map of the first of them; `${n}` is its number."""
    stride: Annotated[int, Field(ge=0, le=1 << 24)] = 0
    """By how much the addresses of the next one are higher."""
    sf_stride: Annotated[int | None, Field(ge=0, le=1 << 24, examples=[0])] = None
    """By how much those of its scale factors are; 0 where all share them."""


BLOCK = {"points": "points/bay.csv", "count": 24, "stride": 40}


class FlatEntry(Entry):
    """For how long values may stay exactly the same before the log says so."""

    after_s: Annotated[float, Field(ge=60, le=31_536_000, examples=[3600])]
    """Seconds; values are looked at once a minute."""
    each: Annotated[list[Id], Field(examples=[["ia", "p"]])] = Field(default_factory=list)
    """Points of which each has to change; without any, one of all measurements and counters."""


class DeviceEntry(Entry):
    """A device. Its driver's settings stand under the driver's name."""

    id: Annotated[DeviceId, Field(examples=["f3"])]
    """The device, as topics name it; unique within the site."""
    template: Annotated[File | None, Field(examples=["templates/feeder.yaml"])] = None
    """What it is one of; keys beside it replace those of the template."""
    with_: Annotated[
        dict[str, Scalar], Field(alias="with", examples=[{"host": "10.0.0.5", "unit": 1}])
    ] = Field(default_factory=dict)
    """Parameters of the template."""
    repeat: Annotated[RepeatEntry | None, Field(examples=[{"count": 12}])] = None
    """Makes several devices of this entry; `${n}` is the number of each."""
    driver: Name
    """The field protocol; `otgate check` says which are installed."""
    zone: Annotated[Id, Field(examples=["bay"])]
    """The zone it stands in; the policy declares the zones."""
    points: Annotated[File | None, Field(examples=["points/feeder.csv"])] = None
    """The point map, a CSV file beside the site file."""
    blocks: Annotated[list[BlockEntry], Field(examples=[[BLOCK]])] = Field(default_factory=list)
    """Point maps of what the device has several times over."""
    except_: Annotated[
        dict[Id, Change],
        Field(alias="except", examples=[{"ia": {"deadband": "2%"}, "spare": "absent"}]),
    ] = Field(default_factory=dict)
    """Points that are otherwise than in the map: cells by their column, or `absent`."""
    scans: Scans = DEFAULT_SCANS
    """Scan classes: name and period in seconds."""
    ratios: Annotated[dict[Id, Ratio], Field(examples=[{"ct": "400/5", "pt": "11000/110"}])] = (
        Field(default_factory=dict)
    )
    """Ratios of instrument transformers, which points name in their column `ratio`."""
    reporting: Annotated[ReportingEntry | None, Field(examples=[{"max_interval_s": 60}])] = None
    """How often its points are sent; replaces `defaults.reporting`."""
    time_zone: Annotated[str, AfterValidator(a_time_zone), Field(examples=["Europe/Zurich"])] = ""
    """The IANA zone of a device that stamps in local time."""
    maintenance: Switch = "off"
    """`on` marks everything the device says as under test."""
    flat: Annotated[FlatEntry | None, Field(examples=[{"after_s": 3600}])] = None
    """When it is told that values never change; without it that is taken for normal."""
    via: Annotated[ViaEntry | None, Field(examples=[VIA_EXAMPLE])] = None
    """The interface and address it is reached by; replaces `defaults.via`, `{}` is any."""


class DefaultsEntry(Entry):
    """What holds for every point or device that does not say otherwise."""

    sensitivity: SensitivityName = "bcsi"
    """Classification of points whose cell is empty; unclassified is `bcsi` and cannot leave."""
    tags: list[Id] = Field(default_factory=list, examples=[["feeder"]])
    """Tags of points whose cell is empty."""
    max_age_s: Seconds = 0.0
    """Seconds without a read after which a point is stale; 0 is never."""
    owner: Annotated[str, Field(examples=["protection"])] = ""
    """Who answers for points whose cell is empty."""
    reporting: ReportingEntry = ReportingEntry()
    """How often points of a device are sent."""
    via: Annotated[ViaEntry | None, Field(examples=[VIA_EXAMPLE])] = None
    """The interface and address that devices are reached by; any where none is given."""


class SpoolEntry(Entry):
    """Where the spools lie and how much they keep, for each conduit."""

    directory: File = "spool"
    """Directory with one spool per conduit, beside the site file."""
    size_mb: Annotated[int, Field(ge=1, le=1 << 20)] = 1024
    """Megabytes kept of each conduit."""
    age_h: Annotated[float, Field(gt=0, le=87_600)] = 168.0
    """Hours kept of each conduit."""
    reserve_mb: Annotated[int, Field(ge=0, le=1 << 20)] = 16
    """Megabytes of the disk that data leave free, and events half of; 0 is none."""


class SignaturesEntry(Entry):
    """Public keys that a site's files have to be signed with; without one nothing has to be."""

    security: Annotated[File | None, Field(examples=["keys/security.pub"])] = None
    """Key (PEM, Ed25519) of who signs the policy."""
    ot: Annotated[File | None, Field(examples=["keys/ot.pub"])] = None
    """Key (PEM, Ed25519) of who signs the site file and the point maps."""


class SiteFile(Entry):
    """`site.yaml`: the devices of a site and the files that belong to it."""

    config_version: Version
    """The format of this file: 1."""
    site: IdentityEntry
    """Which site and gateway this is."""
    devices: Annotated[list[DeviceEntry], Field(min_length=1)]
    """What the gateway reads."""
    templates: File = "."
    """Directory of the templates, from this file."""
    calc: list[CalcEntry] = Field(default_factory=list)
    """What the gateway calculates from what it reads."""
    defaults: DefaultsEntry = DefaultsEntry()
    """What holds where a point or device does not say otherwise."""
    spool: SpoolEntry = SpoolEntry()
    """Where the spools lie and how much they keep."""
    policy: Annotated[File, Field(examples=["policy.yaml"])]
    """The policy file; without one nothing could cross."""
    signatures: SignaturesEntry = SignaturesEntry()
    """Whose signatures the files need."""
    metrics: MetricsEntry = MetricsEntry()
    """Where metrics are read besides the unix socket."""
    state: File = "state"
    """Directory for what drivers remember of their devices."""
    clock: Literal["trusted", "checked"] = "trusted"
    """`checked` marks what the gateway stamps `clock_unsynchronised` while the system does not say
    that its clock is synchronised; `trusted` only where it stepped or shows the past."""
    sandbox: SandboxMode = "auto"
    """`required` refuses to start where the kernel cannot keep the field side from what it does not
    need; `auto` says so and starts; `off` gives up nothing."""
    audit: SiteAuditEntry = SiteAuditEntry()
    """What is recorded of the gateway itself."""


class SiteOutline(SiteFile):
    """`SiteFile` with devices and defaults unread, so that one's mistakes leave the others."""

    devices: Annotated[list[dict[str, Any]], Field(min_length=1)]  # type: ignore[assignment]
    """What the gateway reads."""
    calc: list[dict[str, Any]] = Field(default_factory=list)  # type: ignore[assignment]
    """What the gateway calculates from what it reads."""
    defaults: Any = None
    """What holds where a point or device does not say otherwise."""

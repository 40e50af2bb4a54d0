"""What leaves: one struct per message class, from which the JSON Schemas are generated.

Times are integer µs since the Unix epoch, UTC. A field with a default is left out where it has
that default; everything else is always there.
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Struct

from otgate.publish.topics import MessageClass

GOOD = ("good",)
"""The quality that is left out."""
EXACT_LIMIT = 1 << 53
"""Integers beyond this are strings: JSON numbers are doubles to most readers."""

Micros = Annotated[int, Meta(description="µs since the Unix epoch, UTC")]
Quality = Annotated[
    tuple[str, ...], Meta(description="validity, then details; absent is good", min_length=1)
]
Value = Annotated[
    float | int | str | bool | None,
    Meta(description="an integer beyond 2^53 is a string; null where there is no value"),
]
Epoch = Annotated[str, Meta(description="one run of the field side's writer")]
Seq = Annotated[int, Meta(ge=0, description="counts samples per lane and epoch")]
TypeName = Literal["f64", "i64", "u64", "bool", "text"]


class Sample(Struct, omit_defaults=True, gc=False, frozen=True):
    """One point's value; the n-th sample of a message has the sequence number seq + n."""

    id: str
    v: Value
    q: Quality = GOOD
    t_us: Annotated[int | None, Meta(description="the device's stamp, where not time_us")] = None


class Samples(Struct, omit_defaults=True, kw_only=True, frozen=True):
    """Samples of one device: what data, event and replay messages share."""

    site: str
    gateway: str
    conduit: str
    device: str
    lane: Literal["data", "event"]
    epoch: Epoch
    seq: Seq
    meta: Annotated[str, Meta(description="hash of the meta message that explains the points")]
    origin: Literal[
        "poll",
        "event",
        "unsolicited",
        "integrity",
        "gi",
        "refresh",
        "substituted",
        "calculated",
    ]
    received_us: Micros
    spooled_us: Micros
    sent_us: Micros
    time_us: Micros
    clock: Annotated[
        Literal["gateway", "device"],
        Meta(description="whose clock time_us and t_us are; gateway: time_us is received_us"),
    ] = "gateway"
    replayed: Annotated[bool, Meta(description="delivered late, after an outage")] = False
    points: list[Sample]


class Data(Samples, tag_field="schema", tag="otgate.data/1", frozen=True):
    """Measurements, counters and texts, as they happen."""


class Event(Samples, tag_field="schema", tag="otgate.event/1", frozen=True):
    """Status changes and events, as they happen."""


class Replay(Samples, tag_field="schema", tag="otgate.replay/1", frozen=True):
    """Samples of either lane that are delivered late."""


class PointMeta(Struct, omit_defaults=True, kw_only=True, frozen=True):
    """What a point is. Texts that the policy strips are absent."""

    id: str
    kind: str
    type: TypeName
    unit: str = ""
    name: str = ""
    description: str = ""
    states: Annotated[dict[str, str], Meta(description="labels of codes")] = {}
    bits: Annotated[dict[str, str], Meta(description="labels of bits, 0 the lowest")] = {}
    substation: str = ""
    voltage_level: str = ""
    bay: str = ""
    equipment: str = ""
    phase: str = ""
    owner: str = ""
    external_id: str = ""
    max_age_s: float | None = None


class DeviceMeta(
    Struct,
    tag_field="schema",
    tag="otgate.meta/1",
    omit_defaults=True,
    kw_only=True,
    frozen=True,
):
    """What a device's points are. Retained; also under its hash."""

    site: str
    gateway: str
    conduit: str
    device: str
    meta: str = ""
    driver: str = ""
    site_name: str = ""
    points: list[PointMeta]


class LaneStatus(Struct, omit_defaults=True, kw_only=True, frozen=True):
    """How far a lane is delivered."""

    epoch: Epoch
    complete_through: Annotated[
        int,
        Meta(ge=0, description="every sample below was delivered or announced as a gap"),
    ]
    previous_epoch: Epoch | None = None
    previous_end: Annotated[int | None, Meta(description="samples that the previous epoch had")] = (
        None
    )
    live_epoch: Epoch | None = None
    live_from: Annotated[
        int | None,
        Meta(
            description="live samples begin here; what lies between complete_through and this "
            "place is a backlog that follows, class replay"
        ),
    ] = None


class GatewayStatus(
    Struct,
    tag_field="schema",
    tag="otgate.status/1",
    omit_defaults=True,
    kw_only=True,
    frozen=True,
):
    """The state of one conduit's two sides. Retained on ``_gateway/status``, and the will."""

    site: str
    gateway: str
    conduit: str
    bus: Literal["alive", "lost", "stopped"]
    field: Literal["alive", "lost", "unknown"]
    sent_us: Micros
    devices: dict[str, str] = {}
    lanes: dict[str, LaneStatus] = {}
    audit: Annotated[
        str, Meta(description="hash of a checkpoint of the field side's audit log")
    ] = ""


class DeviceStatus(
    Struct,
    tag_field="schema",
    tag="otgate.status/1",
    omit_defaults=True,
    kw_only=True,
    frozen=True,
):
    """The state of one device. Retained on ``{device}/status``."""

    site: str
    gateway: str
    conduit: str
    device: str
    state: Annotated[str, Meta(description="good, starting, failing, lost, unusable or unknown")]
    bus: Literal["alive", "lost", "stopped"]
    field: Literal["alive", "lost", "unknown"]
    sent_us: Micros


class GapNotice(
    Struct, tag_field="schema", tag="otgate.gap/1", omit_defaults=True, kw_only=True, frozen=True
):
    """Samples that will never come, and why."""

    site: str
    gateway: str
    conduit: str
    lane: Literal["data", "event"]
    epoch: Epoch
    seq: Seq
    count: int
    from_us: Micros
    to_us: Micros
    reason: str
    at_least: Annotated[
        bool, Meta(description="more may be lost: the field side was killed on a full disk")
    ] = False
    sent_us: Micros


class Last(
    Struct, tag_field="schema", tag="otgate.last/1", omit_defaults=True, kw_only=True, frozen=True
):
    """A point's newest value. Retained, opt-in, never moves backwards."""

    site: str
    gateway: str
    conduit: str
    device: str
    id: str
    v: Value
    q: Quality = GOOD
    meta: str
    time_us: Micros
    received_us: Micros
    sent_us: Micros
    clock: Literal["gateway", "device"] = "gateway"


encode_json = msgspec.json.Encoder().encode
"""Encode a struct as JSON bytes."""

STRUCTS: dict[MessageClass, Any] = {
    MessageClass.DATA: Data,
    MessageClass.EVENT: Event,
    MessageClass.REPLAY: Replay,
    MessageClass.META: DeviceMeta,
    MessageClass.GAP: GapNotice,
    MessageClass.LAST: Last,
}
"""Every class but status, which has two structs under one schema name."""
DIALECT = "https://json-schema.org/draft/2020-12/schema"
REF_TEMPLATE = "#/$defs/{name}"


def payload_schemas() -> dict[str, Any]:
    """Return the JSON Schema of every message class, by class."""
    schemas: dict[str, Any] = {}
    for message_class, struct in STRUCTS.items():
        schemas[message_class.value] = {"$schema": DIALECT, **msgspec.json.schema(struct)}
    parts, defs = msgspec.json.schema_components(
        (GatewayStatus, DeviceStatus), ref_template=REF_TEMPLATE
    )
    schemas[MessageClass.STATUS.value] = {"$schema": DIALECT, "anyOf": list(parts), "$defs": defs}
    return dict(sorted(schemas.items()))

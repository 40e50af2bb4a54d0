import json
from collections.abc import Sequence
from typing import Any

import jsonschema
import numpy as np
import pytest

from otgate.model import Batch, Clock, Lane, Origin, ValueType
from otgate.publish.encode import Encoder
from otgate.publish.labels import Labels
from otgate.publish.message import Claim, Message, Urgency
from otgate.publish.payload import payload_schemas
from otgate.publish.settings import Limits
from otgate.publish.topics import Topics
from otgate.quality import Quality
from otgate.spool.epoch import epoch_text
from otgate.spool.items import Frame
from publishing import catalog, floats

T0 = 1_763_765_412_346_100_000
LABELS = Labels(catalog())
SCHEMAS = payload_schemas()


def encode(
    batch: Batch, *, now_ns: int = T0 + 1_000_000, urgency: Urgency = Urgency.LIVE, **limits: int
) -> list[Message]:
    encoder = Encoder(Topics("otgate", "sub7", "gw1", "analytics"), Limits(**limits), bytes)
    frame = Frame(Lane.DATA, 77, 1000, LABELS.catalog, batch, T0 + 200_000)
    return list(encoder.messages(frame, LABELS, now_ns, urgency))


def points(values: Sequence[float], quality: int = 0) -> list[dict[str, Any]]:
    words = np.full(len(values), quality, dtype=np.uint32)
    return shown(floats(values, quality=words, received_ns=T0))


def shown(batch: Batch) -> list[dict[str, Any]]:
    (message,) = encode(batch)
    read: list[dict[str, Any]] = json.loads(message.payload)["points"]
    return read


def typed(kind: ValueType, values: Sequence[Any], quality: int = 0) -> list[dict[str, Any]]:
    column = np.array(values, dtype=kind.dtype)
    words = np.full(len(values), quality, dtype=np.uint32)
    batch = floats([0.0] * len(values), value_type=kind, values=column, quality=words)
    return shown(batch)


def test_a_message_says_everything_that_the_design_asks_for() -> None:
    (message,) = encode(floats([412.3], received_ns=T0))
    assert json.loads(message.payload) == {
        "schema": "otgate.data/1",
        "site": "sub7",
        "gateway": "gw1",
        "conduit": "analytics",
        "device": "f3",
        "lane": "data",
        "epoch": epoch_text(77),
        "seq": 1000,
        "meta": LABELS.hashes["f3"],
        "origin": "poll",
        "received_us": 1763765412346100,
        "spooled_us": 1763765412346300,
        "sent_us": 1763765412347100,
        "time_us": 1763765412346100,
        "points": [{"id": "ia0", "v": 412.3}],
    }


def test_a_good_sample_is_its_id_and_its_value() -> None:
    assert points([1.5, 2.0]) == [{"id": "ia0", "v": 1.5}, {"id": "ia1", "v": 2.0}]


def test_quality_that_is_not_good_is_spelled() -> None:
    (point,) = points([1.0], Quality.INVALID | Quality.COMM_LOST)
    assert point == {"id": "ia0", "v": 1.0, "q": ["invalid", "comm_lost"]}


def test_no_value_is_null_and_never_good() -> None:
    (point,) = points([0.0], Quality.NO_VALUE)
    assert point == {"id": "ia0", "v": None, "q": ["invalid", "no_value"]}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_what_json_cannot_say_is_null_and_invalid(value: float) -> None:
    assert points([1.0, value]) == [
        {"id": "ia0", "v": 1.0},
        {"id": "ia1", "v": None, "q": ["invalid"]},
    ]


@pytest.mark.parametrize(
    ("number", "shown"),
    [(2**53, 2**53), (2**53 + 1, str(2**53 + 1)), (-(2**53), -(2**53)), (-(2**63), str(-(2**63)))],
)
def test_an_integer_that_a_double_cannot_hold_is_text(number: int, shown: object) -> None:
    assert typed(ValueType.I64, [number])[0]["v"] == shown


def test_the_largest_unsigned_is_text() -> None:
    assert typed(ValueType.U64, [2**64 - 1, 7]) == [
        {"id": "ia0", "v": "18446744073709551615"},
        {"id": "ia1", "v": 7},
    ]


def test_bools_and_texts_keep_their_type() -> None:
    assert [p["v"] for p in typed(ValueType.BOOL, [True, False])] == [True, False]
    assert typed(ValueType.TEXT, ['a"é'])[0]["v"] == 'a"é'


def test_a_value_of_every_type_can_be_missing() -> None:
    for kind, value in ((ValueType.I64, 0), (ValueType.BOOL, False), (ValueType.TEXT, "")):
        assert typed(kind, [value], Quality.NO_VALUE)[0]["v"] is None


def test_device_times_differ_from_the_first_only_where_they_do() -> None:
    times = np.array([T0 - 5000, T0 - 5000, T0 - 3000], dtype=np.int64)
    (message,) = encode(floats([1.0, 2.0, 3.0], source_ns=times, received_ns=T0))
    read = json.loads(message.payload)
    assert read["clock"] == "device"
    assert read["time_us"] == T0 // 1000 - 5
    assert [point.get("t_us") for point in read["points"]] == [None, None, T0 // 1000 - 3]


def test_a_late_frame_goes_to_replay_and_says_so() -> None:
    (message,) = encode(floats([1.0]), urgency=Urgency.LATE)
    assert message.topic.endswith("/replay")
    assert json.loads(message.payload)["replayed"] is True
    assert json.loads(message.payload)["schema"] == "otgate.replay/1"


def test_a_held_sample_is_not_late_because_it_was_received_long_ago() -> None:
    (message,) = encode(floats([1.0], received_ns=T0 - 3600 * 10**9))
    assert message.topic.endswith("/data")


def test_a_large_frame_is_split_and_every_part_knows_its_numbers() -> None:
    parts = encode(floats([float(n) for n in range(25)]), max_points=10)
    assert [part.claim for part in parts] == [
        Claim(Lane.DATA, 77, 1000, 10),
        Claim(Lane.DATA, 77, 1010, 10),
        Claim(Lane.DATA, 77, 1020, 5),
    ]
    assert [json.loads(part.payload)["seq"] for part in parts] == [1000, 1010, 1020]
    assert json.loads(parts[2].payload)["points"][0]["id"] == "ia20"


def test_no_part_is_larger_than_asked_unless_one_sample_is() -> None:
    parts = encode(floats([float(n) for n in range(100)]), max_bytes=700)
    assert all(len(part.payload) <= 700 for part in parts)
    assert sum(part.claim.count for part in parts if part.claim) == 100
    assert len(encode(floats([1.0, 2.0]), max_bytes=10)) == 2


@pytest.mark.parametrize("origin", Origin)
def test_every_origin_satisfies_the_schema(origin: Origin) -> None:
    times = np.array([T0, T0 + 10**6], dtype=np.int64)
    quality = np.array([0, Quality.INVALID | Quality.NO_VALUE], dtype=np.uint32)
    batch = floats([1.0, 2.0], origin=origin, source_ns=times, quality=quality)
    (message,) = encode(batch)
    jsonschema.validate(json.loads(message.payload), SCHEMAS["data"])


def test_lanes_and_origins_that_alternate_keep_their_own_heads() -> None:
    encoder = Encoder(Topics("otgate", "sub7", "gw1", "analytics"), Limits(), bytes)

    def head(
        lane: Lane, epoch: int, batch: Batch, urgency: Urgency = Urgency.LIVE
    ) -> dict[str, Any]:
        frame = Frame(lane, epoch, 5, LABELS.catalog, batch, T0)
        (message,) = encoder.messages(frame, LABELS, T0, urgency)
        told: dict[str, Any] = json.loads(message.payload)
        return told

    poll, again = floats([1.0]), floats([1.0], origin=Origin.REFRESH)
    stamped = floats([1.0], source_ns=np.array([7_000]), clock=Clock.DEVICE)
    for _ in range(2):
        assert head(Lane.DATA, 77, poll)["schema"] == "otgate.data/1"
        assert head(Lane.EVENT, 77, poll)["lane"] == "event"
        assert head(Lane.DATA, 77, again)["origin"] == "refresh"
        assert head(Lane.DATA, 78, poll)["epoch"] == epoch_text(78)
        assert head(Lane.DATA, 77, stamped)["time_us"] == 7
        assert head(Lane.DATA, 77, stamped)["clock"] == "device"
        assert "clock" not in head(Lane.DATA, 77, poll)
        assert head(Lane.DATA, 77, poll, Urgency.LATE)["replayed"] is True
        assert "replayed" not in head(Lane.DATA, 77, poll)


def test_a_name_cannot_pass_for_a_number_of_the_head() -> None:
    topics = Topics("otgate", "sub7", "gw1", "analytics")
    device = 'odd%d,"seq":0,%'
    labels = Labels(catalog(device=device))
    frame = Frame(Lane.DATA, 77, 1000, labels.catalog, floats([1.0], device=device), T0)
    (message,) = Encoder(topics, Limits(), bytes).messages(frame, labels, T0)
    told = json.loads(message.payload)
    assert (told["device"], told["seq"], told["sent_us"]) == (device, 1000, T0 // 1000)

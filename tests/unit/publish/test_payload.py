import json
import re
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from otgate.model import Lane
from otgate.publish.labels import Labels
from otgate.publish.payload import LaneStatus, payload_schemas
from otgate.publish.settings import LastValues
from otgate.publish.standing import Known, Standing, lane_status
from otgate.publish.topics import MessageClass, Topics
from otgate.spool.items import Epoch, Gap, GapReason
from otgate.spool.reader import Place
from publishing import catalog

SCHEMAS = payload_schemas()
LABELS = Labels(catalog())
STANDING = Standing(Topics("otgate", "sub7", "gw1", "analytics"), LABELS, LastValues.OFF)


def test_every_class_has_a_schema() -> None:
    assert set(SCHEMAS) == {message_class.value for message_class in MessageClass}
    for schema in SCHEMAS.values():
        jsonschema.Draft202012Validator.check_schema(schema)
    json.dumps(SCHEMAS)


def test_the_wrong_class_does_not_pass_for_another() -> None:
    gap = STANDING.gap(Gap(Lane.DATA, 7, 0, 5, 0, 1, GapReason.REMOVED), 2)
    jsonschema.validate(json.loads(gap.payload), SCHEMAS["gap"])
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(json.loads(gap.payload), SCHEMAS["data"])


def test_a_gap_says_at_least_where_more_may_be_lost_and_nothing_where_not() -> None:
    gap = Gap(Lane.DATA, 7, 0, 5, 0, 1, GapReason.DROPPED, at_least=True)
    told = json.loads(STANDING.gap(gap, 2).payload)
    jsonschema.validate(told, SCHEMAS["gap"])
    assert told["at_least"] is True
    assert b"at_least" not in STANDING.gap(replace(gap, at_least=False), 2).payload


def test_meta_explains_points_and_is_its_own_hash() -> None:
    hashed, plain = STANDING.meta("f3")
    meta = json.loads(plain.payload)
    jsonschema.validate(meta, SCHEMAS["meta"])
    assert hashed.topic == f"{plain.topic}/{meta['meta']}"
    assert meta["points"][-1]["states"] == {"1": "open", "2": "closed"}
    assert meta["points"][0] == {"id": "ia0", "kind": "measurement", "type": "f64", "unit": "A"}


def test_meta_changes_its_hash_with_its_content() -> None:
    assert Labels(catalog(50)).hashes != LABELS.hashes


def test_both_statuses_satisfy_one_schema() -> None:
    lanes = {"data": LaneStatus(epoch="0000000A", complete_through=3)}
    known = Known("alive", {"f3": "good", "secret": "good"}, lanes)
    gateway = json.loads(STANDING.status("alive", known, 1).payload)
    device = json.loads(STANDING.device_status("f3", known, 1).payload)
    for status in (gateway, device):
        jsonschema.validate(status, SCHEMAS["status"])
    assert gateway["devices"] == {"f3": "good"}
    assert device["state"] == "good"


def test_a_device_that_nothing_is_known_of_is_unknown() -> None:
    status = json.loads(STANDING.device_status("f3", Known(), 1).payload)
    assert (status["state"], status["field"]) == ("unknown", "unknown")


def test_a_lane_says_where_its_epoch_came_from() -> None:
    entered = Epoch(Lane.DATA, 9, 8, 500, 500, LABELS.catalog)
    status = lane_status(Place(9, 20), entered)
    assert (status.complete_through, status.previous_end) == (20, 500)
    assert lane_status(Place(9, 20), None).previous_epoch is None


REFERENCE = Path(__file__).parents[3] / "docs" / "reference" / "payloads.md"
EXAMPLES = re.findall(r"```json\n(.*?)```", REFERENCE.read_text("utf-8"), re.DOTALL)


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_reference_shows_what_the_schemas_say(example: str) -> None:
    read = json.loads(example)
    jsonschema.validate(read, SCHEMAS[read["schema"].removeprefix("otgate.").removesuffix("/1")])


def test_the_reference_shows_samples_status_and_gaps() -> None:
    shown = {json.loads(example)["schema"] for example in EXAMPLES}
    assert shown == {"otgate.data/1", "otgate.status/1", "otgate.gap/1"}

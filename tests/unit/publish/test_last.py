import json
from typing import Any

import jsonschema
import numpy as np

from otgate.model import Lane
from otgate.publish.labels import Labels
from otgate.publish.last import NewestValues
from otgate.publish.message import Urgency
from otgate.publish.payload import payload_schemas
from otgate.publish.topics import Topics
from otgate.quality import Quality
from otgate.spool.items import Frame
from publishing import catalog, floats

LABELS = Labels(catalog())
TOPICS = Topics("otgate", "sub7", "gw1", "analytics")


def frame(seq: int, *values: float, epoch: int = 1) -> Frame:
    return Frame(Lane.DATA, epoch, seq, LABELS.catalog, floats(values), 0)


def due(newest: NewestValues) -> dict[str, Any]:
    messages = [json.loads(message.payload) for message in newest.due(TOPICS, 5000)]
    return {message["id"]: message for message in messages}


def test_only_the_newest_value_is_due_and_only_once() -> None:
    newest = NewestValues()
    newest.take(frame(0, 1.0), LABELS, Urgency.LIVE)
    newest.take(frame(1, 2.0), LABELS, Urgency.LIVE)
    assert due(newest)["ia0"]["v"] == 2.0
    assert due(newest) == {}


def test_whoever_stops_early_finds_the_rest_next_and_what_is_newer_behind_it() -> None:
    newest = NewestValues()
    newest.take(frame(0, 1.0, 2.0, 3.0), LABELS, Urgency.LIVE)
    assert "ia0" in next(newest.due(TOPICS, 5000)).topic
    newest.take(frame(3, 4.0), LABELS, Urgency.LIVE)
    assert newest.has_due
    assert list(due(newest)) == ["ia1", "ia2", "ia0"]
    assert not newest.has_due


def test_a_replay_never_moves_a_value_backwards() -> None:
    newest = NewestValues()
    newest.take(frame(5, 2.0), LABELS, Urgency.LIVE)
    newest.take(frame(4, 1.0), LABELS, Urgency.LIVE)
    newest.take(frame(900, 0.5, epoch=0), LABELS, Urgency.LIVE)
    assert due(newest)["ia0"]["v"] == 2.0


def test_everything_is_stale_while_the_field_side_is_lost() -> None:
    newest = NewestValues()
    newest.take(frame(0, 1.0), LABELS, Urgency.LIVE)
    due(newest)
    newest.field("lost")
    assert due(newest)["ia0"]["q"] == ["questionable", "stale"]
    newest.field("alive")
    assert "q" not in due(newest)["ia0"]


def test_a_forgotten_point_is_not_sent() -> None:
    newest = NewestValues()
    newest.take(frame(0, 1.0, 2.0), LABELS, Urgency.LIVE)
    newest.keep({("f3", "ia1")})
    assert list(due(newest)) == ["ia1"]


def test_after_a_reconnect_everything_is_due_again() -> None:
    newest = NewestValues()
    newest.take(frame(0, 1.0, 2.0), LABELS, Urgency.LIVE)
    due(newest)
    newest.reconnected()
    assert set(due(newest)) == {"ia0", "ia1"}


def test_a_last_value_satisfies_its_schema_and_keeps_quality_and_device_time() -> None:
    newest = NewestValues()
    quality = np.array([Quality.INVALID | Quality.NO_VALUE], dtype=np.uint32)
    batch = floats([0.0], quality=quality, source_ns=np.array([7_000_000], dtype=np.int64))
    newest.take(Frame(Lane.DATA, 1, 0, LABELS.catalog, batch, 0), LABELS, Urgency.LIVE)
    last = due(newest)["ia0"]
    jsonschema.validate(last, payload_schemas()["last"])
    assert (last["v"], last["time_us"], last["clock"]) == (None, 7000, "device")
    assert last["q"] == ["invalid", "no_value"]


def test_what_came_out_of_a_backlog_waits_for_its_end() -> None:
    newest = NewestValues()
    newest.take(frame(5, 2.0), LABELS, Urgency.LIVE)
    newest.take(frame(3, 0.0, 1.0), LABELS, Urgency.LATE)
    assert list(due(newest)) == ["ia0"]
    newest.reconnected()
    newest.field("lost")
    assert list(due(newest)) == ["ia0"]
    newest.caught_up(Lane.DATA)
    assert list(due(newest)) == ["ia1"]


def test_what_is_live_after_all_does_not_wait() -> None:
    newest = NewestValues()
    newest.take(frame(3, 1.0), LABELS, Urgency.LATE)
    newest.take(frame(5, 2.0), LABELS, Urgency.LIVE)
    assert due(newest)["ia0"]["v"] == 2.0

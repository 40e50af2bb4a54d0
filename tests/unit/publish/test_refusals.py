import json
from pathlib import Path

from otgate.model import Lane
from otgate.publish.message import Claim, Message, Outcome, Retain
from otgate.publish.refusals import FILE_LIMIT, Refusals
from otgate.publish.retained import RetainedTopics

NOT_AUTHORIZED = Outcome(0x87, "Not authorized")
QUOTA = Outcome(0x97, "Quota exceeded")


def message(seq: int = 0, payload: bytes = b"{}") -> Message:
    return Message("otgate/v1/a/b/c/d/data", payload, claim=Claim(Lane.DATA, 7, seq, 3))


def kept(directory: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (directory / "refused.jsonl").read_bytes().splitlines()]


def test_a_refused_message_is_kept_with_its_reason(tmp_path: Path) -> None:
    Refusals(tmp_path).set_aside(message(seq=5), NOT_AUTHORIZED, 2000)
    (entry,) = kept(tmp_path)
    assert (entry["topic"], entry["reason"]) == ("otgate/v1/a/b/c/d/data", "Not authorized")
    assert (entry["lane"], entry["seq"], entry["count"]) == ("data", 5, 3)
    assert (entry["time_us"], entry["payload"]) == (2, "{}")


def test_others_may_not_read_what_was_refused(tmp_path: Path) -> None:
    Refusals(tmp_path).set_aside(message(), NOT_AUTHORIZED, 0)
    assert (tmp_path / "refused.jsonl").stat().st_mode & 0o777 == 0o640


def test_bytes_that_are_no_text_are_kept_too(tmp_path: Path) -> None:
    Refusals(tmp_path).set_aside(message(payload=b"\xff"), NOT_AUTHORIZED, 0)
    assert kept(tmp_path)[0]["payload"] == "base64:/w=="


def test_the_file_is_bounded(tmp_path: Path) -> None:
    refusals = Refusals(tmp_path)
    for seq in range(40):
        refusals.set_aside(message(seq, b"x" * 100_000), NOT_AUTHORIZED, 0)
    assert refusals.count == 40
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) <= 2 * FILE_LIMIT


def test_a_full_disk_does_not_stop_the_rest(tmp_path: Path) -> None:
    refusals = Refusals(tmp_path / "absent")
    refusals.set_aside(message(), NOT_AUTHORIZED, 0)
    assert refusals.count == 1


def test_a_passing_trouble_is_waited_for_twice() -> None:
    refusals = Refusals(Path("unused"))
    assert [refusals.pause_s(message(), QUOTA) for _ in range(3)] == [1.0, 1.0, None]


def test_a_refusal_for_good_is_believed_the_second_time() -> None:
    refusals = Refusals(Path("unused"))
    assert [refusals.pause_s(message(), NOT_AUTHORIZED) for _ in range(2)] == [0.0, None]


def test_a_message_that_is_taken_in_the_end_begins_anew() -> None:
    refusals = Refusals(Path("unused"))
    refusals.pause_s(message(), NOT_AUTHORIZED)
    refusals.taken(message())
    assert refusals.pause_s(message(), NOT_AUTHORIZED) == 0.0


def test_retained_topics_survive_a_restart(tmp_path: Path) -> None:
    topics = RetainedTopics(tmp_path)
    topics.add("a/meta")
    topics.add("b/meta")
    topics.settled(Message("b/meta", b"", Retain.YES))
    topics.save()
    assert RetainedTopics(tmp_path).unwanted(lambda _topic: False) == ["a/meta"]


def test_what_is_wanted_is_not_cleared(tmp_path: Path) -> None:
    topics = RetainedTopics(tmp_path)
    topics.add("a/meta")
    assert topics.unwanted({"a/meta"}.__contains__) == []


def test_a_damaged_file_is_an_empty_one(tmp_path: Path) -> None:
    (tmp_path / "retained.json").write_text("{")
    assert len(RetainedTopics(tmp_path)) == 0

import pytest

from otgate.errors import Refused
from otgate.publish.topics import GATEWAY, Address, MessageClass, Topics, read_topic

TOPICS = Topics("otgate", "sub7", "gw1", "analytics")


def test_a_topic_names_everything_in_order() -> None:
    assert TOPICS.topic("f3", MessageClass.DATA) == "otgate/v1/sub7/gw1/analytics/f3/data"


def test_no_topic_has_more_than_seven_slashes() -> None:
    assert TOPICS.topic("f3", MessageClass.LAST, "ia").count("/") == 7


def test_the_will_lies_under_the_reserved_device() -> None:
    assert TOPICS.status == f"otgate/v1/sub7/gw1/analytics/{GATEWAY}/status"


@pytest.mark.parametrize("part", ["", "a b", "a.b", "a/b", "a+", "ä", "#"])
def test_a_part_that_a_broker_might_refuse_is_refused(part: str) -> None:
    with pytest.raises(Refused):
        Topics("otgate", part, "gw1", "analytics")


@pytest.mark.parametrize("leaf", ["", "9f2c41aa"])
def test_a_topic_reads_back(leaf: str) -> None:
    topic = TOPICS.topic("f3", MessageClass.META, leaf)
    expected = Address("sub7", "gw1", "analytics", "f3", MessageClass.META, leaf)
    assert read_topic(topic, "otgate") == expected


@pytest.mark.parametrize(
    "topic",
    ["otgate/v2/a/b/c/d/data", "other/v1/a/b/c/d/data", "otgate/v1/a/b/c/d/spam", "otgate/v1/a/b"],
)
def test_what_is_not_ours_is_not_read(topic: str) -> None:
    assert read_topic(topic, "otgate") is None

from structlog.testing import capture_logs

from otgate.model import Lane
from otgate.publish.losses import REMEMBERED, Losses
from otgate.spool.items import Gap, GapReason


def gap(seq: int, lane: Lane = Lane.DATA, reason: GapReason = GapReason.REMOVED) -> Gap:
    return Gap(lane, 1 << 20, seq, 5, 11, 13, reason)


def test_a_span_is_logged_once_however_often_it_is_sent() -> None:
    losses = Losses()
    with capture_logs() as told:
        for seq in (20, 10, 20, 10, 30):
            losses.note(gap(seq))
        losses.note(gap(10, Lane.EVENT))
    assert [(entry["lane"], entry["first_seq"]) for entry in told] == [
        ("data", 20), ("data", 10), ("data", 30), ("event", 10)
    ]  # fmt: skip
    assert (told[0]["count"], told[0]["from_ns"], told[0]["to_ns"]) == (5, 11, 13)
    assert told[0]["reason"] == "removed"


def test_spans_without_end_take_no_room_without_end() -> None:
    losses = Losses()
    with capture_logs():
        for seq in range(REMEMBERED + 10):
            losses.note(gap(seq))
    assert len(losses._logged) == REMEMBERED


def test_what_is_recalled_or_refused_is_no_loss_of_the_spool() -> None:
    with capture_logs() as told:
        for reason in (GapReason.RECALLED, GapReason.REFUSED):
            Losses().note(gap(10, reason=reason))
    assert told == []

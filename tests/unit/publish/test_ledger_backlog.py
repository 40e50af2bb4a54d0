"""Holes that a backlog is to fill behind what is live, and those that it is not."""

from typing import Any

from otgate.publish.ledger import FOLD_AFTER_US, Account, Ledger
from otgate.publish.payload import GatewayStatus, LaneStatus
from otgate.publish.topics import MessageClass
from told import EPOCH, LATER, data, status

NEXT = LATER.epoch


def during(through: int = 0, live_from: int = 100, live_epoch: str = EPOCH) -> GatewayStatus:
    return status(
        LaneStatus(
            epoch=EPOCH, complete_through=through, live_epoch=live_epoch, live_from=live_from
        )
    )


def after(through: int) -> GatewayStatus:
    return status(LaneStatus(epoch=EPOCH, complete_through=through))


def listening(*statuses: GatewayStatus) -> Ledger:
    ledger = Ledger()
    replay(ledger, 0)
    for each in statuses:
        ledger.status(each)
    return ledger


def live(ledger: Ledger, seq: int, **fields: Any) -> None:
    ledger.samples(data(seq, **fields), MessageClass.DATA, 0)


def replay(ledger: Ledger, seq: int, **fields: Any) -> None:
    ledger.samples(data(seq, **fields), MessageClass.REPLAY, 0)


def account(ledger: Ledger) -> Account:
    (found,) = ledger.accounts.values()
    return found


def test_what_is_still_to_come_is_not_lost() -> None:
    ledger = listening(during())
    live(ledger, 100)
    assert ledger.lost == 0
    for seq in range(10, 100, 10):
        replay(ledger, seq)
    ledger.status(after(110))
    assert (ledger.lost, account(ledger).disorder, ledger.received) == (0, 0, 110)


def test_what_a_backlog_left_out_is_lost_once_it_is_said_to_be_done() -> None:
    ledger = listening(during())
    live(ledger, 100)
    replay(ledger, 20)
    ledger.status(during(through=30))
    assert account(ledger).losses() == [(10, 20)]
    ledger.status(after(110))
    assert account(ledger).losses() == [(10, 20), (30, 100)]


def test_a_hole_in_what_is_live_is_lost_at_once() -> None:
    ledger = listening(during())
    live(ledger, 100)
    live(ledger, 120)
    assert account(ledger).losses() == [(110, 120)]


def test_a_backlog_of_earlier_epochs_is_awaited_and_their_ends_are_judged() -> None:
    ledger = listening(during(live_epoch=NEXT, live_from=5))
    live(ledger, 5, epoch=NEXT)
    assert ledger.lost == 0
    ledger.status(status(LATER))
    assert ledger.lost == 15 + 5


def test_who_is_cut_off_during_a_backlog_still_awaits_it() -> None:
    ledger = listening(during())
    live(ledger, 100)
    ledger.cut_off()
    ledger.status(during(through=20))
    live(ledger, 200)
    assert (ledger.lost, ledger.unseen) == (10, 90)
    ledger.status(after(210))
    assert (ledger.lost, ledger.unseen) == (90, 90)


def test_late_samples_after_a_cut_do_not_hide_what_passed_by_live() -> None:
    ledger = listening(during())
    live(ledger, 100)
    ledger.cut_off()
    ledger.status(during(through=20))
    replay(ledger, 20)
    live(ledger, 200)
    assert ledger.unseen == 90


def test_an_old_status_says_what_is_awaited_to_one_who_has_just_come() -> None:
    ledger = Ledger()
    ledger.retained(during())
    replay(ledger, 0)
    live(ledger, 100)
    assert ledger.lost == 0


def test_no_epoch_is_folded_away_from_under_a_backlog() -> None:
    ledger = listening(during(live_epoch="01JD3K7S", live_from=0))
    epochs = [f"01JD3K7{letter}" for letter in "STVWX"]
    for number, epoch in enumerate(epochs):
        ledger.samples(data(0, epoch=epoch), MessageClass.DATA, 2 * number * FOLD_AFTER_US)
    replay(ledger, 10)
    replay(ledger, 0, epoch=NEXT)
    assert not ledger.folded
    assert sum(each.duplicates for each in ledger.accounts.values()) == 0

import tracemalloc

from msgspec.structs import replace

from otgate.publish.ledger import MOST_STRETCHES, Ages, Ledger
from otgate.publish.payload import Data, GapNotice, GatewayStatus, LaneStatus
from otgate.publish.topics import MessageClass
from otgate.spool.epoch import epoch_text
from told import EPOCH, LATER, data, gap, status


def booked(*messages: Data | GapNotice | GatewayStatus) -> Ledger:
    ledger = Ledger()
    for message in messages:
        match message:
            case Data():
                ledger.samples(message, MessageClass.DATA, 5000)
            case GapNotice():
                ledger.gap(message)
            case GatewayStatus():
                ledger.status(message)
    return ledger


def test_an_unbroken_stream_loses_nothing() -> None:
    ledger = booked(*(data(seq) for seq in range(0, 1000, 10)))
    assert (ledger.received, ledger.lost) == (1000, 0)


def test_a_hole_below_the_highest_number_is_a_loss() -> None:
    ledger = booked(data(100), data(120))
    (account,) = ledger.accounts.values()
    assert account.losses() == [(110, 120)]
    assert ledger.lost == 10


def test_what_came_before_the_subscription_is_not_missed() -> None:
    assert booked(data(5000)).lost == 0


def test_an_announced_gap_is_no_loss() -> None:
    ledger = booked(data(0), gap(10, 7), data(20))
    assert ledger.lost == 3
    (account,) = ledger.accounts.values()
    assert (account.gaps, account.losses()) == (7, [(17, 20)])


def test_a_gap_that_may_be_larger_is_booked_as_such() -> None:
    larger = replace(gap(10, 7), at_least=True)
    assert [a.at_least for a in booked(data(0), gap(10, 7)).accounts.values()] == [False]
    assert [a.at_least for a in booked(larger, gap(17, 3)).accounts.values()] == [True]


def test_a_tail_that_the_gateway_says_is_delivered_is_a_loss() -> None:
    ledger = booked(data(0), status(LaneStatus(epoch=EPOCH, complete_through=15)))
    assert ledger.lost == 5


def test_duplicates_are_counted_and_not_received_twice() -> None:
    ledger = booked(data(0), data(10), data(5), data(0))
    (account,) = ledger.accounts.values()
    assert (account.count, account.duplicates, account.disorder) == (20, 20, 0)


def test_a_first_arrival_after_a_later_one_is_disorder() -> None:
    ledger = booked(data(0), data(20), data(10))
    (account,) = ledger.accounts.values()
    assert (account.disorder, account.lost) == (10, 0)


def test_lanes_and_epochs_are_accounted_for_apart() -> None:
    ledger = booked(data(0), data(500, lane="event"), data(0, epoch="01JD3K7R"))
    assert len(ledger.accounts) == 3
    assert ledger.lost == 0


def test_an_epoch_that_ends_before_our_eyes_must_be_complete() -> None:
    following = LaneStatus(
        epoch="01JD3K7R", complete_through=0, previous_epoch=EPOCH, previous_end=25
    )
    ledger = booked(status(LaneStatus(epoch=EPOCH, complete_through=0)), data(0), status(following))
    assert ledger.lost == 15


def test_an_epoch_that_begins_before_our_eyes_begins_at_0() -> None:
    following = LaneStatus(
        epoch="01JD3K7R", complete_through=0, previous_epoch=EPOCH, previous_end=0
    )
    ledger = booked(
        status(LaneStatus(epoch=EPOCH, complete_through=0)),
        data(30, epoch="01JD3K7R"),
        status(following),
    )
    assert ledger.lost == 30


def test_a_status_from_before_we_listened_witnesses_no_beginning() -> None:
    following = LaneStatus(
        epoch="01JD3K7R", complete_through=30, previous_epoch=EPOCH, previous_end=0
    )
    ledger = Ledger()
    ledger.retained(status(LaneStatus(epoch=EPOCH, complete_through=0)))
    ledger.samples(data(30, epoch="01JD3K7R"), MessageClass.DATA, 0)
    ledger.status(status(following))
    assert ledger.lost == 0


def test_an_epoch_of_which_we_had_samples_must_be_complete_whoever_says_so() -> None:
    ledger = booked(data(0))
    ledger.retained(status(LATER))
    assert ledger.lost == 15


def test_an_epoch_that_follows_one_we_had_samples_of_begins_at_0() -> None:
    assert booked(data(0), data(30, epoch=LATER.epoch)).lost == 30


def test_an_epoch_that_came_and_went_unseen_is_lost() -> None:
    between = LaneStatus(
        epoch="01JD3K7S", complete_through=0, previous_epoch="01JD3K7R", previous_end=40
    )
    assert booked(data(0), status(between)).lost == 40


def ended(end: int, epoch: str = LATER.epoch, previous: str = EPOCH) -> GatewayStatus:
    return status(
        LaneStatus(epoch=epoch, complete_through=0, previous_epoch=previous, previous_end=end)
    )


def test_what_a_power_cut_took_before_numbers_that_came_live_is_announced_by_the_end() -> None:
    ledger = booked(data(0), data(50), ended(10))
    account, *_ = ledger.accounts.values()
    assert (account.gaps, account.losses(), ledger.received) == (40, [], 20)


def test_below_the_end_a_hole_stays_a_loss() -> None:
    ledger = booked(data(0), data(50), ended(30))
    account, *_ = ledger.accounts.values()
    assert (account.gaps, account.losses()) == (20, [(10, 30)])


def test_what_was_said_to_be_delivered_is_missed_though_the_disk_lost_it_too() -> None:
    done = status(LaneStatus(epoch=EPOCH, complete_through=40))
    ledger = booked(data(0), data(50), done, ended(10))
    account, *_ = ledger.accounts.values()
    assert (account.gaps, account.losses()) == (10, [(10, 40)])


def test_of_two_ends_the_one_told_last_counts() -> None:
    assert booked(data(0), ended(60)).lost == 50
    assert booked(data(0), ended(60), ended(10, "01JD3K7S")).lost == 0


def test_a_number_beyond_the_end_that_comes_late_makes_no_loss() -> None:
    ledger = booked(data(0), ended(10), data(50), data(20))
    assert (ledger.lost, ledger.received) == (0, 30)


def test_an_epoch_that_a_power_cut_took_as_a_whole_has_no_losses() -> None:
    came = data(0), data(0, epoch="01JD3K7R"), data(30, epoch="01JD3K7R")
    assert booked(*came, ended(40, "01JD3K7S", "01JD3K7R")).lost == 20
    assert booked(*came, ended(10, "01JD3K7S")).lost == 0
    assert booked(*came).lost == 20


def test_what_passed_by_while_we_were_cut_off_is_unseen_and_not_lost() -> None:
    ledger = booked(data(0))
    ledger.cut_off()
    ledger.samples(data(50), MessageClass.DATA, 0)
    ledger.samples(data(70), MessageClass.DATA, 0)
    assert (ledger.unseen, ledger.lost) == (40, 10)


def test_what_is_sent_again_after_we_were_cut_off_is_neither_unseen_nor_disorder() -> None:
    ledger = booked(data(0))
    ledger.cut_off()
    for seq in (50, 10, 20, 30, 40, 60):
        ledger.samples(data(seq), MessageClass.DATA, 0)
    (account,) = ledger.accounts.values()
    assert (ledger.unseen, ledger.lost, account.disorder) == (0, 0, 0)


def test_the_end_of_an_epoch_that_passed_by_is_unseen() -> None:
    ledger = booked(data(0))
    ledger.cut_off()
    ledger.status(status(LATER))
    ledger.samples(data(20, epoch=LATER.epoch), MessageClass.DATA, 0)
    assert (ledger.unseen, ledger.lost) == (15 + 20, 0)


def test_who_was_not_cut_off_sees_the_loss() -> None:
    ledger = booked(data(0))
    ledger.cut_off()
    for seq in (10, 30):
        ledger.samples(data(seq), MessageClass.DATA, 0)
    assert (ledger.unseen, ledger.lost) == (0, 10)


def test_a_retained_status_says_what_must_have_arrived_already() -> None:
    ledger = booked(data(0))
    ledger.retained(status(LaneStatus(epoch=EPOCH, complete_through=15)))
    assert ledger.lost == 5


def test_memory_does_not_grow_with_an_unbroken_stream() -> None:
    ledger = booked(*(data(seq) for seq in range(0, 10_000, 10)))
    (account,) = ledger.accounts.values()
    assert list(account.received) == [(0, 10_000)]


def restarted(epochs: int, gateways: int = 1) -> Ledger:
    """A ledger of many epochs, ten minutes each; of every tenth the last 5 samples are lost."""
    ledger = Ledger()
    for number in range(epochs):
        for gateway in range(gateways):
            one_epoch(ledger, number, f"gw{gateway + 1}")
    return ledger


def one_epoch(ledger: Ledger, number: int, gateway: str) -> None:
    epoch, previous = epoch_text(1000 + number), epoch_text(999 + number)
    told = LaneStatus(epoch=epoch, complete_through=0, previous_epoch=previous, previous_end=30)
    said = replace(status(told), gateway=gateway)
    now_us = number * 600_000_000
    if number:
        ledger.status(said)
    for seq in (0, 10) if number % 10 == 5 else (0, 10, 20):
        ledger.samples(data(seq, epoch=epoch, gateway=gateway), MessageClass.DATA, now_us)


def test_epochs_that_ended_long_ago_are_folded_without_losing_count() -> None:
    ledger = restarted(3000)
    assert len(ledger.accounts) <= 4
    (folded,) = ledger.folded.values()
    assert folded.epochs + len(ledger.accounts) == 3000
    assert ledger.lost == 300 * 10
    assert ledger.received == 3000 * 30 - ledger.lost
    assert folded.losses[0] == (epoch_text(1005), 20, 30)


def test_what_comes_again_of_a_folded_epoch_is_a_duplicate_and_no_new_loss() -> None:
    ledger = restarted(20)
    before = ledger.lost
    ledger.samples(data(0, epoch=epoch_text(1001)), MessageClass.REPLAY, 10**13)
    ledger.gap(replace(gap(0, 10), epoch=epoch_text(1001)))
    ledger.retained(status(LaneStatus(epoch=epoch_text(1001), complete_through=500)))
    (folded,) = ledger.folded.values()
    assert (folded.duplicates, ledger.lost) == (10, before)


def test_an_epoch_that_a_rewind_can_reach_is_not_folded() -> None:
    ledger = Ledger()
    for number in range(10):
        epoch = epoch_text(1000 + number)
        ledger.samples(data(0, epoch=epoch), MessageClass.DATA, number * 1_000_000)
    assert (len(ledger.accounts), ledger.folded) == (10, {})


def test_holes_without_end_are_settled_without_losing_count() -> None:
    ledger = Ledger()
    for n in range(20_000):
        ledger.samples(data(n * 10, 9), MessageClass.DATA, n)
    (account,) = ledger.accounts.values()
    assert len(account.received) <= MOST_STRETCHES
    assert (ledger.received, ledger.lost) == (180_000, 19_999)
    assert account.shown_losses()[0] == (9, 10)


def test_what_comes_again_of_what_is_settled_is_a_duplicate() -> None:
    ledger = Ledger()
    for n in range(3000):
        ledger.samples(data(n * 10, 9), MessageClass.DATA, n)
    ledger.samples(data(0, 10), MessageClass.DATA, 0)
    (account,) = ledger.accounts.values()
    assert (account.duplicates, ledger.received, ledger.lost) == (10, 27_000, 2_999)


def test_a_hundred_gateways_over_days_fit_into_a_few_megabytes() -> None:
    tracemalloc.start()
    ledger = restarted(10, gateways=100)
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert ledger.received == 100 * (10 * 30 - 10)
    assert size < 8e6


def test_percentiles_are_right_within_five_percent() -> None:
    ages = Ages()
    for age_ms in range(1, 1001):
        ages.add(float(age_ms))
    assert 475 <= (ages.percentile(0.5) or 0) <= 525
    assert 940 <= (ages.percentile(0.99) or 0) <= 1045
    assert Ages().percentile(0.5) is None

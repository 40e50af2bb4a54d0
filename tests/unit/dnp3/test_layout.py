"""Objects to samples: values, quality and times of each type; what of a fragment goes together."""

import math
from collections.abc import Sequence
from typing import Any

import pytest

from dnp3_devices import device, point
from otgate.model import Batch, Origin, Point
from otgate.quality import names
from otgate_dnp3.batches import Fragments
from otgate_dnp3.layout import Layout
from otgate_dnp3.reading import readings_of
from otgate_dnp3.stack.application import Iin
from otgate_dnp3.stack.decode import decoded
from otgate_dnp3.stack.objects import walk
from otgate_dnp3.stack.outputs import Asked, Delivery

RECEIVED_NS = 1_800_000_000_000_000_000
STAMP = "0068e5cf8b01"
STAMP_MS = int.from_bytes(bytes.fromhex(STAMP), "little")


class Heard:
    """A device's points, and the fragments that it is told."""

    def __init__(self, *points: Point) -> None:
        layout = Layout(readings_of(device(*points), []), "")
        self.fragments = Fragments("rtu1", layout, layout)

    def batches(self, objects: str, asked: Asked = Asked.POLL, iin: int = 0) -> list[Batch]:
        walked = walk(bytes.fromhex(objects))
        assert not walked.rest
        found = decoded(walked.blocks)
        delivery = Delivery(asked, None, found.columns, found.skipped, b"", "", iin, None)
        return self.fragments.batches(delivery, RECEIVED_NS)

    def samples(self, objects: str, iin: int = 0) -> list[tuple[int, Any, tuple[str, ...]]]:
        return [sample for batch in self.batches(objects, iin=iin) for sample in rows(batch)]


def rows(batch: Batch) -> Sequence[tuple[int, Any, tuple[str, ...]]]:
    columns = (batch.index.tolist(), batch.values.tolist(), batch.quality.tolist())
    return [(at, value, names(word)) for at, value, word in zip(*columns, strict=True)]


GOOD = ("good",)


@pytest.mark.parametrize(
    ("address", "objects", "value"),
    [
        ("bi 0", "0101 00 00 00 01", True),
        ("bi 0", "0102 00 00 00 81", True),
        ("dbi 0", "0301 00 00 00 02", 2),
        ("dbi 0", "0302 00 00 00 c1", 3),
        ("bo 0", "0a01 00 00 00 00", False),
        ("bo 0", "0a02 00 00 00 81", True),
        ("ctr 0", "1401 00 00 00 01 ffffffff", 4_294_967_295),
        ("ctr 0", "1406 00 00 00 ffff", 65_535),
        ("fctr 0", "1505 00 00 00 01 07000000" + STAMP, 7),
        ("ai 0", "1e01 00 00 00 01 ffffff7f", 2_147_483_647.0),
        ("ai 0", "1e02 00 00 00 01 0080", -32_768.0),
        ("ai 0", "1e03 00 00 00 01000000", 1.0),
        ("ai 0", "1e05 00 00 00 01 cdcccc3d", 0.1),
        ("ai 0", "1e06 00 00 00 01 9a9999999999b93f", 0.1),
        ("fai 0", "1f07 00 00 00 01 cdcccc3d", 0.1),
        ("aos 0", "2803 00 00 00 01 0000c03f", 1.5),
        ("oct 0", "6e05 00 00 00 5254550020", "RTU"),
    ],
)
def test_a_value_arrives_exactly(address: str, objects: str, value: Any) -> None:
    assert Heard(point("x", address)).samples(objects) == [(0, value, GOOD)]


def test_a_packed_variation_is_good_because_it_says_nothing_else() -> None:
    points = [point(f"b{at}", f"bi {at}") for at in range(3)]
    assert Heard(*points).samples("0101 00 00 02 05") == [
        (0, True, GOOD),
        (1, False, GOOD),
        (2, True, GOOD),
    ]


def test_state_bits_are_no_quality_and_quality_no_state() -> None:
    heard = Heard(point("b", "bi 0"))
    assert heard.samples("0102 00 00 00 85") == [(0, True, ("invalid", "old_data", "comm_lost"))]
    assert heard.samples("0102 00 00 00 05") == [(0, False, ("invalid", "old_data", "comm_lost"))]


def test_a_scale_divides_and_a_range_is_watched() -> None:
    ranged = {"raw_lo": 4000.0, "raw_hi": 20000.0, "eu_lo": -20.0, "eu_hi": 140.0}
    heard = Heard(point("a", "ai 0", scale=0.1), point("b", "ai 1", **ranged))
    assert heard.samples("1e02 00 00 01 01 7401 01 a00f") == [(0, 37.2, GOOD), (1, -20.0, GOOD)]
    assert heard.samples("1e02 00 01 01 01 0000")[0][2] == ("questionable", "out_of_range")


def test_what_is_no_number_has_no_value() -> None:
    heard = Heard(point("a", "ai 0"), point("b", "ai 1"))
    found = heard.samples("1e05 00 00 01 01 0000c07f 01 0000807f")
    assert [quality for _, _, quality in found] == [
        ("invalid", "failure", "no_value"),
        ("invalid", "overflow", "no_value"),
    ]
    assert all(math.isfinite(value) for _, value, _ in found)


def test_octets_that_are_no_text_have_no_value() -> None:
    assert Heard(point("o", "oct 0")).samples("6e02 00 00 00 fffe") == [
        (0, "", ("invalid", "inconsistent", "no_value"))
    ]


def test_an_inverted_bool_is_inverted_and_its_neighbour_is_not() -> None:
    heard = Heard(point("a", "bi 0", invert=True), point("b", "bi 1"))
    assert [value for _, value, _ in heard.samples("0101 00 00 01 03")] == [False, True]


def test_indices_that_no_point_has_are_left_out_wherever_they_are() -> None:
    heard = Heard(point("a", "ai 3"), point("b", "ai 1"))
    found = heard.samples("1e04 00 00 05 0000 0100 0200 0300 0400 0500")
    assert found == [(1, 1.0, GOOD), (0, 3.0, GOOD)]
    assert heard.samples("1e04 01 ffff ffff 0900") == []
    event = "2002 28 0200 ffff 01 0900 0300 01 0700"
    assert heard.samples(event) == [(0, 7.0, GOOD)]


def test_an_event_has_its_own_time_and_says_if_the_clock_was_not_set() -> None:
    heard = Heard(point("b", "bi 0"))
    event = f"0202 17 01 00 81 {STAMP}"
    [batch] = heard.batches(event, Asked.UNSOLICITED)
    assert batch.source_ns is not None
    assert (batch.origin, batch.source_ns.tolist()) == (Origin.UNSOLICITED, [STAMP_MS * 1_000_000])
    told = heard.samples(event, iin=int(Iin.NEED_TIME))
    assert told == [(0, True, ("good", "clock_unsynchronised"))]


def test_a_relative_time_without_a_common_one_is_unknown() -> None:
    [batch] = Heard(point("b", "bi 0")).batches("0203 17 01 00 81 0500")
    assert batch.source_ns is None
    assert rows(batch) == [(0, True, ("good", "source_time_unknown"))]


@pytest.mark.parametrize(
    ("asked", "event", "static"),
    [
        (Asked.INTEGRITY, Origin.EVENT, Origin.INTEGRITY),
        (Asked.POLL, Origin.EVENT, Origin.POLL),
        (Asked.UNSOLICITED, Origin.UNSOLICITED, Origin.UNSOLICITED),
    ],
)
def test_origins_say_why_a_sample_came(asked: Asked, event: Origin, static: Origin) -> None:
    heard = Heard(point("b", "bi 0"))
    batches = heard.batches("0201 17 01 00 81  0102 00 00 00 01", asked)
    assert [batch.origin for batch in batches] == [event, static]


def test_samples_of_one_type_and_cause_are_one_batch() -> None:
    heard = Heard(*(point(f"b{at}", f"bi {at}") for at in range(4)), point("a", "ai 0"))
    events = (
        f"0202 17 01 03 81 {STAMP}  2003 17 01 00 01 05000000 {STAMP}  0202 17 01 01 81 {STAMP}"
    )
    assert [batch.index.tolist() for batch in heard.batches(events)] == [[3, 1], [4]]


def test_a_point_s_samples_stay_in_order_where_events_and_states_alternate() -> None:
    heard = Heard(point("b", "bi 0"))
    event, state = "0201 17 01 00 {}", "0102 00 00 00 {}"
    objects = [event.format("81"), state.format("01"), event.format("81"), state.format("01")]
    batches = heard.batches(" ".join(objects))
    assert [value for batch in batches for _, value, _ in rows(batch)] == [True, False, True, False]


def test_a_block_that_says_the_same_again_is_the_same_arrays() -> None:
    heard = Heard(*(point(f"a{at}", f"ai {at}") for at in (0, 1, 5)))
    both = "1e04 00 00 01 0100 0200  1e04 00 05 05 0900"
    [first], [again] = heard.batches(both), heard.batches(both)
    for name in ("index", "values", "quality"):
        assert getattr(first, name) is getattr(again, name)
    [changed] = heard.batches(both.replace("0900", "0800"))
    assert changed.index is first.index
    assert changed.values.tolist() == [1.0, 2.0, 8.0]


def test_a_block_that_says_the_same_of_other_points_is_other_arrays() -> None:
    heard = Heard(point("a", "ai 0"), point("b", "ai 1"))
    [first], [other] = heard.batches("1e04 00 00 00 0100"), heard.batches("1e04 00 01 01 0100")
    assert (first.index.tolist(), other.index.tolist()) == ([0], [1])

from typing import Any

import pytest

from otgate.testing.contract import Remembered
from otgate_modbus.address import Table
from otgate_modbus.learned import KEYS, Learned, Measure, Of, Parted, keep, news, recall, spelled


def test_what_is_kept_is_recalled() -> None:
    state = Remembered()
    learned = Learned(
        {(Table.HR, 15), (Table.HR, 20)},
        {(Table.IR, 7, 2), (Table.CO, 0, 1)},
        {Measure.REGISTERS: 40},
        {(Table.HR, 20): Parted("fast", Table.HR, 15, 30)},
    )
    keep(state, learned)
    assert recall(state) == learned


@pytest.mark.parametrize(
    "kept",
    [
        None, 7, "x", [], {}, {"form": 2, "cuts": [["hr", 1]]}, {"cuts": [["hr", 1]]},
        *({"form": 1, **kept} for kept in (
            {"cuts": 3}, {"cuts": [["hr"]]}, {"cuts": [["zz", 1]]}, {"cuts": [["hr", "1"]]},
            {"cuts": [["hr", True]]}, {"refused": [["hr", 1]]}, {"refused": [[1, 2, 3]]},
            {"sizes": 5}, {"sizes": {"registers": "40"}}, {"sizes": {"registers": 0}},
            {"sizes": {"octets": 5}}, {"search": {}}, {"search": [["hr", 5, 3, 0, 9, False]]},
        )),
    ],
)  # fmt: skip
def test_what_is_not_understood_is_forgotten(kept: Any) -> None:
    state = Remembered()
    state.put("splits", kept)
    assert recall(state) == Learned()


def test_a_row_that_is_not_understood_costs_itself_alone() -> None:
    state = Remembered()
    state.put(
        "splits", {"form": 1, "cuts": [["hr", 15], ["hr", None]], "refused": [["ir", 7, 2], 4]}
    )
    assert recall(state) == Learned({(Table.HR, 15)}, {(Table.IR, 7, 2)})


@pytest.mark.parametrize("kept", [7, {"form": 2}, {"cuts": []}])
def test_what_another_release_wrote_is_said_to_be_ignored(
    kept: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    state = Remembered()
    state.put("splits", kept)
    assert recall(state, "f1") == Learned()
    assert "learned_not_understood" in capsys.readouterr().out


def test_what_is_no_longer_in_the_map_is_forgotten() -> None:
    parted = Parted("fast", Table.HR, 0, 40)
    learned = Learned(
        {(Table.HR, 15), (Table.HR, 30)},
        {(Table.HR, 7, 2), (Table.HR, 9, 1)},
        {Measure.REGISTERS: 40},
        {(Table.HR, 15): parted, (Table.HR, 30): parted},
    )
    places = {(Table.HR, 15, 1), (Table.HR, 7, 1), (Table.HR, 9, 1)}
    learned.keep_only(places, {"fast": 1.0})
    assert learned == Learned(
        {(Table.HR, 15)},
        {(Table.HR, 9, 1)},
        {Measure.REGISTERS: 40},
        {(Table.HR, 15): parted},
    )


def test_a_search_of_a_scan_that_is_gone_ends() -> None:
    learned = Learned({(Table.HR, 15)}, search={(Table.HR, 15): Parted("fast", Table.HR, 0, 40)})
    learned.keep_only({(Table.HR, 15, 1)}, {"slow": 1.0})
    assert learned == Learned({(Table.HR, 15)})


def test_what_was_learned_of_another_device_is_forgotten() -> None:
    state = Remembered()
    for key in KEYS:
        Of(state, "tcp://h unit 1").put(key, {"form": 1, "cuts": [["hr", 3]]})
        assert Of(state, "tcp://h unit 1").get(key)
        assert Of(state, "tcp://h unit 2").get(key) is None
    Of(state, "tcp://h unit 2").put(KEYS[0], {"form": 1})
    assert Of(state, "tcp://h unit 2").get(KEYS[1]) is None


def test_a_state_that_names_no_device_is_nobodys() -> None:
    state = Remembered()
    keep(state, Learned({(Table.HR, 15)}))
    assert not recall(Of(state, "tcp://h unit 1"))


def test_news_are_what_changed() -> None:
    before = Learned(refused={(Table.HR, 7, 2)}, sizes={Measure.BITS: 64})
    after = Learned(refused={(Table.IR, 0, 1)}, sizes={Measure.REGISTERS: 40})
    assert list(news(before, after)) == [
        ("request_size_learned", {"counted_in": "registers", "at_most": 40}),
        ("request_size_unlearned", {"counted_in": "bits", "at_most": 64}),
        ("addresses_refused", {"addresses": "ir 0", "count": 1}),
        ("addresses_readable_again", {"addresses": "hr 7-8", "count": 1}),
    ]
    assert not list(news(after, after.copy()))


def test_many_places_are_cut_short() -> None:
    assert spelled({(Table.HR, at, 1) for at in range(30)}).endswith("hr 7, ...")

from typing import Any

import pytest

from otgate.testing.contract import Remembered
from otgate_modbus.address import Table
from otgate_modbus.learned import keep, recall
from otgate_modbus.planner import Learned


def test_what_is_kept_is_recalled() -> None:
    state = Remembered()
    learned = Learned({(Table.HR, 15)}, {(Table.IR, 7, 2), (Table.CO, 0, 1)})
    keep(state, learned)
    assert recall(state) == learned


@pytest.mark.parametrize(
    "kept",
    [
        None, 7, "x", [], {}, {"cuts": 3}, {"cuts": [["hr"]]}, {"cuts": [["zz", 1]]},
        {"cuts": [["hr", "1"]]}, {"refused": [["hr", 1]]}, {"refused": [[1, 2, 3]]},
    ],
)  # fmt: skip
def test_what_is_not_understood_is_forgotten(kept: Any) -> None:
    state = Remembered()
    state.put("splits", kept)
    assert recall(state) == Learned()


def test_a_row_that_is_not_understood_costs_itself_alone() -> None:
    state = Remembered()
    state.put("splits", {"cuts": [["hr", 15], ["hr", None]], "refused": [["ir", 7, 2], 4]})
    assert recall(state) == Learned({(Table.HR, 15)}, {(Table.IR, 7, 2)})

"""Each row of the table of flags, by hand: what the flag does to the quality of each type."""

import pytest

from otgate.quality import names
from otgate_dnp3.flags import FLAGGED, ROWS, TABLES
from otgate_dnp3.stack.points import PointType

BI, DBI, BO = PointType.BINARY_INPUT, PointType.DOUBLE_BIT_INPUT, PointType.BINARY_OUTPUT
CTR, FCTR = PointType.COUNTER, PointType.FROZEN_COUNTER
AI, FAI = PointType.ANALOG_INPUT, PointType.FROZEN_ANALOG_INPUT
AOS = PointType.ANALOG_OUTPUT
EVERY = {BI, DBI, BO, CTR, FCTR, AI, FAI, AOS}

BY_HAND = [
    (EVERY, 0x00, ("invalid", "failure")),
    (EVERY, 0x01, ("good",)),
    (EVERY, 0x03, ("invalid", "restart")),
    (EVERY, 0x05, ("invalid", "old_data", "comm_lost")),
    (EVERY, 0x09, ("questionable", "substituted")),
    (EVERY, 0x11, ("questionable", "substituted", "operator_blocked")),
    ({BI, DBI}, 0x21, ("questionable", "oscillatory")),
    ({CTR, FCTR}, 0x21, ("good", "overflow")),
    ({AI, FAI, AOS}, 0x21, ("questionable", "overflow", "out_of_range")),
    ({CTR, FCTR}, 0x41, ("questionable", "inconsistent")),
    ({AI, FAI, AOS}, 0x41, ("questionable", "bad_reference")),
    ({BO}, 0x21, ("good",)),
    ({BI, BO}, 0x41, ("good",)),
    (EVERY, 0x02, ("invalid", "failure", "restart")),
]
CASES = [
    pytest.param(kind, flags, told, id=f"{kind.name} {flags:#04x}")
    for kinds, flags, told in BY_HAND
    for kind in sorted(kinds, key=lambda kind: kind.name)
]


@pytest.mark.parametrize(("kind", "flags", "told"), CASES)
def test_a_flag_is_quality(kind: PointType, flags: int, told: tuple[str, ...]) -> None:
    assert names(int(TABLES[kind][flags])) == told


def test_every_row_is_told_by_hand_for_every_type_it_is_of() -> None:
    told = {(kind, flags) for kinds, flags, _ in BY_HAND for kind in kinds}
    for row in ROWS:
        flags = int(row.flag) | 1 if row.when.value else 0
        assert {(kind, flags) for kind in row.points} <= told


def test_every_type_with_flags_has_a_table() -> None:
    assert set(TABLES) == set(FLAGGED) == EVERY

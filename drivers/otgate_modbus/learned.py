"""What refusals have taught about a device, as it is kept on disk."""

from collections.abc import Iterator
from typing import Any

from otgate.driver import DeviceState
from otgate_modbus.address import SPELLED, TABLES, Table
from otgate_modbus.planner import Learned

KEY = "splits"


def recall(state: DeviceState) -> Learned:
    """Read what earlier runs learned; what is not understood is forgotten."""
    kept = state.get(KEY)
    if not isinstance(kept, dict):
        return Learned()
    cuts = {(table, start) for table, (start,) in _rows(kept.get("cuts"), 1)}
    refused = {(table, start, length) for table, (start, length) in _rows(kept.get("refused"), 2)}
    return Learned(cuts, refused)


def keep(state: DeviceState, learned: Learned) -> None:
    """Write what is known for the runs to come."""
    state.put(
        KEY,
        {
            "cuts": [[SPELLED[table], start] for table, start in sorted(learned.cuts)],
            "refused": [
                [SPELLED[table], start, length] for table, start, length in sorted(learned.refused)
            ],
        },
    )


def _rows(rows: Any, numbers: int) -> Iterator[tuple[Table, list[int]]]:
    for row in rows if isinstance(rows, list) else ():
        match row:
            case [str(table), *rest] if table in TABLES and len(rest) == numbers:
                if all(isinstance(number, int) for number in rest):
                    yield TABLES[table], rest

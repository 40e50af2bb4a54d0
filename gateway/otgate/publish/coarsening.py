"""Steps that a tightened policy rounds to what was spooled before it."""

from collections.abc import Sequence

from otgate.model import Batch, ValueType
from otgate.policy.rounding import Steps
from otgate.spool.catalog import CatalogPoint

AMOUNTS = frozenset({ValueType.F64, ValueType.I64, ValueType.U64})


def step_between(older: CatalogPoint, newest: CatalogPoint | None) -> float:
    """Return the step that values spooled under ``older`` still need; 0 where they need none."""
    if newest is None or newest.step <= older.step:
        return 0.0
    return newest.step


class Coarser:
    """Rounds batches whose points are numbered by an older catalog."""

    def __init__(self, steps: Sequence[float]) -> None:
        """Round to ``steps``, one for each number; 0 leaves a point as it is."""
        self._steps = steps
        self._of: dict[ValueType, Steps] = {}

    def rounded(self, batch: Batch) -> Batch:
        """Return ``batch`` with its values at the steps of their points."""
        if batch.value_type not in AMOUNTS:
            return batch
        steps = self._of.get(batch.value_type)
        if steps is None:
            steps = self._of[batch.value_type] = Steps(self._steps, batch.value_type)
        made = batch.renumbered(batch.index)
        made.values = steps.rounded(batch.index, batch.values)
        return made


def coarser(steps: Sequence[float]) -> Coarser | None:
    """Return what rounds to ``steps``, one for each number; None where no point needs one."""
    return Coarser(steps) if any(steps) else None

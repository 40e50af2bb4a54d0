"""How many requests a device may have before it at once: proved on itself, step by step.

Of six servers that were tried four answered several requests in order, one in reverse order, and
one only the first. So a device begins with one request at a time. After some polls without a
fault the next step is tried, and stands once it has held; then the one after it, unless a poll has
failed meanwhile. What failed a trial is not tried again.
"""

from collections.abc import Iterator
from typing import Literal

from otgate.driver import DeviceState

KEY = "pipeline"
STEPS = (1, 2, 4, 8)
"""MG §4.3.1.2 speaks of 1 to 16 transactions that a server may accept."""

CALM = 10
"""Polls in a row that were answered in full before the next step is tried."""

TRIALS = 3
"""Polls in which a step has to hold."""

CUT_TRIALS = 2
"""Connections lost in the middle of a trial that end trying: some devices close upon a second
request, and a cable may be pulled at any moment."""

DOUBTS = 3
"""Polls in a row in which a proved step did not hold; then it is one request at a time again."""


class Pipelining:
    """One device's depth. ``state`` keeps what was proved over connections and restarts."""

    def __init__(self, setting: int | Literal["auto"], state: DeviceState, *, alone: bool) -> None:
        self._state = state
        self._proving = setting == "auto" and alone
        """Devices that share a link sit behind a gateway: whose depth would it be?"""
        self._proved = setting if isinstance(setting, int) else 1
        self._tried = 0
        self._cut = 0
        """Trials of ``_tried`` that a lost connection ended, this one counted until it is over."""
        self._held = self._calm = self._doubts = 0
        self._trying = False
        if self._proving:
            self._recall(state.get(KEY))

    def begin(self, requests: int) -> int:
        """Return how many of a poll's ``requests`` may be under way at once."""
        self._trying = self._may_try(requests)
        if not self._trying:
            return self._proved
        step = self._next()
        if not self._held:
            self._cut = self._cut + 1 if step == self._tried else 1
            self._tried = step
            self._keep()
        return step

    def note(self, *, sound: bool, held: bool) -> None:
        """Learn how a poll went: answered in full; several requests at once went well."""
        self._calm = self._calm + 1 if sound else 0
        if self._trying and not held:
            self._give_up(self._proved)
        elif self._trying and sound:
            self._holds()
        elif self._proving and self._proved > 1:
            self._doubts = 0 if held else self._doubts + 1
            if self._doubts >= DOUBTS:
                self._give_up(1)

    def _may_try(self, requests: int) -> bool:
        if not self._proving or self._calm < CALM or requests <= self._proved:
            return False
        step = self._next()
        going_on = self._held > 0 or step > self._tried or self._cut < CUT_TRIALS
        return step > self._proved and going_on

    def _next(self) -> int:
        return next((step for step in STEPS if step > self._proved), self._proved)

    def _holds(self) -> None:
        self._held += 1
        if self._held >= TRIALS:
            self._proved, self._held, self._cut = self._tried, 0, 0
            self._keep()

    def _give_up(self, depth: int) -> None:
        """Stay at ``depth`` for good."""
        self._proved, self._tried, self._cut = depth, STEPS[-1], CUT_TRIALS
        self._held = self._doubts = 0
        self._keep()

    def _keep(self) -> None:
        self._state.put(KEY, {"proved": self._proved, "tried": self._tried, "cut": self._cut})

    def _recall(self, kept: object) -> None:
        numbers = list(_numbers(kept))
        if len(numbers) == 3 and numbers[0] in STEPS:
            self._proved, self._tried, self._cut = numbers


def _numbers(kept: object) -> Iterator[int]:
    if isinstance(kept, dict):
        for key in ("proved", "tried", "cut"):
            if type(kept.get(key)) is int:
                yield kept[key]

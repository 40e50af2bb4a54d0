"""When to ask a silent link for its status, and when to give it up."""

import math

ASKED_MOST = 2
"""Requests for link status without any answer after which the link is lost."""


class KeepAlive:
    """Supervises one link; a period of 0 never asks."""

    def __init__(self, period_s: float, timeout_s: float) -> None:
        self._period_s = period_s
        self._timeout_s = timeout_s
        self._asked = 0
        self.due_s = math.inf

    def heard(self, now: float) -> None:
        """Note that a frame came from the other end."""
        self._asked = 0
        self.due_s = now + self._period_s if self._period_s else math.inf

    def stop(self) -> None:
        """Ask no more."""
        self.due_s = math.inf

    def ask(self, now: float) -> bool:
        """Tell whether to ask, now that it is due; False is that the link is lost."""
        self._asked += 1
        if self._asked > ASKED_MOST:
            self.stop()
            return False
        self.due_s = now + self._timeout_s
        return True

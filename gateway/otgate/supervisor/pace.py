"""How patient the supervisor is: back-off, breaker, and the times it allows."""

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Pace:
    """Times in seconds, and how many failures in a row are a loss."""

    first_s: float = 1.0
    """The longest wait before the first new attempt; it doubles with each further one."""
    most_s: float = 60.0
    least_s: float = 0.1
    """The shortest wait, so that no failure is ever a hot loop."""
    breaker: int = 3
    stable_s: float = 10.0
    """A link that answered and lasted this long starts over with the first wait."""
    connect_s: float = 30.0
    close_s: float = 0.8
    """How long a link may take to close, before it is left to itself."""
    catch_up_s: float = 1.0
    """A new link reads at once what would otherwise wait longer than this for its slot."""
    far_s: float = 60.0
    """A scan that failed is tried again before its next slot where that is further off."""
    link_gap_s: float = 0.005
    """Links are opened this far apart at the start, within a second for all of them."""
    tick_s: float = 1.0

    def wait_s(self, attempt: int, rng: random.Random) -> float:
        """Draw the wait before attempt ``attempt`` (from 0): exponential with full jitter."""
        longest_s = min(self.most_s, self.first_s * 2.0 ** min(attempt, 32))
        return max(self.least_s, rng.uniform(0.0, longest_s))

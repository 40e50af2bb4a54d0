"""What happened in a simulation, in order: its last lines, and a digest of all of them."""

from collections import deque
from collections.abc import Callable
from hashlib import sha256

SHOWN = 60


class History:
    """Two runs of one seed have the same digest."""

    def __init__(self, time: Callable[[], float]) -> None:
        self.time = time
        self._digest = sha256()
        self.count = 0
        self.last: deque[str] = deque(maxlen=SHOWN)
        self.violations: list[str] = []

    def note(self, text: str) -> None:
        """Add something that a person wants to read."""
        line = f"{self.time():.3f} {text}"
        self.last.append(line)
        self._add(line.encode())

    def message(self, at_s: float, topic: str, payload: bytes) -> None:
        """Add a message that the broker has for good."""
        self._add(f"{at_s:.6f} {topic} ".encode() + payload)

    def violate(self, invariant: str, what: str) -> None:
        """Add that an invariant did not hold."""
        text = f"{invariant}: {what}"
        if len(self.violations) < SHOWN:
            self.violations.append(f"at {self.time():.3f} s, {text}")
        self.note(f"VIOLATED {text}")

    @property
    def digest(self) -> str:
        return self._digest.hexdigest()

    def _add(self, line: bytes) -> None:
        self.count += 1
        self._digest.update(line + b"\n")

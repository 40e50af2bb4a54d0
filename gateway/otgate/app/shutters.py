"""Why a conduit is shut although its policy would let something cross: stopped, or expired.

What was stopped stays so over restarts. The policy's end is judged by a clock that never goes
back, over restarts too, so that setting the clock back revives nothing.
"""

import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import structlog

from otgate.policy.language import Policy
from otgate.policy.validity import is_expired, warning_due
from otgate.spool.files import OS
from otgate.spool.state_file import StateFile

KEEP_S = 3600.0

EVERY = "*"
"""Stands for every conduit, where what was stopped can no longer be told."""

log = structlog.get_logger()


class Stops:
    """The conduits that somebody stopped, by conduit: who, and when."""

    def __init__(self, directory: Path) -> None:
        self._file = StateFile(directory / "stopped.json", OS)
        self._stopped: dict[str, str] = {}
        self._load()

    def _load(self) -> None:
        try:
            found = json.loads(self._file.read())
            self._stopped = {str(conduit): str(by) for conduit, by in found.items()}
        except FileNotFoundError:
            return
        except (OSError, ValueError, AttributeError) as error:
            log.error("stops_unreadable", error=str(error), every_conduit="stopped")  # noqa: TRY400
            self._stopped = {EVERY: "a file that cannot be read"}

    def why(self, conduit: str) -> str:
        """Return who stopped ``conduit``, or nothing."""
        return self._stopped.get(conduit) or self._stopped.get(EVERY, "")

    def stop(self, conduit: str, by: str) -> None:
        """Take note, for restarts too.

        Raises:
            OSError: it holds until a restart only.
        """
        self._stopped[conduit] = by
        self._save()

    def start(self, conduit: str) -> None:
        """Forget it, and with it the doubt about every other.

        Raises:
            OSError: a restart stops it again.
        """
        self._stopped.pop(conduit, None)
        self._stopped.pop(EVERY, None)
        self._save()

    def _save(self) -> None:
        self._file.write(json.dumps(self._stopped).encode())


class JudgedClock:
    """The system's clock, but never before what was written down an hour ago or earlier.

    It is written down once an hour, so that a leap into the future that is mended within the hour
    leaves no trace.
    """

    def __init__(
        self, directory: Path, clock: Callable[[], int], clock_s: Callable[[], float]
    ) -> None:
        self._file = StateFile(directory / "clock.json", OS)
        self._clock = clock
        self._clock_s = clock_s
        self._kept_s = clock_s()
        self.kept_ns = self._load()
        """A time that had passed already, ns since the Unix epoch; 0 where none is known."""

    def _load(self) -> int:
        try:
            return int(json.loads(self._file.read())["kept_ns"])
        except FileNotFoundError:
            return 0
        except (OSError, ValueError, TypeError, KeyError) as error:
            log.warning("clock_unreadable", error=str(error))
            return 0

    def now_ns(self) -> int:
        """Return the time by which a policy is judged, ns since the Unix epoch."""
        return max(self._clock(), self.kept_ns)

    def keep(self) -> None:
        """Write the time down where an hour has passed; a failure is left for the next call."""
        if self._clock_s() - self._kept_s < KEEP_S:
            return
        now_ns = self.now_ns()
        with suppress(OSError):  # a full disk must not stop the field side
            self._file.write(json.dumps({"kept_ns": now_ns}).encode())
            self._kept_s, self.kept_ns = self._clock_s(), now_ns


class Shutters:
    """Tells of each conduit whether it is shut, and says once how near a policy's end is."""

    def __init__(
        self, directory: Path, clock: Callable[[], int], clock_s: Callable[[], float]
    ) -> None:
        self.stops = Stops(directory)
        self.clock = JudgedClock(directory, clock, clock_s)
        self._warned: int | None = None

    def why(self, policy: Policy, conduit: str) -> str:
        """Return why ``conduit`` is shut, or nothing where it is open."""
        if is_expired(policy, self.clock.now_ns()):
            return f"the policy ended on {policy.valid_until}"
        by = self.stops.why(conduit)
        return f"stopped by {by}" if by else ""

    def look(self, policy: Policy) -> None:
        """Warn, once at each threshold, of the policy's end; keep the clock."""
        self.clock.keep()
        due = warning_due(policy, self.clock.now_ns())
        if due != self._warned and due is not None:
            tell = log.error if due <= 0 else log.warning
            event = "policy_expired" if due <= 0 else "policy_expires"
            tell(event, policy=policy.name, valid_until=policy.valid_until, within_days=due)
        self._warned = due

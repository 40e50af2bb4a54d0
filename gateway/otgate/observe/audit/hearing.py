"""What the audit log takes from the logs: every warning and error, and what else is an edge.

A device that flaps must not push everything else out. Of what is not urgent, the first few of each
kind and device in an hour are recorded one by one, then they are counted.
"""

import time
from collections.abc import Callable, Mapping
from threading import Lock
from typing import Any

from otgate.observe.audit.log import Audit

HOUR_S = 3600.0
ONE_BY_ONE = 10
"""Of one kind and device within an hour."""
MOST_KINDS = 2000
"""Kinds that are told apart within an hour."""

EDGES = frozenset({
    "broker_back", "broker_connected", "conduit_asked", "device_back", "device_usual",
    "identity_known", "keys_changed", "outstation_restarted", "policy_staged", "report_chosen",
    "spool_readable", "spool_writing", "values_move",
})  # fmt: skip
"""Events of level info that are recorded."""

URGENT = frozenset({
    "accepted_unreadable", "conduit_asked", "conduit_open", "conduit_shut", "credential_rotated",
    "keys_changed", "maintenance_asked", "not_yet_allowed", "policy_expired", "policy_staged",
    "reload_refused", "reloaded", "stops_unreadable",
})  # fmt: skip
"""What is on the disk at once, and never merely counted."""

OWN = "audit_"
"""Begins the names of what the audit log itself says."""
LOUD = frozenset({"warning", "error", "critical", "exception"})
UNTOLD = frozenset({"event", "exc_info", "stack_info"})
OF = ("device", "point", "conduit", "broker", "child", "rcb", "uid")
"""Fields that say what an event is about."""


class Hearing:
    """Passes on to an audit log what it is to know of the logs."""

    def __init__(self, audit: Audit, clock_s: Callable[[], float] = time.monotonic) -> None:
        self._audit = audit
        self._clock_s = clock_s
        self._since_s = clock_s()
        self._counts: dict[tuple[str, str], int] = {}
        self._lock = Lock()

    def __call__(self, level: str, event: str, fields: Mapping[str, Any]) -> None:
        """Record an event, count it, or leave it."""
        if event.startswith(OWN) or not (level in LOUD or event in EDGES):
            return
        what = {name: told for name, told in fields.items() if name not in UNTOLD}
        if event in URGENT:
            self._audit.note(event, **what)
        elif self._is_new(event, ", ".join(str(what[name]) for name in OF if name in what)):
            self._audit.hear(event, what)

    def note(self, event: str, about: str, what: Mapping[str, Any]) -> None:
        """Record what may come often, or count it."""
        if self._is_new(event, about):
            self._audit.hear(event, what)

    def count_out(self) -> None:
        """Record what was merely counted."""
        with self._lock:
            counts, self._counts = self._counts, {}
            self._since_s = self._clock_s()
        for (event, about), count in counts.items():
            if count > ONE_BY_ONE:
                more = {"event": event, "of": about, "more": count - ONE_BY_ONE}
                self._audit.hear("repeated", more)

    def _is_new(self, event: str, about: str) -> bool:
        if self._clock_s() - self._since_s >= HOUR_S:
            self.count_out()
        kind = (event, about)
        with self._lock:
            if kind not in self._counts and len(self._counts) >= MOST_KINDS:
                kind = (event, "others")
            count = self._counts[kind] = self._counts.get(kind, 0) + 1
        return count <= ONE_BY_ONE

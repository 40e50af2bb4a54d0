"""What one side shows to whoever asks how it is: metrics and health, on its sockets."""

import socket
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator
from contextlib import AbstractAsyncContextManager
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import Any

from otgate.observe import metrics
from otgate.observe.audit.log import Audit
from otgate.observe.clock import ClockWatch
from otgate.observe.exposition import Found
from otgate.observe.process import of_process
from otgate.observe.scrape import Responder, Source, answering, listened

STUCK_S = 10.0
"""What a write or a save may take before the side is called unhealthy."""


class Measured:
    """Metrics and health of one side: those that both have, and its own."""

    def __init__(
        self,
        side: str,
        own: Callable[[], Awaitable[Iterable[Found]]],
        stuck: Callable[[float], str],
        audit: Audit,
        clock: ClockWatch | None = None,
    ) -> None:
        self._build = version("otgate"), side
        self._own = own
        self._stuck = stuck
        self._audit = audit
        self._clock = clock or ClockWatch()
        self._responder = Responder(Source(self.metrics, self.stuck))

    def stuck(self) -> str:
        """Say why the side does not get on; nothing where it does."""
        return self._stuck(STUCK_S)

    async def metrics(self) -> Iterable[Found]:
        """Return all metrics of the side."""
        shared: list[Found] = [
            (metrics.BUILD, self._build, 1),
            (metrics.HEALTHY, (), int(not self.stuck())),
            *of_process(),
            *self._clock.found(),
            *of_audit(self._audit),
        ]
        return chain(shared, await self._own())

    def served(self, listener: socket.socket) -> AbstractAsyncContextManager[None]:
        """Answer on a unix socket that is bound while the context is open."""
        return answering(listener, self._responder)

    def tasks(self, listen: str) -> list[Coroutine[Any, Any, Any]]:
        """Return what has to run meanwhile; ``listen`` is ``host:port``, or nothing."""
        running: list[Coroutine[Any, Any, Any]] = [self._clock.watch()]
        if listen:
            running.append(listened(*address(listen), self._responder))
        return running


def of_audit(audit: Audit) -> Iterator[Found]:
    """Yield how the side's audit log is."""
    standing, keeping = audit.standing, audit.keeping
    for metric, value in (
        (metrics.AUDIT_RECORDS, audit.written),
        (metrics.AUDIT_LOST, audit.lost),
        (metrics.AUDIT_FAILING, int(bool(audit.error))),
        (metrics.AUDIT_FAILURES, audit.failures),
        (metrics.AUDIT_CHECKPOINT, standing.checkpoint_s),
        (metrics.AUDIT_OLDEST, standing.oldest_s),
        (metrics.AUDIT_KEEP, keeping.keep_s),
        (metrics.AUDIT_SHORTENED, standing.shortened),
        (metrics.AUDIT_DISK, standing.size_bytes),
        (metrics.AUDIT_LIMIT, keeping.size_bytes),
    ):
        if value is not None:
            yield metric, (), value


def metrics_path(control_path: Path) -> Path:
    """Return where a side is scraped: beside its administration socket."""
    return control_path.with_suffix(".metrics.sock")


def address(listen: str) -> tuple[str, int]:
    """Split ``host:port``."""
    host, _, port = listen.rpartition(":")
    return host.strip("[]"), int(port)

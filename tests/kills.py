"""A whole gateway under load whose processes are killed at random moments, and what it cost."""

import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from brokers import Mosquitto, free_port
from daemons import Process, events, said
from evidence import Audit, Listener
from fast_modbus import load
from loaded_site import Load
from otgate.app.parent import STABLE_S
from otgate.spool.reader import SAVE_AFTER

FRAME_SAMPLES = 100
WINDOW_MESSAGES = 20
"""The publisher's default window: what is under way at most."""
READ_WINDOW = (SAVE_AFTER + WINDOW_MESSAGES) * FRAME_SAMPLES
"""Samples that a kill of the bus side may repeat at most."""


class Side(StrEnum):
    """Whom a kill meets."""

    FIELD = "field"
    BUS = "bus"
    BOTH = "both"
    PARENT = "parent"


VICTIMS = {Side.FIELD: ["run"], Side.BUS: ["bus"], Side.BOTH: ["run", "bus"]}
"""Children by their verb."""


@dataclass(frozen=True, slots=True)
class Kill:
    """One kill and what a subscriber saw of it."""

    side: Side
    duplicates: int
    news_after_s: float
    """From the kill to the first new sample at the subscriber."""
    mature: bool
    """Whether the victims had lived so long that the parent starts them after 0.2 s."""


@dataclass
class Gateway:
    """A running gateway: its processes, its subscriber and the audit of its spool."""

    site: Path
    process: Process
    listener: Listener
    audit: Audit
    seed: random.Random
    kills: list[Kill] = field(default_factory=list)
    _born_s: dict[str, float] = field(default_factory=dict)

    def kill(self, side: Side) -> Kill:
        """Kill ``side``, wait for the first new sample, and return what it cost."""
        self._await_children()
        before = self.listener.duplicates
        mature = self._lived_s(side) >= STABLE_S
        begun = time.monotonic()
        self._strike(side)
        self.listener.await_news(self._settled())
        took_s = time.monotonic() - begun
        self._await_children()
        done = Kill(side, self.listener.duplicates - before, took_s, mature)
        self.kills.append(done)
        return done

    def hold_up(self, seconds: float) -> None:
        """Let the bus side do nothing for a while, so that it finds a backlog."""
        bus = self.process.children["bus"]
        os.kill(bus, signal.SIGSTOP)
        time.sleep(seconds)
        os.kill(bus, signal.SIGCONT)

    def status(self, side: str) -> dict[str, Any]:
        return said(self.site, "field" if side == "run" else "bus-analytics")

    def stop(self) -> None:
        """Stop in good order, so that everything spooled is delivered, and compare the rest."""
        self.audit.compare()
        assert self.process.stop() == 0
        self.audit.compare()

    def _strike(self, side: Side) -> None:
        now_s = time.monotonic()
        if side is Side.PARENT:
            self.process.kill()
            self._born_s = dict.fromkeys(("run", "bus"), now_s)
            self.process.start()
            return
        for verb in VICTIMS[side]:
            with suppress(ProcessLookupError):
                os.kill(self.process.children[verb], signal.SIGKILL)
            self._born_s[verb] = now_s

    def _settled(self) -> int:
        """Return how many samples have come, once none comes that was sent before the kill."""
        time.sleep(0.05)
        return self.listener.received

    def _lived_s(self, side: Side) -> float:
        verbs = VICTIMS.get(side, [])
        return min((time.monotonic() - self._born_s.get(verb, 0.0) for verb in verbs), default=1e9)

    def _await_children(self, limit_s: float = 30.0) -> None:
        until = time.monotonic() + limit_s
        while len(self.process.children) < 2:
            assert time.monotonic() < until, self.process.log.read_text()[-2000:]
            time.sleep(0.02)


@contextmanager
def gateway(folder: Path, sizes: Load, seed: int) -> Iterator[Gateway]:
    """Run a gateway with load, broker, subscriber and audit."""
    with load(sizes.modbus_port), Mosquitto(folder / "broker") as broker:
        site = sizes.write(folder / "site", broker.port)
        with Listener(broker.port) as listener:
            arguments = ["run", site, "--log", "json"]
            with Process(site / "run.log", *arguments) as process:
                audit = Audit(site / "spool" / "analytics", folder / "audit", listener)
                listener.await_news(0)
                yield Gateway(site, process, listener, audit, random.Random(seed))
                audit.close()


def modest(folder: Path, **sizes: Any) -> Load:
    """Return a load that two busy cores carry: 2,000 samples a second in frames of 100.

    Nothing is replayed after a restart, so that duplicates are those of the kill.
    """
    return Load(free_port(), **{"registers": FRAME_SAMPLES, "replay_s": 0.0, **sizes})


def troubles(log: Path) -> list[str]:
    """Return what was logged as a warning or an error, but for what the parent says of kills."""
    return [
        f"{told['side']}: {told['event']}"
        for told in events(log)
        if told["level"] in {"warning", "error"} and told["event"] != "side_died"
    ]


def percentile(numbers: Sequence[float], share: float) -> float:
    """Return the number that ``share`` of them do not exceed; 0 of none."""
    ordered = sorted(numbers)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def figures(kills: Sequence[Kill], audit: Audit) -> dict[str, Any]:
    """Return what a report says of a run."""
    mature = [kill.news_after_s for kill in kills if kill.mature]
    young = [kill.news_after_s for kill in kills if not kill.mature]
    repeated = [kill.duplicates for kill in kills]
    return {
        "kills": dict(Counter(str(kill.side) for kill in kills)),
        "samples": audit.samples,
        "lost": len(audit.unheard),
        "different": len(audit.different),
        "duplicates": {
            "max": max(repeated, default=0),
            "p50": percentile(repeated, 0.5),
            "p99": percentile(repeated, 0.99),
            "read_window": READ_WINDOW,
        },
        "restart_to_first_publish_s": {
            "p50": round(percentile(mature, 0.5), 3),
            "p99": round(percentile(mature, 0.99), 3),
            "max": round(max(mature, default=0.0), 3),
            "after_young_deaths_max": round(max(young, default=0.0), 3),
        },
    }

"""Files made to hurt, at the reload of a field side that runs: refused, and polls go on."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from daemons import Process, events, resident_mb, running, said, simulated, wait_until, write_site
from hostile import LARGE, QUICK, Hostile
from otgate.errors import Refused
from otgate.observe.control import ask

pytestmark = pytest.mark.lab

HEAVY = (
    "100 MB of policy", "aliases", "keys", "rows", "words against words", "one row",
    "a secret without end",
)  # fmt: skip
"""What takes longest, or most, to refuse."""
MORE_MB = 150


@dataclass
class Gateway:
    """A field side that runs."""

    site: Path
    process: Process

    @property
    def status(self) -> Mapping[str, Any]:
        return said(self.site, "field")

    @property
    def scans(self) -> int:
        scans: int = self.status["devices"]["f1"]["scans"]
        return scans

    def has_read_since(self, scans: int) -> bool:
        return self.scans > scans

    @property
    def holding(self) -> tuple[str, str, int]:
        """What decides now, and how much crosses by it."""
        status = self.status
        crossing = status["conduits"]["analytics"]["crossing_points"]
        return status["policy_hash"], status["map_hash"], crossing

    def reload(self) -> str:
        """Ask for a reload that lets more cross; return why it is refused."""
        try:
            ask(self.site / "run" / "field.sock", "reload", timeout_s=120, allow_gain=True)
        except Refused as refused:
            return str(refused)
        return ""

    def fed(self, hostile: Hostile) -> str:
        """Reload with a hostile file in place; return why it is refused, and put it back."""
        file = self.site / hostile.file
        before = file.read_bytes()
        file.write_bytes(hostile.content)
        try:
            return self.reload()
        finally:
            file.write_bytes(before)


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    site = write_site(tmp_path / "site", 1883)
    with simulated(site) as endpoints, running(site, endpoints, "--field") as process:
        made = Gateway(site, process)
        wait_until(lambda: made.status.get("devices") and made.scans > 2, process.log)
        yield made


def withstands(gateway: Gateway, hostile: Mapping[str, Hostile]) -> None:
    """Check that each file is refused by its code while scans go on, and nothing else changes."""
    holding = gateway.holding
    for name, one in hostile.items():
        scans = gateway.scans
        assert f"[{one.code}]" in gateway.fed(one), name
        wait_until(partial(gateway.has_read_since, scans), gateway.process.log)
        assert gateway.holding == holding, name
    told = events(gateway.process.log)
    assert {one["event"] for one in told} & {"device_lost", "reloaded"} == set()
    assert gateway.status["devices"]["f1"]["state"] == "good"
    assert "Traceback" not in gateway.process.log.read_text()
    assert gateway.reload() == "", "what is right is taken up again"


def test_what_is_small_and_hostile_changes_nothing_of_what_runs(gateway: Gateway) -> None:
    withstands(gateway, QUICK)


@pytest.mark.slow
def test_what_is_large_and_hostile_costs_no_poll_its_device_and_little_memory(
    gateway: Gateway,
) -> None:
    before = resident_mb(gateway.process.pid)
    withstands(gateway, {name: LARGE[name] for name in HEAVY})
    assert resident_mb(gateway.process.pid) < before + MORE_MB

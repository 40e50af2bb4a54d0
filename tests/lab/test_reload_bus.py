"""Bus files that are edited while both sides run, and taken up by `otgate reload`."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from brokers import Mosquitto, broker
from daemons import Process, published, running, said, simulated, wait_until, write_site
from evidence import Listener, Number

__all__ = ["broker"]

pytestmark = pytest.mark.lab


@pytest.fixture
def site(tmp_path: Path, broker: Mosquitto) -> Path:
    return write_site(tmp_path / "site", broker.port)


@pytest.fixture
def gateway(site: Path) -> Iterator[Process]:
    with simulated(site) as endpoints, running(site, endpoints) as process:
        wait_until(lambda: published(site) > 10, process.log)
        yield process


def reload(path: Path, code: int = 0) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "otgate", "reload", path],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    return done.stdout + done.stderr


def edit(path: Path, old: str, new: str) -> str:
    before = path.read_text()
    assert old in before
    path.write_text(before.replace(old, new))
    return before


def test_a_bus_side_moves_to_another_broker_and_no_sample_is_lost(
    site: Path, gateway: Process, broker: Mosquitto, tmp_path: Path
) -> None:
    field_side = gateway.children["run"]
    file = site / "bus" / "analytics.yaml"
    with (
        Mosquitto(tmp_path / "other") as other,
        Listener(broker.port) as before,
        Listener(other.port) as after,
    ):
        before.await_news(20)
        edit(file, str(broker.port), str(other.port))
        told = reload(site)
        assert "bus side analytics started again: brokers changed" in told
        after.await_news(20)
        assert missing({*before.heard, *after.heard}) == []
        edit(file, "conduit: analytics", "conduit: analytics\nwindow: 7\nbatch: {max_points: 50}")
        assert "max_points, window changed" in reload(file)
        after.await_news(after.received + 20)
        assert missing({*before.heard, *after.heard}) == []
    assert gateway.children["run"] == field_side
    assert "started again" not in reload(site)
    assert "Traceback" not in gateway.log.read_text()


def missing(heard: set[Number]) -> list[Number]:
    """Return the numbers that nobody heard between those that somebody did."""
    lanes = {(lane, epoch) for lane, epoch, _ in heard}
    spans = {one: [seq for *of, seq in heard if tuple(of) == one] for one in lanes}
    every = {(*one, seq) for one, seqs in spans.items() for seq in range(min(seqs), max(seqs))}
    return sorted(every - heard)


WRONG = (
    ("conduit: analytics", "conduit: analytics\nwindow: none", "analytics.yaml:3:9"),
    ("conduit: analytics", "conduit: analytics\nstate: elsewhere", "state changed, which takes"),
    ("conduit: analytics", "conduit: analytics\nusername: a\npassword: {credential: no}", "`no`"),
)


def test_what_a_bus_side_cannot_take_up_is_refused_and_changes_nothing(
    site: Path, gateway: Process
) -> None:
    children = gateway.children
    before = said(site, "field")["policy_hash"]
    edit(site / "policy.yaml", "version: 1}", "version: 2}")
    file = site / "bus" / "analytics.yaml"
    for old, new, why in WRONG:
        text = edit(file, old, new)
        assert why in reload(site, 1)
        file.write_text(text)
    assert (gateway.children, said(site, "field")["policy_hash"]) == (children, before)
    first = published(site)
    wait_until(lambda: published(site) > first, gateway.log)
    reload(site)
    assert said(site, "field")["policy_hash"] != before

"""The bus side before there is anything to publish."""

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from daemons import write_site
from otgate.app import bus
from otgate.config.bus import load_bus


async def test_a_spool_that_is_waited_for_is_named_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bus, "SPOOL_LIMIT_S", 0.1)
    file, _ = load_bus(write_site(tmp_path, 1883) / "bus" / "analytics.yaml")
    assert file is not None
    with capture_logs() as logs:
        await bus.places_made(file)
        file.spool.mkdir(parents=True)
        await bus.places_made(file)
    told = [(one["event"], one["spool"]) for one in logs]
    assert told == [("spool_awaited", str(file.spool))]


def test_a_bus_side_that_is_put_elsewhere_takes_its_audit_log_along(tmp_path: Path) -> None:
    path = write_site(tmp_path, 1883) / "bus" / "analytics.yaml"
    file, _ = load_bus(path)
    assert file is not None
    moved = file.at(tmp_path / "spool2", tmp_path / "state2")
    assert (moved.spool, moved.state) == (tmp_path / "spool2", tmp_path / "state2")
    assert moved.audit.directory == tmp_path / "state2" / "audit"
    path.write_text(path.read_text() + "audit: {directory: ../log}\n")
    own, _ = load_bus(path)
    assert own is not None
    assert own.at(own.spool, tmp_path / "state2").audit.directory == own.audit.directory

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

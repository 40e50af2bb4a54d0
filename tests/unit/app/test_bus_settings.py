from pathlib import Path

from otgate.app.bus import settings
from otgate.config.bus import load_bus
from otgate.publish.settings import BusSettings, Keys, read_broker
from sites import BUS


def test_a_bus_file_that_says_nothing_publishes_as_the_publisher_does_by_itself(
    tmp_path: Path,
) -> None:
    path = tmp_path / "analytics.yaml"
    path.write_text(BUS)
    bus, _ = load_bus(path)
    assert bus is not None
    broker, _ = read_broker(bus.brokers[0])
    assert settings(bus, Keys()) == BusSettings((broker,), client_id="")

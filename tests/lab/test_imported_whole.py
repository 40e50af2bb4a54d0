"""Files of other tools as their user goes on: imported, checked, simulated, run, watched."""

from pathlib import Path

import pytest

from brokers import Mosquitto, broker
from daemons import Process, events, running, simulated, wait_until
from foreign_files import FOLDER
from otgate.cli import main
from otgate.config.site import load_site
from otgate.driver import installed

__all__ = ["broker"]

pytestmark = [pytest.mark.lab, pytest.mark.slow]

BUS = 'config_version: 1\nconduit: operations\nbrokers: ["mqtt://127.0.0.1:{port}"]\n'
WORDS = {
    "table": [str(FOLDER / "list.csv"), "--mapping", str(FOLDER / "list.yaml")],
    "neuron": [str(FOLDER / "neuron.csv"), "--url", "tcp://10.0.0.5"],
    "dnp3-profile": [str(FOLDER / "profile.xml")],
}


def imported(folder: Path, broker: Mosquitto, name: str) -> Path:
    """Import a file as a whole site, and let its points leave."""
    assert main(["import", name, *WORDS[name], "--output", str(folder), "--site", "lab"]) == 0
    text = (folder / "site.yaml").read_text("utf-8")
    defaults = "defaults: {sensitivity: internal}\nspool: {directory: spool, size_mb: 16}\npolicy:"
    (folder / "site.yaml").write_text(text.replace("policy:", defaults), "utf-8")
    (folder / "bus").mkdir()
    (folder / "bus" / "operations.yaml").write_text(BUS.format(port=broker.port))
    return folder


def points_of(site: Path) -> set[tuple[str, str]]:
    outcome = load_site(site / "site.yaml", installed())
    assert outcome.site is not None, outcome.diagnostics
    return {(device.id, point.id) for device in outcome.site.devices for point in device.points}


def good(watched: Path) -> set[tuple[str, str]]:
    """Return the points of which a good sample has come."""
    return {
        (one["device"], one["point"])
        for one in events(watched)
        if "point" in one and one["quality"] == ["good"]
    }


@pytest.mark.parametrize("name", WORDS)
def test_every_point_that_was_imported_arrives(
    tmp_path: Path, broker: Mosquitto, name: str
) -> None:
    site = imported(tmp_path / "site", broker, name)
    assert main(["check", str(site)]) == 0
    wanted, watched = points_of(site), tmp_path / "watched"
    watching = Process(watched, "watch", broker.url, "--json", "--for", "60")
    with watching, simulated(site) as endpoints, running(site, endpoints) as gateway:
        wait_until(lambda: wanted <= good(watched), gateway.log, watched, limit_s=40)

"""A running field side that is told to read what is hostile: refused, and nothing changes."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from brokers import Mosquitto, broker
from daemons import running, said, simulated, wait_until, write_site
from hostile import LARGE, QUICK, Hostile
from otgate.errors import Refused
from otgate.observe.control import ask

__all__ = ["broker"]

pytestmark = pytest.mark.lab


@pytest.fixture
def gateway(tmp_path: Path, broker: Mosquitto) -> Iterator[Path]:
    site = write_site(tmp_path / "site", broker.port)
    with simulated(site) as endpoints, running(site, endpoints) as process:
        wait_until(lambda: said(site, "bus-analytics").get("samples", 0) > 10, process.log)
        yield site


def reload(site: Path) -> None:
    ask(site / "run" / "field.sock", "reload", timeout_s=60, allow_gain=True)


def standing(site: Path) -> list[object]:
    told = said(site, "field")
    crossing = told["conduits"]["analytics"]["crossing_points"]
    return [crossing, told["policy_hash"], told["map_hash"]]


def refuse(site: Path, hostile: Hostile) -> int:
    """Have a file refused; return how often the field side answered while it read it."""
    good = (site / hostile.file).read_bytes()
    (site / hostile.file).write_bytes(hostile.content)
    answered = 0
    with ThreadPoolExecutor(1) as aside:
        asked = aside.submit(reload, site)
        while not asked.done():
            answered += bool(said(site, "field"))
        with pytest.raises(Refused, match=rf"\[{hostile.code}\](.|\n)*--> \S*{hostile.file}:\d"):
            asked.result()
    (site / hostile.file).write_bytes(good)
    return answered


def test_nothing_hostile_changes_what_runs(gateway: Path) -> None:
    before, scans = standing(gateway), said(gateway, "field")["devices"]["f1"]["scans"]
    for hostile in QUICK.values():
        refuse(gateway, hostile)
        assert standing(gateway) == before
    devices = said(gateway, "field")["devices"]
    assert devices["f1"]["scans"] > scans
    assert devices["f1"]["state"] == "good"
    assert "Traceback" not in (gateway / "run.log").read_text()


@pytest.mark.slow
def test_the_field_side_goes_on_while_it_reads_what_is_large_and_wrong(gateway: Path) -> None:
    before = standing(gateway)
    assert min(refuse(gateway, LARGE[name]) for name in ("rows", "words")) > 3
    assert standing(gateway) == before

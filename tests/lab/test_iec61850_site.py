"""An imported SCL file, the simulated IED of the same file, and the driver between them."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ied_served import Disk, talking, until
from ieds import CID, bay
from otgate.cli import main
from otgate.config.site import check_sites
from otgate.model import Device
from otgate.testing.contract import Remembered
from otgate_iec61850 import Iec61850


def imported(folder: Path) -> Device:
    assert main(["import", "scl", str(CID), "--output", str(folder), "--site", "lab"]) == 0
    (outcome,) = check_sites([folder / "site.yaml"], {"iec61850": Iec61850()})
    assert outcome.site is not None, outcome.diagnostics
    (device,) = outcome.site.devices
    return device


def newest(disk: Disk, made: Device) -> Mapping[str, tuple[Any, int]]:
    return disk.samples(made)


async def test_every_imported_point_is_reported_or_polled_and_good(tmp_path: Path) -> None:
    server, made = bay(), imported(tmp_path)
    async with server.serving():
        url = f"mms://127.0.0.1:{server.port}"
        made = replace(made, settings=made.settings.model_copy(update={"url": url}))
        async with talking(made, Remembered()) as talk:
            await until(lambda: all(each.settled.is_set() for each in talk.session.subscriptions))
            for name in talk.plan:
                await talk.scan(name)
            found = newest(talk.disk, made)
            assert set(found) == {point.id for point in made.points}
            assert {name for name, (_, quality) in found.items() if quality} == set()
            covered = set[int]().union(*(each.covered for each in talk.session.subscriptions))
            assert len(covered) > 30


def test_its_reports_are_those_that_the_file_means_for_nobody_else(tmp_path: Path) -> None:
    made = imported(tmp_path)
    assert len(made.settings.reports) == 5
    assert Path(made.settings.scl) == CID.resolve() or Path(made.settings.scl).samefile(CID)

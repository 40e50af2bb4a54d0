"""A reload beside the loop: what is compiled where, and what stays the very same."""

import threading
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from daemons import write_site
from otgate.app import egress as module
from otgate.app.administration import Administration, fit
from otgate.app.egress import Egress
from otgate.app.maintenance import Maintenance
from otgate.app.shutters import Shutters
from otgate.config.site import Loaded, Site, load_site
from otgate.driver import installed
from otgate.observe.control import Request
from otgate.policy.gate import compile_gates
from otgate.supervisor import Supervisor

TWO = """\
  analytics: {from: [bay], to: it, ceiling: internal}
  billing: {from: [bay], to: it, ceiling: internal}
"""


@dataclass
class Plant:
    """A site with two conduits whose devices nobody reads, and its administration."""

    folder: Path
    egress: Egress
    administration: Administration
    compiled: list[int]
    """The threads in which gates were compiled."""

    def change(self, name: str, old: str, new: str) -> None:
        path = self.folder / name
        assert old in path.read_text()
        path.write_text(path.read_text().replace(old, new))

    def gate(self, conduit: str) -> object:
        return next(way.gate for way in self.egress.ways if way.conduit == conduit)


def read(folder: Path) -> Loaded:
    return load_site(folder / "site.yaml", installed())


def site_of(folder: Path) -> Site:
    loaded = read(folder)
    assert loaded.site is not None, loaded.diagnostics
    return loaded.site


@pytest.fixture
async def plant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Plant]:
    folder = write_site(tmp_path / "site", 1883)
    policy = folder / "policy.yaml"
    text = policy.read_text().replace(TWO.splitlines(keepends=True)[0], TWO)
    policy.write_text(text.replace("conduits: [analytics], ", ""))
    compiled: list[int] = []

    def noted(*given: object) -> object:
        compiled.append(threading.get_ident())
        return compile_gates(*given)  # type: ignore[arg-type]  # as it was called

    monkeypatch.setattr(module, "compile_gates", noted)
    site = site_of(folder)
    shutters = Shutters(site.state_directory, time.time_ns, time.monotonic)
    egress = Egress(site, time.time_ns, shutters.why)
    egress.swap(site)
    supervisor = Supervisor(
        site.devices,
        installed(),
        egress.outlet,
        clock=time.time_ns,
        states=site.state_directory / "devices",
        plans=site.plans,
    )
    maintenance = Maintenance(site.state_directory)
    administration = Administration(
        egress, site, supervisor, shutters, maintenance, lambda: read(folder)
    )
    compiled.clear()
    yield Plant(folder, egress, administration, compiled)
    egress.close()


async def test_gates_are_compiled_beside_the_loop(plant: Plant) -> None:
    plant.change("policy.yaml", "version: 1}", "version: 2}")
    await plant.administration.reload(Request({}, 0))
    await plant.administration.start(Request({"conduit": "billing"}, 0))
    device = {"device": "f1", "maintenance": "on"}
    await plant.administration.maintain(Request(device, 0))
    assert len(plant.compiled) == 3
    assert threading.get_ident() not in plant.compiled


async def test_a_stop_compiles_nothing_and_leaves_other_conduits_as_they_are(plant: Plant) -> None:
    analytics, billing = plant.gate("analytics"), plant.gate("billing")
    plant.administration.stop(Request({"conduit": "billing"}, 0))
    assert plant.compiled == []
    assert plant.gate("analytics") is analytics
    assert plant.gate("billing") is not billing
    assert plant.egress.why_shut("billing")
    await plant.administration.start(Request({"conduit": "billing"}, 0))
    assert not plant.egress.why_shut("billing")
    counts = [len(way.gate.crossing) for way in plant.egress.ways]
    assert counts == [8, 8]


async def test_what_a_reload_reads_again_and_finds_the_same_is_the_very_same(plant: Plant) -> None:
    before = site_of(plant.folder)
    plant.change("site.yaml", "10.0.0.6", "10.0.0.7")
    f1, f2 = fit(read(plant.folder), before, before).devices
    assert f1 is before.devices[0]
    assert f2 is not before.devices[1]
    assert fit(read(plant.folder), before, before).plans["f1"] is before.plans["f1"]

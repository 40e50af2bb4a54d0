"""The verb `trace` of a field side, over a real egress and a supervisor that reads nothing yet."""

import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from daemons import write_site
from otgate.app.egress import Egress
from otgate.app.tracing import trace_point
from otgate.config.site import Site, load_site
from otgate.driver import installed
from otgate.errors import Refused
from otgate.model import Batch, Origin, ValueType
from otgate.observe.control import Request
from otgate.policy.language import Policy
from otgate.supervisor import Supervisor


class Side:
    """A field side that has no connection yet."""

    def __init__(self, folder: Path) -> None:
        self.folder = write_site(folder, 1883)
        self.shut = ""
        self.begin()

    def begin(self) -> None:
        site = self.site()
        self.egress = Egress(site, time.time_ns, self._why)
        self.egress.swap(site)
        self.supervisor = Supervisor(
            site.devices,
            installed(),
            self.egress.outlet,
            clock=time.time_ns,
            states=None,
            plans=site.plans,
        )

    def site(self) -> Site:
        found = load_site(self.folder / "site.yaml", installed()).site
        assert found is not None
        return found

    def _why(self, _: Policy, __: str) -> str:
        return self.shut

    def change(self, name: str, old: str, new: str) -> None:
        self.egress.close()
        path = self.folder / name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))
        self.begin()

    def reads(self, *values: float) -> None:
        """Take values of the first points of f1 as a scan does."""
        watch = self.supervisor._watches["f1"]
        index, zeros = np.arange(len(values), dtype=np.int32), np.zeros(len(values), np.uint32)
        column = np.array(values)
        watch.take(Batch("f1", ValueType.F64, Origin.POLL, index, column, zeros, time.time_ns()))

    def asked(self, path: str) -> Any:
        device, _, point = path.partition("/")
        given = {"device": device, "point": point}
        return trace_point(self.egress, self.supervisor, Request(given, 0))

    def conduit(self, path: str) -> Any:
        return self.asked(path)["conduits"]["analytics"]


@pytest.fixture
async def side(tmp_path: Path) -> AsyncIterator[Side]:
    made = Side(tmp_path / "site")
    yield made
    made.egress.close()


async def test_a_point_that_was_read_is_told_with_what_was_passed_on(side: Side) -> None:
    side.reads(12.5, 13.5)
    about = side.asked("f1/ib")["about"]
    assert (about["value"], about["sent_value"], about["quality"]) == (13.5, 13.5, ("good",))


async def test_a_point_that_was_never_read_has_no_value(side: Side) -> None:
    about = side.asked("f1/ia")["about"]
    assert (about["value"], about["sent_quality"], about["read_ns"]) == (None, None, 0)
    assert "not_yet_read" in about["quality"]


async def test_the_device_and_its_scan_are_told(side: Side) -> None:
    told = side.asked("f1/ia")
    assert (told["state"], told["calculated"], told["maintenance"]) == ("starting", False, False)
    [scan] = told["scans"]
    assert (scan["name"], scan["period_s"], scan["at_ns"]) == ("fast", 0.1, 0)
    assert told["map_hash"] == side.site().map_hash


async def test_the_gate_in_force_decides(side: Side) -> None:
    assert side.conduit("f1/ia")["crosses"]
    denied = side.conduit("f1/secret")
    assert (denied["crosses"], denied["because"]) == (False, "denied by no-relay")


async def test_a_conduit_that_is_shut_carries_nothing_and_says_why(side: Side) -> None:
    side.shut = "stopped by ada"
    side.egress.shut_or_open()
    told = side.conduit("f1/ia")
    assert (told["crosses"], told["shut"]) == (False, "stopped by ada")


async def test_a_sample_that_the_gate_keeps_back_is_told(side: Side) -> None:
    allow = "match: {tags_all: [feeder]},"
    side.change("policy.yaml", allow, f"{allow} limits: {{min_interval_s: 60}},")
    for value in (1.0, 2.0):
        side.reads(value)
    told = side.conduit("f1/ia")
    assert (told["kept_back"], told["min_interval_s"]) == (True, 60)
    assert not side.conduit("f1/ib")["kept_back"]


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("f9/ia", "no device `f9`: known: `f1`, `f2`"),
        ("f1/iz", "no point `iz`: known: `cb`, `ia`"),
        ("f1/", "no point ``"),
    ],
)
async def test_a_name_that_is_not_known_is_refused_with_what_was_meant(
    side: Side, path: str, says: str
) -> None:
    with pytest.raises(Refused, match=says):
        side.asked(path)


async def test_nonsense_for_names_is_refused(side: Side) -> None:
    for given in ({}, {"device": 7, "point": []}, {"device": None}):
        with pytest.raises(Refused, match="no device"):
            trace_point(side.egress, side.supervisor, Request(given, 0))


async def test_asking_passes_nothing_on(side: Side) -> None:
    side.reads(1.0)
    before = side.supervisor.status()["f1"]
    side.asked("f1/ia")
    after = side.supervisor.status()["f1"]
    assert (after.passed, after.suppressed) == (before.passed, before.suppressed)

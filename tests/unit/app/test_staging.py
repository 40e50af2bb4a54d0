"""A policy that is judged beside the running one."""

import asyncio
from pathlib import Path

import numpy as np
import pytest

from daemons import POLICY, write_site
from otgate.app.egress import Egress
from otgate.app.staging import Staging
from otgate.config.site import load_site
from otgate.driver import installed
from otgate.errors import Refused
from otgate.model import Batch, Origin, ValueType

WIDE = POLICY.replace("tags_all: [feeder]", "kind: [measurement]").replace(
    "  - {name: no-relay, effect: deny, match: {tags_any: [protection]}, why: a test}\n", ""
)
IA, SECRET = 0, 5


@pytest.fixture
def egress(tmp_path: Path) -> Egress:
    loaded = load_site(write_site(tmp_path / "site", 1883) / "site.yaml", installed())
    assert loaded.site is not None
    made = Egress(loaded.site, lambda: 7, lambda *_: "")
    made.swap(loaded.site)
    return made


def measured(*points: int) -> Batch:
    index = np.array(points, np.int32)
    zeros = np.zeros(len(points), np.uint32)
    return Batch("f1", ValueType.F64, Origin.POLL, index, index * 1.0, zeros, 7)


async def until_staged(egress: Egress) -> None:
    async with asyncio.timeout(20):
        while egress.outlet.shadow is None:  # noqa: ASYNC110  it has no event for it
            await asyncio.sleep(0.005)


async def test_it_counts_what_would_cross_and_lets_nothing_cross(egress: Egress) -> None:
    staging = Staging(egress.outlet)
    asked = asyncio.ensure_future(staging.stage(egress.site, "new.yaml", WIDE, 0.3))
    await until_staged(egress)
    egress.outlet(measured(IA, SECRET))
    told = await asked
    conduit = told["conduits"]["analytics"]
    assert (told["samples_seen"], conduit["samples"], conduit["points"]) == (2, 1, 6)
    ways = {one["path"]: one["way"] for one in conduit["named"]}
    assert ways["f1/secret"] == "gains"
    assert ways["f1/cb"] == "loses"
    assert sum(way.spool.status().samples["data"] for way in egress.ways) == 1
    assert egress.outlet.shadow is None
    egress.close()


async def test_a_policy_with_errors_is_refused_with_its_place(egress: Egress) -> None:
    wrong = POLICY.replace("tags_all: [feeder]", "tags_all: [feedr]")
    with pytest.raises(Refused, match=r"unknown tag `feedr`(.|\n)*new.yaml:8"):
        await Staging(egress.outlet).stage(egress.site, "new.yaml", wrong, 0.1)
    assert egress.outlet.shadow is None
    egress.close()


@pytest.mark.parametrize("for_s", [0, -1, 61, float("nan"), float("inf")])
async def test_it_is_bounded_in_time(egress: Egress, for_s: float) -> None:
    with pytest.raises(Refused, match="at most 60 seconds"):
        await Staging(egress.outlet).stage(egress.site, "new.yaml", WIDE, for_s)
    egress.close()


async def test_one_at_a_time(egress: Egress) -> None:
    staging = Staging(egress.outlet)
    first = asyncio.ensure_future(staging.stage(egress.site, "new.yaml", WIDE, 0.2))
    await until_staged(egress)
    with pytest.raises(Refused, match="another policy is staged"):
        await staging.stage(egress.site, "new.yaml", WIDE, 0.2)
    await first
    egress.close()


async def test_a_reload_ends_it(egress: Egress) -> None:
    staging = Staging(egress.outlet)
    asked = asyncio.ensure_future(staging.stage(egress.site, "new.yaml", WIDE, 0.2))
    await until_staged(egress)
    egress.swap(egress.site)
    egress.outlet(measured(IA))
    with pytest.raises(Refused, match="reloaded meanwhile"):
        await asked
    egress.close()

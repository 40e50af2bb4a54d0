"""Gates and spools swapped while samples flow, on real spools."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from daemons import write_site
from otgate.app.egress import Egress
from otgate.config.site import Site, load_site
from otgate.driver import installed
from otgate.errors import SpoolUnusable
from otgate.model import Batch, Lane, Origin, ValueType
from otgate.policy.language import Policy
from otgate.spool.items import Epoch, Frame
from otgate.spool.reader import SpoolReader

IA, IB, TRIP, SECRET = 0, 1, 4, 5
"""Points of the site's devices, by their places in its map."""


class Outside:
    """A site whose files change, its egress, and a reader of its spool."""

    def __init__(self, folder: Path) -> None:
        self.folder = write_site(folder, 1883)
        self.shut: dict[str, str] = {}
        self.now_ns = 1_763_765_412_000_000_000
        self.egress = Egress(self.site(), lambda: self.now_ns, self._why)
        self.egress.swap(self.egress.site)
        self.reader = SpoolReader.open(self.folder / "spool" / "analytics", folder / "cursor")

    def _why(self, _: Policy, conduit: str) -> str:
        return self.shut.get(conduit, "")

    def site(self) -> Site:
        loaded = load_site(self.folder / "site.yaml", installed())
        assert loaded.site is not None, loaded.diagnostics
        return loaded.site

    def change(self, name: str, old: str, new: str) -> None:
        path = self.folder / name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))
        self.egress.swap(self.site())

    def measure(self, *points: int, device: str = "f1") -> None:
        self.now_ns += 1_000_000_000
        index = np.array(points, np.int32)
        zeros = np.zeros(len(points), np.uint32)
        self.egress.outlet(
            Batch(device, ValueType.F64, Origin.POLL, index, index * 1.0, zeros, self.now_ns)
        )

    def crossed(self) -> list[tuple[int, list[str]]]:
        """Return what has crossed since the last time: epochs as they came, ids in each frame."""
        for way in self.egress.ways:
            way.spool.close()
        found: list[tuple[int, list[str]]] = []
        for item in self.reader.read(Lane.DATA, 10_000):
            assert isinstance(item, Frame | Epoch)
            if isinstance(item, Frame):
                found.append((item.epoch, item.catalog.ids[item.batch.index].tolist()))
        return found


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Outside]:
    made = Outside(tmp_path / "site")
    yield made
    made.reader.close()
    made.egress.close()


def test_samples_before_and_after_a_swap_are_whole_and_under_their_own_catalog(
    outside: Outside,
) -> None:
    outside.measure(IA, IB, SECRET)
    outside.change("policy.yaml", "tags_all: [feeder]}", 'tags_all: [feeder], point: ["*/ib"]}')
    outside.measure(IA, IB, SECRET)
    (before, first), (after, second) = outside.crossed()
    assert (first, second) == (["ia", "ib"], ["ib"])
    assert before < after


def test_a_swap_to_the_same_opens_no_new_epoch(outside: Outside) -> None:
    outside.measure(IA)
    outside.egress.swap(outside.site())
    outside.measure(IB)
    assert len({epoch for epoch, _ in outside.crossed()}) == 1


def test_a_conduit_that_is_shut_carries_nothing_until_it_is_open(outside: Outside) -> None:
    outside.measure(IA)
    outside.shut["analytics"] = "stopped by a test"
    assert outside.egress.shut_or_open()
    assert outside.egress.why_shut("analytics") == "stopped by a test"
    outside.measure(IB)
    assert not outside.egress.shut_or_open()
    outside.shut.clear()
    assert outside.egress.shut_or_open()
    outside.measure(IA, IB)
    assert [ids for _, ids in outside.crossed()] == [["ia"], ["ia", "ib"]]


def test_the_catalog_of_a_shut_conduit_names_nothing(outside: Outside) -> None:
    outside.shut["analytics"] = "stopped by a test"
    outside.egress.shut_or_open()
    governing = outside.reader.governing()
    assert governing is not None
    assert governing.catalog.devices == ()


def test_a_conduit_that_is_gone_leaves_an_empty_catalog(outside: Outside) -> None:
    outside.measure(IA)
    (outside.folder / "bus/analytics.yaml").unlink()
    policy = outside.folder / "policy.yaml"
    policy.write_text(policy.read_text().replace("analytics", "other"))
    outside.egress.swap(outside.site())
    assert [way.conduit for way in outside.egress.ways] == ["other"]
    governing = outside.reader.governing()
    assert governing is not None
    assert governing.catalog.devices == ()
    assert (outside.folder / "spool" / "other" / "data").is_dir()


def test_receipts_of_before_a_swap_are_settled_by_it(outside: Outside) -> None:
    index = np.array([IA], np.int32)
    receipt = outside.egress.outlet(
        Batch("f1", ValueType.F64, Origin.POLL, index, index * 1.0, np.zeros(1, np.uint32), 7)
    )
    outside.change("policy.yaml", "version: 1}", "version: 2}")
    [(spool, ticket, _)] = receipt.parts  # type: ignore[attr-defined]
    done: list[int] = []
    spool.wait_durable(ticket, lambda: done.append(1))
    assert done == [1]


def test_a_swap_that_a_spool_prevents_ends_the_process(outside: Outside) -> None:
    data = outside.folder / "spool" / "analytics" / "data"
    shutil.rmtree(data)
    data.write_text("in the way")
    with pytest.raises(SpoolUnusable, match="a file stands"):
        outside.change("policy.yaml", "version: 1}", "version: 2}")
    for _ in range(2):  # which the field side asks twice a second, and ends
        with pytest.raises(SpoolUnusable, match="a file stands"):
            outside.egress.shut_or_open()


def test_a_step_is_told_in_the_catalog_of_a_new_epoch(outside: Outside) -> None:
    outside.measure(IA)
    outside.change("policy.yaml", "ceiling: internal}", "ceiling: internal, limits: {quantize: 2}}")
    outside.measure(IB)
    governing = outside.reader.governing()
    assert governing is not None
    steps = {point.id: point.step for point in governing.catalog.devices[0].points()}
    assert steps == {"ia": 2.0, "ib": 2.0, "kwh": 2.0, "cb": 0.0}
    assert len({epoch for epoch, _ in outside.crossed()}) == 2

import math
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np
from hypothesis import example, given
from hypothesis import strategies as st

from otgate.model import Batch, Lane, Origin, ValueType
from otgate.publish.recall import governed, parts, runs
from otgate.spool.catalog import Catalog, CatalogDevice, CatalogPoint
from otgate.spool.items import Frame, Gap, GapReason


def point(id_: str, **given: Any) -> CatalogPoint:
    return CatalogPoint(id_, "measurement", ValueType.F64, "A", **given)


def of(**devices: list[CatalogPoint]) -> Catalog:
    packed = tuple(CatalogDevice.of(name, points) for name, points in devices.items())
    return Catalog(site="sub7", gateway="gw1", conduit="analytics", devices=packed)


def frame(catalog: Catalog, index: list[int], device: str = "f3") -> Frame:
    count = len(index)
    numbers = np.array(index, np.int32)
    batch = Batch(
        device, ValueType.F64, Origin.POLL, numbers, numbers * 1.5,
        np.arange(count, dtype=np.uint32), 7, np.arange(count, dtype=np.int64),
    )  # fmt: skip
    return Frame(Lane.DATA, 1, 100, catalog, batch, 9)


OLDER = of(f1=[point("ia"), point("ib")], f3=[point("ia"), point("ib"), point("ic")])


def test_nothing_is_revoked_by_a_catalog_that_has_all() -> None:
    more = of(f3=[point("x"), *map(point, ("ic", "ib", "ia"))], f1=list(map(point, ("ib", "ia"))))
    remains = governed(OLDER, more)
    assert remains == (OLDER, None, None)
    sent = frame(OLDER, [2, 4])
    assert list(parts(sent, remains)) == [sent]


def test_points_that_the_newest_lacks_become_gaps_in_their_places() -> None:
    newest = of(f3=[point("ia"), point("ic")])
    remains = governed(OLDER, newest)
    assert remains.catalog == newest
    first, gap, last = parts(frame(OLDER, [2, 3, 4]), remains)
    assert isinstance(first, Frame)
    assert isinstance(last, Frame)
    assert (first.seq, first.batch.index.tolist(), first.batch.values.tolist()) == (100, [0], [3.0])
    assert gap == Gap(Lane.DATA, 1, 101, 1, 7, 7, GapReason.RECALLED)
    assert (last.seq, last.batch.index.tolist(), last.batch.values.tolist()) == (102, [1], [6.0])
    assert last.batch.source_ns is not None
    assert (last.batch.quality.tolist(), last.batch.source_ns.tolist()) == ([2], [2])


def test_a_frame_of_a_revoked_device_is_one_gap() -> None:
    remains = governed(OLDER, of(f3=[point("ia")]))
    [gap] = parts(frame(OLDER, [0, 1, 0], "f1"), remains)
    assert gap == Gap(Lane.DATA, 1, 100, 3, 7, 7, GapReason.RECALLED)


def test_an_empty_catalog_revokes_everything() -> None:
    remains = governed(OLDER, of())
    assert remains.catalog.devices == ()
    assert [type(one) for one in parts(frame(OLDER, [2]), remains)] == [Gap]


def test_texts_that_the_newest_has_empty_are_taken_out_and_others_are_left() -> None:
    told = point("ia", name="Phase A", owner="J. Doe", description="old")
    newest = of(f3=[msgspec.structs.replace(told, owner="", description="new")])
    remains = governed(of(f3=[told]), newest)
    [left] = remains.catalog.devices[0].points()
    assert left == msgspec.structs.replace(told, owner="")
    assert remains.places is not None
    assert remains.places.tolist() == [0]


NAMES = st.sampled_from(["a", "b", "c", "d", "e"])
POINTS = st.lists(NAMES, unique=True, min_size=1).map(lambda names: list(map(point, names)))
CATALOGS = st.dictionaries(st.sampled_from(["d1", "d2"]), POINTS, min_size=1)


@given(CATALOGS, CATALOGS, st.data())
def test_what_is_sent_and_what_is_announced_are_the_frame(
    before: dict[str, list[CatalogPoint]], after: dict[str, list[CatalogPoint]], data: st.DataObject
) -> None:
    older, newest = of(**before), of(**after)
    names = [(device, each.id) for device, points in before.items() for each in points]
    allowed = {(device, each.id) for device, points in after.items() for each in points}
    device = data.draw(st.sampled_from(list(before)))
    mine = [number for number, (owner, _) in enumerate(names) if owner == device]
    sent = frame(older, data.draw(st.lists(st.sampled_from(mine), min_size=1)), device)
    remains = governed(older, newest)
    seq, values = sent.seq, []
    for part in parts(sent, remains):
        assert part.seq == seq
        count = part.count if isinstance(part, Gap) else len(part.batch)
        gone = sent.batch.index[seq - 100 : seq - 100 + count].tolist()
        if isinstance(part, Gap):
            assert not any(names[number] in allowed for number in gone)
        else:
            ids = part.catalog.ids[part.batch.index].tolist()
            assert [(device, one) for one in ids] == [names[number] for number in gone]
            assert {(device, one) for one in ids} <= allowed
            values += part.batch.values.tolist()
        seq += count
    assert seq == 100 + len(sent.batch)
    kept = [n for n in sent.batch.index.tolist() if names[n] in allowed]
    assert values == [n * 1.5 for n in kept]


@given(st.lists(st.booleans()))
def test_runs_are_whole_and_change_at_each_edge(flags: list[bool]) -> None:
    mask = np.array(flags, np.bool_)
    found = list(runs(mask))
    assert [flag for a, b in found for flag in [mask[a]] * (b - a)] == flags
    assert all(mask[a] != mask[c] for (a, _), (c, _) in pairwise(found))


def values(sent: Frame, newest: Catalog) -> list[Any]:
    [left] = parts(sent, governed(sent.catalog, newest))
    assert isinstance(left, Frame)
    assert (left.seq, left.batch.received_ns) == (sent.seq, sent.batch.received_ns)
    return left.batch.values.tolist()


def test_values_are_rounded_where_the_newest_catalog_has_a_coarser_step() -> None:
    older = of(f3=[point("ia"), point("ib", step=0.5), point("ic", step=2)])
    newest = of(f3=[point("ia", step=2), point("ib", step=0.5), point("ic", step=1)])
    sent = frame(older, [0, 1, 2, 1])
    sent.batch.values = np.array([3.1, 1.5, 4.0, 2.5])
    assert values(sent, newest) == [4.0, 1.5, 4.0, 2.5]
    assert sent.batch.values.tolist() == [3.1, 1.5, 4.0, 2.5], "columns are never modified"


def test_values_are_rounded_under_their_new_numbers_beside_what_is_revoked() -> None:
    older = of(f3=[point("ia"), point("ib"), point("ic")])
    sent = frame(older, [0, 1, 2])
    gap, left = parts(sent, governed(older, of(f3=[point("ic", step=2), point("ib")])))
    assert isinstance(gap, Gap)
    assert isinstance(left, Frame)
    assert left.batch.values.tolist() == [1.5, 4.0]


def test_whole_numbers_stay_whole_and_texts_as_they_are() -> None:
    older, newest = of(f3=[point("n")]), of(f3=[point("n", step=5)])
    sent = frame(older, [0])
    for kind, value, rounded in (
        (ValueType.I64, -8, -10),
        (ValueType.U64, 2**63 + 1, 2**63 + 2),
        (ValueType.BOOL, True, True),
        (ValueType.TEXT, "open", "open"),
    ):
        sent.batch.value_type, sent.batch.values = kind, np.array([value], kind.dtype)
        assert values(sent, newest) == [rounded]


STEP = st.sampled_from([0.0, 0.1, 0.5, 1.0, 2.5, 100.0])


@given(STEP, STEP, st.floats(-1e9, 1e9))
@example(0.0, 0.1, 134217728.75)  # a multiple is as exact as a number of its size can be
def test_nothing_leaves_finer_than_the_newest_step(before: float, now: float, value: float) -> None:
    first = before * round(value / before) if before else value
    sent = frame(of(f3=[point("ia", step=before)]), [0])
    sent.batch.values = np.array([first])
    [left] = values(sent, of(f3=[point("ia", step=now)]))
    if now > before:
        assert math.isclose(left / now, round(left / now), rel_tol=1e-14, abs_tol=1e-6)
        assert abs(left - first) <= now / 2 + 2 * math.ulp(first)
    else:
        assert left == first

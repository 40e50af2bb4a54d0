"""Where the points of a model lie, and how they are named, judged by pysunspec2."""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from sunspec2.device import Model as PeerModel
from sunspec2.device import get_model_def

from otgate.config.forms import ID_PATTERN
from otgate_modbus.encoding import read_type
from otgate_modbus.sunspec.chain import Block
from otgate_modbus.sunspec.definitions import definition, folder, read_definition
from otgate_modbus.sunspec.layout import Layout, laid_out
from otgate_modbus.sunspec.points import STRUCTURE, mapped, point_id, type_of
from otgate_modbus.sunspec.survey import Model
from otgate_modbus.sunspec.values import Absent
from sunspec_devices import INVERTER, STRINGS, encoded

WITHOUT_TYPE = {"ipaddr", "ipv6addr", "eui48"}


def known() -> list[int]:
    where = folder()
    assert where is not None
    return sorted(int(path.stem[6:]) for path in where.glob("model_*.json"))


def plausible(group: dict[str, Any]) -> dict[str, Any]:
    """Return data with two of everything that repeats."""
    counts = {str(each["count"]): 2 for each in every_group(group) if each.get("count")}
    return {
        **{p["name"]: counts[p["name"]] for p in group["points"] if p["name"] in counts},
        **{
            inner["name"]: [plausible(inner)] * 2 if "count" in inner else plausible(inner)
            for inner in group.get("groups", ())
        },
    }


def every_group(group: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for inner in group.get("groups", ()):
        yield inner
        yield from every_group(inner)


@cache
def peers(model: int) -> PeerModel:
    return PeerModel(model, data=plausible(get_model_def(model)["group"]))


def peer_words(number: int) -> list[int]:
    packed = peers(number).get_mb()
    return [int.from_bytes(packed[at : at + 2]) for at in range(0, len(packed), 2)]


def peer_points(group: Any) -> Iterator[tuple[str, int]]:
    for name, point in group.points.items():
        yield name, point.offset
    for inner in group.groups.values():
        for each in inner if isinstance(inner, list) else [inner]:
            yield from peer_points(each)


def ours(model: int, words: list[int]) -> tuple[Model, Layout]:
    found = definition(model)
    assert found is not None
    block = Block(model, len(words) - 2, 40000)
    layout = laid_out(found, block, words)
    return Model(block, 1, found.label, words, layout.fields, layout.remarks), layout


def test_every_official_model_is_laid_out_as_the_peer_does() -> None:
    assert len(known()) > 100
    for number in known():
        model, layout = ours(number, peer_words(number))
        assert layout.remarks == [], number
        found = [(each.path[-1], each.offset) for each in model.fields]
        assert found == list(peer_points(peers(number))), number


def test_every_point_has_an_id_of_its_own() -> None:
    for number in known():
        model, _ = ours(number, peer_words(number))
        ids = [point_id(model, each) for each in model.fields]
        assert len(set(ids)) == len(ids), number
        assert all(re.fullmatch(ID_PATTERN, each) for each in ids), number


def test_every_point_has_a_type_of_its_size() -> None:
    for number in known():
        for each in ours(number, peer_words(number))[0].fields:
            spelled = type_of(each.entry)
            if spelled is None:
                untyped = each.entry.type in STRUCTURE | WITHOUT_TYPE
                assert untyped or each.entry.size > 125, each
            else:
                assert read_type(spelled).registers == each.entry.size


def test_a_group_fills_the_model() -> None:
    model, _ = ours(160, encoded(160, STRINGS))
    ids = [point_id(model, each) for each in model.fields]
    assert {"m160_dca_sf", "m160_1_dca", "m160_2_dcst"} <= set(ids)
    assert "m160_3_dca" not in ids


def test_scale_factors_are_found_from_within_groups() -> None:
    model, _ = ours(160, encoded(160, STRINGS))
    points = {each.id: each for each in mapped([model], everything=False).points}
    assert (points["m160_2_dcv"].address, points["m160_2_dcv"].sf) == ("hr 40040", "hr 40003")


def test_a_model_longer_than_its_definition_says_so() -> None:
    _, layout = ours(103, [*peer_words(103), 1, 2, 3])
    assert layout.remarks == ["its last 3 registers are not in its definition"]


def test_a_model_shorter_than_its_definition_keeps_what_is_there() -> None:
    model, layout = ours(103, peer_words(103)[:20])
    assert layout.remarks == ["it is shorter than its definition"]
    assert max(each.offset + each.entry.size for each in model.fields) == 20


def test_the_common_model_of_older_devices_lacks_its_filler() -> None:
    _, layout = ours(1, peer_words(1)[:67])
    assert layout.remarks == []


@pytest.mark.parametrize("count", [3, 60000])
def test_a_count_beyond_the_model_is_said(count: int) -> None:
    words = peer_words(705)
    words[[each.path for each in ours(705, words)[0].fields].index(("NCrv",))] = count
    model, layout = ours(705, words)
    assert layout.remarks[0].startswith(f"it says that there are {count} of Crv, and ends within ")
    assert max(each.offset + each.entry.size for each in model.fields) <= len(words)


def test_a_count_that_is_not_implemented_is_none() -> None:
    words = peer_words(705)
    words[[each.path for each in ours(705, words)[0].fields].index(("NCrv",))] = 0xFFFF
    assert not any(len(each.path) > 1 for each in ours(705, words)[0].fields)


def test_a_group_of_no_size_does_not_repeat_for_ever() -> None:
    document = {"group": {"name": "g", "points": [], "groups": [{"name": "n", "count": 0}]}}
    assert laid_out(read_definition(9, document), Block(9, 4, 0), [9, 4, 0, 0, 0, 0]).fields == []


def test_a_scale_factor_beyond_the_model_is_not_one_of_the_next_model() -> None:
    model, _ = ours(103, encoded(103, INVERTER)[:6])
    found = mapped([model], everything=True)
    assert [each.id for each in found.points] == []
    assert found.left_out == {"its scale factor is not in the model": 4}
    assert {model.value(each) for each in model.fields[2:]} == {Absent.NO_SCALE}

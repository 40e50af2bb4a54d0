import json
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest

from otgate.model import Batch, Clock, Lane, ValueType
from otgate.publish.cells import FEW, Cells, decimals, integers
from otgate.publish.encode import Encoder, Laid, Pieces, spelled_points
from otgate.publish.labels import BETWEEN, Labels, openings
from otgate.publish.settings import Limits
from otgate.publish.topics import Topics
from otgate.quality import Quality
from otgate.spool.items import Frame
from publishing import catalog, floats

MEASURED = 250
LABELS = Labels(catalog(points=MEASURED))
NUMBERS = [number / 10 for number in range(MEASURED)]
EXACT = 1 << 53


def payloads(batch: Batch, **limits: int) -> list[bytes]:
    encoder = Encoder(Topics("otgate", "sub7", "gw1", "analytics"), Limits(**limits), bytes)
    frame = Frame(Lane.DATA, 77, 1000, LABELS.catalog, batch, batch.received_ns)
    return [message.payload for message in encoder.messages(frame, LABELS, batch.received_ns)]


def typed(kind: ValueType, values: list[Any]) -> Batch:
    return floats([0.0] * len(values), value_type=kind, values=np.array(values, kind.dtype))


def read(batch: Batch, **limits: int) -> list[dict[str, Any]]:
    return [
        point for payload in payloads(batch, **limits) for point in json.loads(payload)["points"]
    ]


def test_many_good_numbers_are_laid_out_and_few_are_not() -> None:
    assert isinstance(spelled_points(floats(NUMBERS), LABELS), Laid)
    assert isinstance(spelled_points(floats(NUMBERS[: FEW - 1]), LABELS), Pieces)


def test_a_message_of_cells_reads_as_what_was_measured() -> None:
    assert read(floats(NUMBERS)) == [
        {"id": f"ia{number}", "v": value} for number, value in enumerate(NUMBERS)
    ]


def test_no_blank_of_a_cell_is_sent() -> None:
    (payload,) = payloads(floats(NUMBERS))
    assert b"\0" not in payload
    assert b" " not in payload


@pytest.mark.parametrize("quality", [Quality.QUESTIONABLE, Quality.NO_VALUE])
def test_a_sample_that_is_not_good_is_spelled_with_the_rest_in_pieces(quality: Quality) -> None:
    words = np.zeros(MEASURED, np.uint32)
    words[3] = int(quality)
    batch = floats(NUMBERS, quality=words)
    assert isinstance(spelled_points(batch, LABELS), Pieces)
    assert "q" in read(batch)[3]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
def test_what_is_no_number_among_many_is_null(value: float) -> None:
    shown = read(floats([*NUMBERS[:-1], value]))
    assert shown[-1] == {"id": f"ia{MEASURED - 1}", "v": None, "q": ["invalid"]}
    assert shown[1] == {"id": "ia1", "v": 0.1}


def test_device_times_are_spelled_in_pieces() -> None:
    times = np.arange(MEASURED, dtype=np.int64) * 1000
    batch = replace(floats(NUMBERS), source_ns=times, clock=Clock.DEVICE)
    assert isinstance(spelled_points(batch, LABELS), Pieces)
    assert read(batch)[2]["t_us"] == 2


@pytest.mark.parametrize("kind", [ValueType.BOOL, ValueType.TEXT])
def test_what_is_no_number_keeps_its_type(kind: ValueType) -> None:
    values: list[Any] = [True] * MEASURED if kind is ValueType.BOOL else ["on"] * MEASURED
    assert [point["v"] for point in read(typed(kind, values))] == values


@pytest.mark.parametrize("number", [EXACT + 1, -EXACT - 1, 2**63 - 1, -(2**63)])
def test_one_integer_beyond_a_double_leaves_none_in_cells(number: int) -> None:
    shown = read(typed(ValueType.I64, [*range(MEASURED - 1), number]))
    assert shown[-1]["v"] == str(number)
    assert shown[5]["v"] == 5


@pytest.mark.parametrize("number", [EXACT, -EXACT])
def test_the_largest_integer_of_a_double_is_laid_out(number: int) -> None:
    batch = typed(ValueType.I64, [*range(MEASURED - 1), number])
    assert isinstance(spelled_points(batch, LABELS), Laid)
    assert read(batch)[-1]["v"] == number


def test_parts_of_a_large_frame_tell_every_sample_once() -> None:
    shown = read(floats(NUMBERS), max_points=30)
    assert [point["v"] for point in shown] == NUMBERS


def test_a_part_that_is_too_large_is_halved() -> None:
    parts = payloads(floats(NUMBERS), max_bytes=700)
    assert max(map(len, parts)) <= 700
    assert json.loads(parts[0])["seq"] == 1000
    assert read(floats(NUMBERS), max_bytes=700) == read(floats(NUMBERS))


def test_a_float_keeps_its_point_and_zero_its_sign() -> None:
    (payload,) = payloads(floats([5.0, -0.0, *NUMBERS[2:]]))
    assert b'"v":5.0}' in payload
    assert b'"v":-0.0}' in payload


def test_a_number_with_an_exponent_is_spelled_by_others() -> None:
    assert decimals(np.array([1e-5] * FEW)) is None
    assert decimals(np.array([1e16] * FEW)) is None
    assert decimals(np.array([1 / 3] * FEW)) is None


def test_integers_take_as_many_words_as_the_longest_needs() -> None:
    assert [len(integers(np.array([0, top])) or ()) for top in (9_999, 10_000, EXACT)] == [1, 2, 4]


def test_one_long_name_does_not_widen_the_cells_of_all() -> None:
    names = [*(f"p{number}" for number in range(1000)), "x" * 128]
    assert Cells(openings(np.array(names, dtype=object)), len(BETWEEN)).sparse
    index = np.arange(1001, dtype=np.int32)
    found = Cells(openings(np.array(names, dtype=object)), 2)
    assert found.laid(index, ValueType.I64, index.astype(np.int64)) is None


@pytest.mark.parametrize("kind", [np.int64, np.uint64])
def test_every_number_of_one_register_is_spelled_as_it_is(kind: type) -> None:
    words = integers(np.arange(65_536, dtype=kind))
    assert words is not None
    rows = Laid(np.stack(words, axis=1), 0)
    assert [rows.part(at, at + 1) for at in (0, 9, 10, 9_999, 10_000, 65_535)] == [
        b"0", b"9", b"10", b"9999", b"10000", b"65535"
    ]  # fmt: skip
    assert rows.part(0, 65_536) == "".join(map(str, range(65_536))).encode()


@pytest.mark.parametrize("first", [0, 150, 299, 300, 450])
def test_neighbours_begin_with_their_own_names_where_maps_end_too(first: int) -> None:
    names = np.array([f"p{number % 300}" for number in range(900)], dtype=object)
    cells, spelled = Cells(openings(names), len(BETWEEN)), openings(names)
    index = np.arange(first, first + 300, dtype=np.int32)
    for some in (index, index[::-1].copy()):
        found = cells.laid(some, ValueType.I64, np.full(300, 7))
        assert found is not None
        expected = b"".join(spelled[number] + b"7" for number in some)
        assert found.part(0, 300) == expected[len(BETWEEN) :]


def test_devices_of_one_map_share_their_cells() -> None:
    names = np.array([f"p{number % 100}" for number in range(5_000)], dtype=object)
    cells = Cells(openings(names), len(BETWEEN))
    assert cells.nbytes < 30_000


def test_an_empty_catalog_has_no_cells() -> None:
    cells = Cells(openings(np.array([], dtype=object)), len(BETWEEN))
    assert cells.laid(np.zeros(0, np.int32), ValueType.F64, np.zeros(0)) is None


def test_cells_and_pieces_say_the_same() -> None:
    values = [number * 1.25 - 40 for number in range(MEASURED)]
    (laid,) = payloads(floats(values))
    texts = b",".join(
        msgspec.json.encode({"id": f"ia{at}", "v": value}) for at, value in enumerate(values)
    )
    assert laid.endswith(b'"points":[' + texts + b"]}")

"""What an independent encoder puts into registers, the driver reads back."""

import struct
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from modbus_peers import device, point
from otgate.decimals import shortest
from otgate.model import Point
from otgate_modbus.decode import Layout
from otgate_modbus.planner import Ground
from otgate_modbus.reading import readings_of

WORD_ORDERS = ("ABCD", "CDAB", "BADC", "DCBA")
EIGHT_ORDERS = ("ABCDEFGH", "GHEFCDAB", "BADCFEHG", "HGFEDCBA", "CDABGHEF", "DCBAHGFE")
STRUCTS = {
    "u16": ">H", "i16": ">h", "u32": ">I", "i32": ">i", "u64": ">Q", "i64": ">q",
    "f16": ">e", "f32": ">f", "f64": ">d",
}  # fmt: skip


FLOATS = {
    "f16": st.floats(width=16, allow_nan=False, allow_infinity=False),
    "f32": st.floats(width=32, allow_nan=False, allow_infinity=False),
    "f64": st.floats(width=64, allow_nan=False, allow_infinity=False),
}


def laid(big_endian: bytes, order: str) -> bytes:
    """Arrange bytes, most significant first, as the letters of ``order`` say."""
    if len(big_endian) == 2:
        return big_endian[::-1] if order.startswith(("B", "D")) else big_endian
    return bytes(big_endian["ABCDEFGH".index(letter)] for letter in order)


def integers(bits: int, *, signed: bool) -> st.SearchStrategy[int]:
    low = -(1 << bits - 1) if signed else 0
    return st.integers(low, low + (1 << bits) - 1)


@st.composite
def spelled(draw: st.DrawFn) -> tuple[str, str, bytes, Any]:
    """A type, an order, its registers and the value they hold."""
    name = draw(st.sampled_from(sorted(STRUCTS)))
    bits = int(name[1:])
    if name[0] == "f":
        value: Any = draw(FLOATS[name])
    else:
        value = draw(integers(bits, signed=name[0] == "i"))
    order = draw(st.sampled_from(EIGHT_ORDERS if bits == 64 else WORD_ORDERS))
    raw = struct.pack(STRUCTS[name], value)
    if name in {"f16", "f32"}:
        value = float(str((np.float16 if bits == 16 else np.float32)(value)))
    return name, order, laid(raw, order), value


@given(st.lists(spelled(), min_size=1, max_size=30), st.randoms(use_true_random=False))
def test_every_type_in_every_order_reads_back(
    cells: list[tuple[str, str, bytes, Any]], random: Any
) -> None:
    memory, points = b"", []
    for number, (name, order, raw, _) in enumerate(cells):
        memory += bytes(random.randrange(256) for _ in range(2 * random.randrange(3)))
        points.append(point(f"p{number}", f"hr {len(memory) // 2}", name, order=order))
        memory += raw
    got = read(points, memory)
    assert got == {number: value for number, (_, _, _, value) in enumerate(cells)}


def read(points: list[Point], memory: bytes) -> dict[int, Any]:
    asked = device(*points)
    readings = sorted(readings_of(asked, asked.settings, range(len(points)), []))
    blocks = Ground(asked.settings).pack(readings)
    replies = [memory[2 * block.start : 2 * block.stop] for block in blocks]
    batches = Layout("f1", readings, blocks).decode(replies, (0,) * len(blocks), 1)
    assert all(not batch.quality.any() for batch in batches)
    return {
        number: value
        for batch in batches
        for number, value in zip(batch.index.tolist(), batch.values.tolist(), strict=True)
    }


DECIMALS = {
    "bcd16": 1,
    "bcd32": 2,
    "bcd64": 4,
    "mod10000(2)": 2,
    "mod10000(3)": 3,
    "mod10000(4)": 4,
}


def orders_of(registers: int) -> tuple[str, ...]:
    return EIGHT_ORDERS if registers == 4 else WORD_ORDERS


def in_words(words: list[int], order: str) -> bytes:
    """Arrange registers, most significant first, as an order of words and bytes says."""
    swap, reverse = order[:2] in {"BA", "DC", "HG"}, order[0] in "CDGH"
    if order in {"CDABGHEF", "DCBAHGFE"}:  # pairs of words stay, the words in them change places
        words, reverse = [words[at] for at in (1, 0, 3, 2)], False
    words = words[::-1] if reverse else words
    packed = [struct.pack("<H" if swap else ">H", word) for word in words]
    return b"".join(packed)


@given(st.data())
def test_decimal_registers_read_back_in_every_order(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(DECIMALS)))
    registers = DECIMALS[name]
    order = data.draw(st.sampled_from(orders_of(registers)))
    value = data.draw(st.integers(0, 10 ** (4 * registers) - 1))
    groups = [value // 10_000**at % 10_000 for at in reversed(range(registers))]
    words = [int(str(group), 16) for group in groups] if name.startswith("bcd") else groups
    memory = in_words(words, order)
    assert read([point("a", "hr 0", name, order=order)], memory) == {0: value}


CODES = {
    "enum16": ">H", "enum32": ">I", "flags16": ">H", "flags32": ">I", "flags64": ">Q",
    "time32": ">I", "time64": ">q",
}  # fmt: skip


@given(st.data())
def test_codes_flags_and_times_read_back_in_every_order(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(CODES)))
    size = struct.calcsize(CODES[name])
    order = data.draw(st.sampled_from(orders_of(size // 2)))
    value = data.draw(integers(8 * size, signed=name == "time64"))
    memory = laid(struct.pack(CODES[name], value), order)
    assert read([point("a", "hr 0", name, order=order)], memory) == {0: value}


characters = st.characters(codec="utf-16-be", exclude_characters="\0", exclude_categories=["Cs"])


@given(
    st.sampled_from(["string", "latin1", "chars"]),
    st.sampled_from(WORD_ORDERS),
    st.text(characters.filter(lambda each: ord(each) < 0x10000), max_size=12),
    st.sampled_from([b"\0", b" "]),
)
def test_texts_read_back_in_every_layout(name: str, order: str, text: str, pad: bytes) -> None:
    codec = {"string": "utf-8", "latin1": "latin-1", "chars": "utf-16-be"}[name]
    raw = text.encode(codec, "ignore")
    text = raw.decode(codec).rstrip(" ")
    raw += (b"\0" + pad if name == "chars" else pad) * 3
    size = len(raw) // 2 if name == "chars" else len(raw)
    raw += b"\0" * (len(raw) % 2)
    if order in {"BADC", "DCBA"}:
        raw = b"".join(raw[at : at + 2][::-1] for at in range(0, len(raw), 2))
    assert read([point("a", "hr 0", f"{name}({size})", order=order)], raw) == {0: text}


@given(spelled(), st.data())
def test_words_read_back_from_wherever_they_lie(
    cell: tuple[str, str, bytes, Any], data: st.DataObject
) -> None:
    name, order, raw, value = cell
    count = len(raw) // 2
    places = data.draw(st.lists(st.integers(0, 300), min_size=count, max_size=count, unique=True))
    memory = bytearray(602)
    for at, place in enumerate(places):
        memory[2 * place : 2 * place + 2] = raw[2 * at : 2 * at + 2]
    address = "hr " + "+".join(map(str, places))
    assert read([point("a", address, name, order=order)], bytes(memory)) == {0: value}


@given(st.integers(-32768, 32767), st.integers(-10, 10), st.integers(1, 300))
def test_a_scale_factor_gives_the_decimal_that_a_person_writes(
    raw: int, factor: int, place: int
) -> None:
    memory = struct.pack(">h", raw) + bytes(2 * place - 2) + struct.pack(">h", factor)
    got = read([point("a", "hr 0", "i16", sf=f"hr {place}")], memory)
    assert got == {0: float(f"{raw}e{factor}")}


def test_a_scale_factor_costs_big_integers_their_exactness_and_says_so_by_its_type() -> None:
    got = read([point("a", "hr 0", "u64", sf="hr 4")], struct.pack(">QH", 2**53 + 1, 0))
    assert got == {0: float(2**53)}


@given(st.integers(0, 0xFFFF), st.integers(0, 15), st.integers(0, 15))
def test_bits_read_back(word: int, one: int, other: int) -> None:
    first, last = sorted((one, other))
    address = f"hr 0.{first}" if first == last else f"hr 0.{first}-{last}"
    expected = word >> first & ((1 << last - first + 1) - 1)
    assert read([point("a", address)], struct.pack(">H", word)) == {0: expected}


@given(st.integers(-32768, 32767), st.integers(0, 9), st.integers(-9999, 9999))
def test_a_decimal_scale_gives_the_decimal_that_a_person_writes(
    raw: int, places: int, offset: int
) -> None:
    asked = point("a", "hr 0", "i16", scale=float(f"1e-{places}"), offset=float(offset))
    written = f"{raw + offset * 10**places}e-{places}"
    assert read([asked], struct.pack(">h", raw)) == {0: float(written)}


@given(st.lists(st.floats(width=32), min_size=1))
def test_a_float_is_given_as_the_shortest_decimal_that_names_it(values: list[float]) -> None:
    single = np.array(values, np.float32)
    expected = np.array([float(str(value)) for value in single])
    got = shortest(single)
    assert (same(got, expected) | (got == single)).all()
    assert same(got.astype(np.float32), single).all()


def test_every_half_float_is_given_as_its_shortest_decimal() -> None:
    every = np.arange(65536, dtype=np.uint16).view(np.float16)
    expected = np.array([float(str(value)) for value in every])
    got = shortest(every)
    assert (same(got, expected) | (got == every)).all()
    assert (~same(got, expected)).sum() == 2  # 2**-6, half-way between two decimals, stays exact


def same(one: Any, other: Any) -> Any:
    return (one == other) | (np.isnan(one) & np.isnan(other))

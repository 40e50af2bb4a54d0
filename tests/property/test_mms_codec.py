"""MMS values, elements and streams: round trips, cuts, and octets of any kind."""

import contextlib
import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otgate_iec61850.mms import ber, cotp, pdu, report
from otgate_iec61850.mms.access import InformationReport
from otgate_iec61850.mms.data import encoded, value, values
from otgate_iec61850.mms.errors import Malformed, MmsError
from otgate_iec61850.mms.naming import Name, Variable, read_variable, variable_octets
from otgate_iec61850.mms.reference import Fc, Reference, reference, referred
from otgate_iec61850.mms.typespec import ArrayType, Kind, Scalar, Structure, read_type, type_octets
from otgate_iec61850.mms.values import (
    Array,
    BinaryTime,
    Bits,
    Double,
    Failure,
    MmsString,
    Unsigned,
    UtcTime,
)

INT64 = st.integers(-(2**63), 2**63 - 1)
SINGLES = st.floats(width=32, allow_nan=False)
BITS = st.integers(0, 80).flatmap(
    lambda size: st.builds(Bits, st.just(size), st.integers(0, (1 << size) - 1))
)
SCALARS = st.one_of(
    st.booleans(),
    INT64,
    st.integers(0, 2**64 - 1).map(Unsigned),
    SINGLES,
    st.floats(allow_nan=False).map(Double),
    BITS,
    st.binary(max_size=40),
    st.text(st.characters(codec="utf-8"), max_size=40),
    st.text(st.characters(codec="utf-8"), max_size=300).map(MmsString),
    st.binary(min_size=8, max_size=8).map(UtcTime),
    st.binary(min_size=6, max_size=6).map(BinaryTime),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=6).map(tuple) | st.lists(inner, max_size=6).map(Array),
    max_leaves=30,
)
NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9_]{0,8}", fullmatch=True)


def same(one: Any, other: Any) -> bool:
    """Equal, and of the same kinds all the way down."""
    if type(one) is not type(other):
        return False
    if isinstance(one, tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


@given(VALUES)
def test_a_value_comes_back_as_it_went(what: Any) -> None:
    octets = encoded(what)
    assert same(value(octets, 0, len(octets)), what)


@given(st.lists(VALUES | st.integers(0, 11).map(Failure), max_size=8), st.data())
def test_values_cut_anywhere_are_malformed_or_fewer(found: list[Any], data: Any) -> None:
    octets = b"".join(map(encoded, found))
    cut = data.draw(st.integers(0, len(octets)))
    try:
        fewer = values(octets, 0, cut)
    except Malformed:
        return
    assert all(map(same, fewer, found))


@given(st.binary(max_size=200))
def test_octets_of_any_kind_are_values_or_malformed(octets: bytes) -> None:
    for read in (
        lambda: values(octets, 0, len(octets)),
        lambda: pdu.parsed(octets, 0, len(octets)),
    ):
        with contextlib.suppress(Malformed):
            read()


def indefinite(octets: bytes) -> bytes:
    """The same elements with every constructed length indefinite."""
    out = b""
    for tag, start, stop in ber.elements(octets, 0, len(octets)):
        if tag & 0x20:
            out += bytes((tag, 0x80)) + indefinite(octets[start:stop]) + b"\0\0"
        else:
            out += ber.element(tag, octets[start:stop])
    return out


@given(VALUES)
def test_indefinite_lengths_say_the_same(what: Any) -> None:
    octets = encoded(what)
    assert ber.definite(indefinite(octets)) == octets
    assert ber.definite(octets) == octets


@given(st.binary(max_size=100))
def test_octets_of_any_kind_are_made_definite_or_malformed(octets: bytes) -> None:
    try:
        definite = ber.definite(octets)
    except Malformed:
        return
    assert ber.definite(definite) == definite


@given(st.integers(-(2**127), 2**127 - 1))
def test_an_integer_has_the_fewest_octets(number: int) -> None:
    octets = ber.integer_octets(number)
    assert ber.read_integer(octets, 0, len(octets)) == number
    if len(octets) > 1:
        assert octets[0] not in {0, 0xFF} or (octets[0] ^ octets[1]) & 0x80


@given(st.lists(st.integers(0, 2**40), max_size=8), st.integers(0, 2), st.integers(0, 39))
def test_an_object_identifier_comes_back(rest: list[int], first: int, second: int) -> None:
    arcs = (first, second, *rest)
    octets = ber.object_id(6, arcs)
    assert ber.read_object_id(octets, 2, len(octets)) == arcs


@given(st.lists(st.binary(max_size=3000), max_size=5), st.integers(7, 13), st.data())
@settings(max_examples=50)
def test_a_stream_cut_anywhere_gives_the_same_tsdus(
    tsdus: list[bytes], size: int, data: Any
) -> None:
    stream = b"".join(cotp.segments(each, size) for each in tsdus)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=20)))
    reader, found = cotp.Reader(), []
    for first, last in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        found += reader.feed(stream[first:last])
    assert found == tsdus


def test_a_stream_octet_by_octet_gives_the_same_tsdus() -> None:
    reader, found = cotp.Reader(), []
    for octet in cotp.segments(bytes(range(256)) * 4, 7):
        found += reader.feed(bytes((octet,)))
    assert found == [bytes(range(256)) * 4]


def test_a_tsdu_has_a_cap() -> None:
    reader = cotp.Reader(cap=1000)
    part = cotp.packet(b"\x02\xf0\0" + bytes(100))
    reader.feed(10 * part)
    with pytest.raises(Malformed, match="more than 1000"):
        reader.feed(part)


TYPES = st.recursive(
    st.builds(
        Scalar,
        st.sampled_from([Kind.INTEGER, Kind.UNSIGNED, Kind.BIT_STRING, Kind.VISIBLE_STRING]),
        st.integers(1, 255),
    )
    | st.sampled_from([Scalar(Kind.BOOLEAN), Scalar(Kind.UTC_TIME), Scalar(Kind.FLOAT, 64)]),
    lambda inner: (
        st.lists(st.tuples(NAMES, inner), max_size=5).map(lambda each: Structure(tuple(each)))
        | st.builds(ArrayType, st.integers(0, 100), inner)
    ),
    max_leaves=20,
)


@given(TYPES)
def test_a_type_comes_back(described: Any) -> None:
    octets = type_octets(described)
    assert read_type(octets, 0, len(octets)) == described


@given(NAMES, NAMES, st.lists(NAMES, min_size=1, max_size=5), st.sampled_from(Fc), st.data())
def test_a_reference_becomes_a_variable_and_back(
    domain: str, node: str, path: list[str], fc: Fc, data: Any
) -> None:
    indexed = data.draw(st.integers(0, len(path)))
    index = data.draw(st.integers(0, 99)) if indexed else None
    made = Reference(domain, node, tuple(path), fc, index, indexed)
    assert reference(str(made)) == made
    back = referred(made.variable)
    assert str(back) == str(made)


@given(NAMES, st.none() | st.integers(0, 2**31), st.lists(NAMES, max_size=4))
def test_a_variable_comes_back(item: str, index: int | None, parts: list[str]) -> None:
    made = Variable(Name("D", item), index, "" if index is None else "$".join(parts))
    octets = variable_octets(made)
    _, start, stop = ber.header(octets, 0, len(octets))
    assert read_variable(octets, start, stop) == made


OPTIONS = st.lists(st.sampled_from(report.Option), unique=True).map(
    lambda asked: report.options(*asked)
)


@given(OPTIONS, st.integers(1, 70), st.data())
def test_a_report_says_what_its_options_say_and_holds_included_members_alone(
    options: Bits, size: int, data: Any
) -> None:
    members = sorted(data.draw(st.sets(st.integers(0, size - 1))))
    count = len(members)
    made = report.Report(
        "id", options, size, members, [(float(at), True) for at in members],
        sq_num=7, entry_time=BinaryTime.of(10**18), data_set="D/LLN0$x", overflow=True,
        entry_id=b"12345678", conf_rev=3, sub_sq_num=0, more=False,
        references=["D/L$ST$x"] * count, reasons=[report.Reason.DATA_CHANGE] * count,
    )  # fmt: skip
    octets = pdu.information_report(report.write(made))
    carried = pdu.parsed(octets, 0, len(octets))
    assert isinstance(carried, InformationReport)
    found = report.read(carried)
    has = set(options.places)
    assert (found.members, found.values, found.size) == (members, made.values, size)
    assert found.sq_num == (7 if report.Option.SEQUENCE_NUMBER in has else None)
    assert found.entry_id == (b"12345678" if report.Option.ENTRY_ID in has else None)
    assert found.reasons == (made.reasons if report.Option.REASON in has else None)
    assert found.references == (made.references if report.Option.DATA_REFERENCE in has else None)


@given(st.lists(VALUES, max_size=12))
def test_values_of_any_kind_are_a_report_or_malformed(found: list[Any]) -> None:
    with contextlib.suppress(MmsError):
        report.read(InformationReport(report.RPT, found))


@given(st.integers(0, 2**32 * 10**9 - 1), st.integers(0, 255))
def test_a_time_keeps_what_24_bits_hold(ns: int, quality: int) -> None:
    stamp = UtcTime.of(ns, quality)
    assert abs(stamp.ns - ns) <= 60
    assert stamp.quality == quality


@given(SINGLES)
def test_a_single_keeps_its_bits(number: float) -> None:
    octets = encoded(number)
    assert octets[3:] == struct.pack(">f", number)

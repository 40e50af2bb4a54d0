"""References, types, qualities, times: what IEC 61850 puts into MMS."""

import pytest

from mms_served import MEASURED, measured
from otgate_iec61850.mms.batching import OVERHEAD, batches
from otgate_iec61850.mms.data import encoded
from otgate_iec61850.mms.errors import Malformed
from otgate_iec61850.mms.naming import Name, Variable, variable_octets, variables
from otgate_iec61850.mms.quality import (
    Dbpos,
    Quality,
    Validity,
    dbpos,
    dbpos_bits,
    quality_bits,
    quality_word,
    validity,
)
from otgate_iec61850.mms.reference import (
    Fc,
    NoReference,
    list_name,
    list_text,
    reference,
    referred,
)
from otgate_iec61850.mms.typespec import (
    ArrayType,
    Kind,
    Scalar,
    Structure,
    component,
    largest,
    leaves,
    named,
)
from otgate_iec61850.mms.values import BinaryTime, Bits, GeneralizedTime, TimeFlag, UtcTime


def test_a_reference_is_an_item_of_a_domain() -> None:
    found = reference("IED1LD0/MMXU1.PhV.phsA.cVal.mag.f [MX]")
    assert found.variable == Variable(Name("IED1LD0", "MMXU1$MX$PhV$phsA$cVal$mag$f"))
    assert str(referred(found.variable)) == "IED1LD0/MMXU1.PhV.phsA.cVal.mag.f [MX]"


def test_an_element_of_an_array_is_read_by_alternate_access() -> None:
    found = reference("LD/MHAI1.HA.phsAHar(3).cVal.mag.f [MX]").variable
    assert found == Variable(Name("LD", "MHAI1$MX$HA$phsAHar"), 3, "cVal$mag$f")
    assert str(referred(found)) == "LD/MHAI1.HA.phsAHar(3).cVal.mag.f [MX]"


@pytest.mark.parametrize("text", [
    "", "LD", "LD/", "/LN.DO [ST]", "LD/LN..x [ST]", "LD/LN.x [XX]", "LD/LN.x [ST] y",
    "LD/LN.a(1).b(2) [ST]", "LD/LN.x(z) [ST]", "LD/LN." + "x" * 200 + " [ST]",
])  # fmt: skip
def test_what_is_no_reference_says_so(text: str) -> None:
    with pytest.raises(NoReference):
        reference(text)


def test_a_reference_without_constraint_names_no_variable() -> None:
    with pytest.raises(NoReference, match="functional constraint"):
        _ = reference("LD/LN.x").variable


@pytest.mark.parametrize("name", [("", "x"), ("@", "x"), ("D", ""), ("D", "LN$XX$y")])
def test_a_variable_outside_a_logical_node_has_no_reference(name: tuple[str, str]) -> None:
    with pytest.raises(NoReference):
        referred(variables(name)[0])


@pytest.mark.parametrize(("text", "name"), [
    ("LD/LLN0$ds", Name("LD", "LLN0$ds")), ("LD/LLN0.ds", Name("LD", "LLN0$ds")),
    ("@mine", Name("@", "mine")), ("shared", Name("", "shared")), ("LLN0$ds", Name("H", "LLN0$ds")),
])  # fmt: skip
def test_a_data_set_is_a_variable_list(text: str, name: Name) -> None:
    assert list_name(text, "H") == name
    assert list_name(list_text(name), "H") == name


def test_a_component_is_found_by_its_path() -> None:
    assert component(MEASURED, "mag.f") == ((0, 0), Scalar(Kind.FLOAT, 32))
    assert component(MEASURED, "t")[0] == (2,)
    for path in ("x", "q.f"):
        with pytest.raises(KeyError):
            component(MEASURED, path)


def test_a_structure_is_read_by_name() -> None:
    found = named(MEASURED, measured(1.5))
    assert found["mag"] == {"f": 1.5}
    assert list(found) == ["mag", "q", "t"]
    assert [path for path, _ in leaves(MEASURED)] == ["mag$f", "q", "t"]
    with pytest.raises(Malformed):
        named(MEASURED, (1.5,))
    with pytest.raises(Malformed):
        named(ArrayType(2, MEASURED), 5)


def test_the_largest_value_of_a_type_is_no_smaller_than_any() -> None:
    assert len(encoded(measured(1.5))) <= largest(MEASURED) < 60
    many = ArrayType(40, Structure((("v", Scalar(Kind.INTEGER, 32)),)))
    assert largest(many) > 40 * len(encoded((-(2**31),)))


@pytest.mark.parametrize("flag", Quality)
def test_each_bit_of_a_quality_is_told(flag: Quality) -> None:
    bits = quality_bits(Validity.QUESTIONABLE, flag)
    places = {
        Quality.OVERFLOW: 2, Quality.OUT_OF_RANGE: 3, Quality.BAD_REFERENCE: 4,
        Quality.OSCILLATORY: 5, Quality.FAILURE: 6, Quality.OLD_DATA: 7, Quality.INCONSISTENT: 8,
        Quality.INACCURATE: 9, Quality.SUBSTITUTED: 10, Quality.TEST: 11,
        Quality.OPERATOR_BLOCKED: 12,
    }  # fmt: skip
    assert bits.places == [0, 1, places[flag]]
    word = quality_word(bits)
    assert (validity(word), Quality(word & 0x7FF)) == (Validity.QUESTIONABLE, flag)


def test_a_shorter_quality_has_zeros_at_its_end_and_others_are_none() -> None:
    assert quality_word(Bits.of(10, 1, 6)) == quality_word(Bits.of(13, 1, 6))
    for wrong in (Bits(1, 1), Bits(32, 0), 5, None):
        with pytest.raises(Malformed):
            quality_word(wrong)


def test_a_double_point_is_two_bits() -> None:
    assert [dbpos(dbpos_bits(each)) for each in Dbpos] == list(Dbpos)
    assert dbpos_bits(Dbpos.ON).places == [0]
    with pytest.raises(Malformed):
        dbpos(Bits(3, 1))


def test_a_time_tells_its_quality() -> None:
    stamp = UtcTime.of(1_700_000_000_500_000_000, 0xEA)
    assert stamp.ns == 1_700_000_000_500_000_000
    assert stamp.flags == TimeFlag(0xE0)
    assert stamp.accuracy_bits == 10
    assert UtcTime.of(0, 0x1F).accuracy_bits is None


def test_a_binary_time_counts_from_1984() -> None:
    stamp = BinaryTime.of(1_700_000_000_123_000_000)
    assert stamp.ns == 1_700_000_000_123_000_000
    assert BinaryTime(bytes(6)).ns == 441_763_200 * 10**9
    assert BinaryTime(bytes(4)).ns is None


@pytest.mark.parametrize(("text", "ns"), [
    ("20240131120000Z", 1_706_702_400 * 10**9), ("20240131120000.5Z", 1_706_702_400_500_000_000),
    ("20240131120000", None), ("never", None),
])  # fmt: skip
def test_a_generalized_time_is_one_where_it_is_utc(text: str, ns: int | None) -> None:
    assert GeneralizedTime(text).ns == ns


def test_reads_are_cut_to_fit_request_and_reply() -> None:
    many = variables(*(("IED1LD0", f"MMXU1$MX$Val{at:04d}") for at in range(300)))
    each = len(variable_octets(many[0]))
    cuts = [many[cut] for cut in batches(many, 1000)]
    assert [v for cut in cuts for v in cut] == list(many)
    assert all(len(cut) * max(each, 64) <= 1000 - OVERHEAD for cut in cuts)
    assert len(list(batches(many, 65_000))) == 1
    assert list(batches((), 1000)) == []
    big = list(batches(many[:3], 1000, [10, 5000, 10]))
    assert [cut.stop - cut.start for cut in big] == [1, 1, 1]


def test_constraints_are_spelt_as_in_the_standard() -> None:
    assert [str(each) for each in Fc][:3] == ["ST", "MX", "SP"]

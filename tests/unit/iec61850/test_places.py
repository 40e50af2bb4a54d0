"""Where points lie in members of data sets and in what is read."""

from otgate_iec61850.address import read_reference
from otgate_iec61850.mms.naming import Name, Variable
from otgate_iec61850.mms.typespec import ArrayType, Kind, Scalar, Structure
from otgate_iec61850.mms.values import Failure
from otgate_iec61850.places import ABSENT, Atlas, Spot, Take, dig, spot_of, variable_of

FLOAT, Q, T = Scalar(Kind.FLOAT, 32), Scalar(Kind.BIT_STRING, -13), Scalar(Kind.UTC_TIME)
VECTOR = Structure((("mag", Structure((("f", FLOAT),))), ("ang", Structure((("f", FLOAT),)))))
CMV = Structure((("cVal", VECTOR), ("q", Q), ("t", T)))
WYE = Structure((("phsA", CMV), ("phsB", CMV)))
HMV = Structure((("phsAHar", ArrayType(8, CMV)), ("q", Q)))


def spot(text: str, described: object = WYE, number: int = 0) -> Spot:
    return spot_of(number, read_reference(text), described)  # type: ignore[arg-type]


ANGLE = spot("L/MMXU1.A.phsB.cVal.ang.f [MX]")
HARMONIC = spot("L/MHAI1.HA.phsAHar(3).cVal.mag.f [MX]", HMV)


def test_a_value_is_read_together_with_the_nearest_quality_and_time() -> None:
    (read,) = Atlas([ANGLE]).reads([0])
    assert read == Variable(Name("L", "MMXU1$MX$A$phsB"))


def test_points_of_one_structure_are_read_once() -> None:
    other = spot("L/MMXU1.A.phsB.cVal.mag.f [MX]", number=1)
    assert len(Atlas([ANGLE, other]).reads([0, 1])) == 1


def test_a_whole_data_object_brings_every_point_within() -> None:
    atlas = Atlas([ANGLE, spot("L/MMXU1.A.phsA.cVal.mag.f [MX]", number=1)])
    assert atlas.takes(Variable(Name("L", "MMXU1$MX$A"))) == [
        Take(0, (1, 0, 1, 0), (1, 1), (1, 2)),
        Take(1, (0, 0, 0, 0), (0, 1), (0, 2)),
    ]


def test_a_member_brings_the_part_that_it_names() -> None:
    atlas = Atlas([ANGLE])
    item = "MMXU1$MX$A$phsB"
    assert atlas.takes(Variable(Name("L", f"{item}$cVal$ang$f"))) == [Take(0, (), None, None)]
    assert atlas.takes(Variable(Name("L", f"{item}$q"))) == [Take(0, None, (), None)]
    assert atlas.takes(Variable(Name("L", f"{item}$cVal$mag"))) == []
    assert atlas.takes(Variable(Name("L", "MMXU1$ST$A"))) == []
    assert atlas.takes(Variable(Name("L", "MMXU1"))) == []


def test_an_element_of_an_array_is_read_by_alternate_access() -> None:
    (read,) = Atlas([HARMONIC]).reads([0])
    assert read == Variable(Name("L", "MHAI1$MX$HA$phsAHar"), 3)
    assert Atlas([HARMONIC]).takes(read) == [Take(0, (0, 0, 0), (1,), (2,))]


def test_an_index_beyond_the_array_is_asked_for_as_it_stands() -> None:
    beyond = spot("L/MHAI1.HA.phsAHar(8).cVal.mag.f [MX]", HMV)
    assert variable_of(beyond.node, beyond.owner) == Variable(
        Name("L", "MHAI1$MX$HA$phsAHar"), 8, "cVal$mag$f"
    )


def test_a_point_of_an_unknown_type_is_read_alone() -> None:
    alone = spot("L/MMXU1.A.phsB.cVal.ang.f [MX]", None)
    (read,) = Atlas([alone]).reads([0])
    assert read.name.item == "MMXU1$MX$A$phsB$cVal$ang$f"
    assert Atlas([alone]).takes(read) == [Take(0, (), None, None)]


def test_a_structure_is_no_point() -> None:
    assert spot("L/MMXU1.A.phsB.cVal.ang [MX]").q is None


def test_digging_finds_what_is_there() -> None:
    assert dig(((1, 2), 3), (0, 1)) == 2
    assert dig((1,), (1,)) is ABSENT
    assert dig(1, (0,)) is ABSENT
    assert dig((Failure(3),), (0, 1)) == Failure(3)

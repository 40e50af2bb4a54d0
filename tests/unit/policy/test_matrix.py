from otgate.model import Kind, Sensitivity, ValueType
from otgate.policy.language import Limits, Strip
from otgate.policy.matrix import cell, matrix
from policies import allow, conduit, deny, device, point, policy

LOADS = allow(
    "loads",
    Limits(min_interval_s=60, quantize=0.5, strip=frozenset({Strip.OWNER, Strip.NAME})),
    tags_all=frozenset({"feeder"}),
)


def test_every_point_has_a_cell_for_every_conduit() -> None:
    ways = [conduit(), conduit("vendor", ceiling=Sensitivity.PUBLIC)]
    rules = LOADS, deny(tags_any=frozenset({"protection"}))
    plain = frozenset[str]()
    some = device(
        point(), point("name", Kind.TEXT, tags=plain), point("set", Kind.SETTING),
        point("i_trip", tags=frozenset({"feeder", "protection"})), point("on", Kind.STATUS),
    )  # fmt: skip
    types = {"f3": [ValueType.F64, ValueType.TEXT, ValueType.F64, ValueType.F64, ValueType.TEXT]}
    rows = list(matrix(policy(*rules, conduits=ways), [some], types))
    assert {row.path: [cell(verdict) for verdict in row.verdicts] for row in rows} == {
        "f3/ia": ["crosses min_interval_s=60 quantize=0.5 strip=name,owner", "guard sensitivity"],
        "f3/name": ["not-allowed", "guard sensitivity"],
        "f3/set": ["guard kind", "guard kind, sensitivity"],
        "f3/i_trip": ["denied no-protection", "guard sensitivity"],
        "f3/on": ["crosses strip=name,owner", "guard sensitivity"],
    }


def test_a_text_that_cannot_be_quantised_says_so() -> None:
    [row] = matrix(policy(LOADS), [device(point())], {"f3": [ValueType.TEXT]})
    assert cell(row.verdicts[0]) == "unenforceable-limit"


def test_without_conduits_there_is_nothing_to_tell_of() -> None:
    assert (
        list(matrix(policy(LOADS, conduits=[]), [device(point())], {"f3": [ValueType.F64]})) == []
    )

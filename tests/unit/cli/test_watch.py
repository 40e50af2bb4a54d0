import pytest

from otgate.cli.watch import label
from otgate.publish.payload import PointMeta

CODE = PointMeta(id="cb", kind="status", type="i64", states={"0": "open", "1": "closed"})
WORD = PointMeta(id="w", kind="status", type="u64", bits={"0": "trip", "3": "alarm", "63": "last"})


@pytest.mark.parametrize(
    ("value", "meta", "shown"),
    [
        (1, CODE, "closed"),
        (True, CODE, "closed"),
        (7, CODE, None),
        (1.0, CODE, None),
        (9, WORD, "trip, alarm"),
        (0, WORD, ""),
        (str(2**63 + 1), WORD, "trip, last"),
        ("text", WORD, None),
    ],
)
def test_codes_and_bits_are_shown_by_their_names(
    value: object, meta: PointMeta, shown: str | None
) -> None:
    assert label(value, meta) == shown

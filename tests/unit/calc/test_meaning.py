import pytest

from calculating import BOOL, F64, I64, TEXT, U64, known
from otgate.calc.meaning import Known, Meaning, meaning
from otgate.calc.parse import parse
from otgate.calc.tree import BadExpression
from otgate.model import ValueType

POINTS = known(
    a=(F64, "A"),
    v=(F64, "V"),
    kw=(F64, "kW"),
    w=(F64, "W"),
    bags=(F64, "bags"),
    n=I64,
    u=U64,
    on=BOOL,
    cb=Known(I64, states={1: "open", 2: "closed"}),
    other=Known(I64, states={1: "off", 2: "on"}),
    door=Known(BOOL, states={0: "shut", 1: "ajar"}),
    alarms=Known(I64, states={0: "trip"}, flags=True),
    mode=TEXT,
)


def read(text: str) -> Meaning:
    return meaning(parse(text), POINTS)


def wrong(text: str) -> tuple[str, str, str, str]:
    with pytest.raises(BadExpression) as bad:
        read(text)
    start, end = bad.value.span
    return bad.value.code, bad.value.message, bad.value.help, text[start:end]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("d/n + d/n", I64), ("d/n + d/a", F64), ("d/n / 2", F64), ("d/u * 2", I64),
        ("d/n > 2", BOOL), ("not d/on", BOOL), ("mean(d/n, d/n)", F64), ("max(d/n, 3)", I64),
        ("d/cb == 'open'", BOOL), ("d/mode == 'auto'", BOOL), ("if(d/on, d/n, 1.5)", F64),
        ("if(d/on, d/cb, d/cb)", I64), ("valid(d/mode)", BOOL), ("d/u", I64), ("d/n ^ 3", I64),
        ("abs(-d/n)", I64), ("sqrt(d/n)", F64), ("if(d/on, 'open', d/cb)", I64),
    ],
)  # fmt: skip
def test_whole_numbers_stay_whole_until_something_is_not(text: str, kind: ValueType) -> None:
    assert read(text).term.kind is kind


@pytest.mark.parametrize(
    ("text", "code", "message", "help_", "there"),
    [
        ("d/a + d/v", "unit-clash", "`A` and `V` measure different things", "like units", "d/v"),
        ("d/kw + d/w", "unit-clash", "`kW` and `W` differ in size", "`* 1000`", "d/w"),
        ("d/kw > d/w", "unit-clash", "`kW` and `W` differ in size", "`* 1000`", "d/w"),
        ("max(d/kw, 3, d/a)", "unit-clash", "`kW` and `A` measure different things", "", "d/a"),
        ("if(d/on, d/kw, d/a)", "unit-clash", "`kW` and `A` measure", "", "d/a"),
        ("d/a * d/v + d/a", "unit-clash", "`A·V` and `A` measure different", "", "d/a"),
        ("d/cb + 1", "wrong-operand", "a state is no number", "`open`, `closed`", "d/cb"),
        ("d/on + 1", "wrong-operand", "expected a number, this is true or false", "if(", "d/on"),
        ("d/a and d/on", "wrong-operand", "expected true or false, this is a number", "> 0", "d/a"),
        ("d/cb == 'ajar'", "wrong-operand", "no state is called `ajar`", "`open`", "'ajar'"),
        ("d/cb == d/other", "wrong-operand", "the two have other states", "label", "d/other"),
        ("d/on == 1", "wrong-operand", "true or false and a whole number are never equal",
         "write the point alone", "d/on == 1"),
        ("d/a == 'x'", "wrong-operand", "a number and a text are never equal", "states",
         "d/a == 'x'"),
        ("if(d/on, d/cb, d/other)", "wrong-operand", "the branches have other states", "", None),
        ("if(d/on, d/on, d/a)", "wrong-operand", "one branch is true or false, the other a number",
         "like", None),
        ("if(d/a, 1, 2)", "wrong-operand", "expected true or false, this is a number", "", "d/a"),
        ("if(d/on, 1)", "wrong-operand", "`if` takes 3 operands, not 2", "`if(condition", None),
        ("max(d/a)", "wrong-operand", "`max` takes at least 2 operands, not 1", "`max(", None),
        ("d/a ^ d/a", "wrong-operand", "an exponent is a whole number as written", "sqrt", "d/a"),
        ("d/a ^ 9", "wrong-operand", "an exponent is a whole number as written", "from 2", "9"),
        ("d/mode", "wrong-operand", "a calculated point is a number, or true or false", "", None),
        ("'open'", "wrong-operand", "a calculated point is a number", "compare", "'open'"),
        ("1 + 2", "wrong-operand", "nothing of it is ever read from a device", "name a point",
         "1 + 2"),
        ("valid(1)", "wrong-operand", "a constant is always valid", "name a point", "1"),
        ("d/alarms > 1", "wrong-operand", "`d/alarms` is a set of flags", "", "d/alarms"),
        ("eval(d/a)", "bad-expression", "there is no function `eval`", "`abs`, `if`", "eval"),
        ("d/mode + 1", "wrong-operand", "expected a number, this is a text", "only compared",
         "d/mode"),
    ],
)  # fmt: skip
def test_what_means_nothing_is_said_at_its_place(
    text: str, code: str, message: str, help_: str, there: str | None
) -> None:
    said = wrong(text)
    assert said[0] == code
    assert message in said[1]
    assert help_ in said[2]
    assert there is None or said[3] == there


@pytest.mark.parametrize(
    "text",
    ["d/kw * 1000 + d/w", "d/w / 1000 + d/kw", "d/a * d/v + d/w", "d/a + 5", "sqrt(d/kw ^ 2)",
     "d/kw > 5", "-d/a + d/a", "d/w / d/v + d/a", "if(d/on, d/a, 0)"],
)  # fmt: skip
def test_what_is_converted_or_plain_goes_together(text: str) -> None:
    assert read(text)


def test_a_unit_that_nobody_knows_is_a_doubt_and_no_error() -> None:
    POINTS.doubts.clear()
    assert read("d/bags + d/a")
    assert POINTS.doubts == ["`bags` and `A` may not go together"]


def test_a_label_is_its_code_or_its_truth() -> None:
    assert read("d/cb == 'closed'").term.parts[1].value == 2
    assert read("'closed' == d/cb").term.parts[0].value == 2
    assert read("d/door == 'ajar'").term.parts[1].value is True


def test_a_choice_between_states_keeps_their_labels() -> None:
    assert read("if(d/on, d/cb, d/cb)").states == {1: "open", 2: "closed"}


def test_equal_formulas_are_equal_wherever_they_stand() -> None:
    assert read("d/a + 1").term == read("  (d/a)+1").term

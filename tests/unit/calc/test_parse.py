import pytest

from otgate.calc.parse import DEEPEST, MOST_PARTS, parse
from otgate.calc.tokens import LONGEST
from otgate.calc.tree import BadExpression, Call, Name, Node, Number, Truth, Word


def spelled(node: Node) -> str:
    """Spell a tree with every bracket, so that it shows what binds stronger."""
    if isinstance(node, Call):
        return f"{node.name}({', '.join(map(spelled, node.operands))})"
    if isinstance(node, Name):
        return node.path
    if isinstance(node, Word):
        return repr(node.text)
    return str(node.value).lower() if isinstance(node, Truth) else str(node.value)


def wrong(text: str) -> tuple[str, str, str]:
    """Return what is said of an expression, the help, and the characters that are pointed at."""
    with pytest.raises(BadExpression) as bad:
        parse(text)
    start, end = bad.value.span
    return bad.value.message, bad.value.help, text[start:end]


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("f1/p + f2/p * 2", "+(f1/p, *(f2/p, 2))"),
        ("f1/p - f2/p - 1", "-(-(f1/p, f2/p), 1)"),
        ("(f1/p - f2/p) * 2", "*(-(f1/p, f2/p), 2)"),
        ("-f1/p ^ 2", "negative(^(f1/p, 2))"),
        ("-2 * f1/p", "*(negative(2), f1/p)"),
        ("f1/p > 1 and f2/p <= 2 or not d/x", "or(and(>(f1/p, 1), <=(f2/p, 2)), not(d/x))"),
        ("not f1/a == f1/b", "not(==(f1/a, f1/b))"),
        ("if(d/c, f1/p, 0.5)", "if(d/c, f1/p, 0.5)"),
        ("max(a/b, c/d,e/f)", "max(a/b, c/d, e/f)"),
        ("f1/p / 2", "/(f1/p, 2)"),
        ("f1/p/2", "/(f1/p, 2)"),
        ("f1/cb == 'open'", "==(f1/cb, 'open')"),
        ('f1/cb != "half open"', "!=(f1/cb, 'half open')"),
        ("2.5e3 * f1/p", "*(2500.0, f1/p)"),
        ("true and f-1/p_2", "and(true, f-1/p_2)"),
        ("2/p + 1", "+(2/p, 1)"),
    ],
)
def test_operators_bind_as_in_arithmetic(text: str, meant: str) -> None:
    assert spelled(parse(text)) == meant


@pytest.mark.parametrize(
    ("text", "message", "there"),
    [
        ("", "an expression says nothing", ""),
        ("f1/p +", "the expression ends too early", "+"),
        ("f1/p f2/p", "`f2/p` does not belong here", "f2/p"),
        ("(f1/p + 2", "this bracket is not closed", "("),
        ("f1/p + 2)", "`)` does not belong here", ")"),
        ("f1/p = 2", "`=` means nothing here", "="),
        ("f1/p && f2/p", "`&` means nothing here", "&"),
        ("f1/p + 'open", "the text that begins here does not end", "'open"),
        ("1 < f1/p < 2", "comparisons are not chained", "<"),
        ("voltage + 1", "`voltage` alone is not a point", "voltage"),
        ("max(f1/p,)", "`)` does not belong here", ")"),
        ("f1/p + * 2", "`*` does not belong here", "*"),
        ("f1/p + 9223372036854775808", "`9223372036854775808` is too large",
         "9223372036854775808"),
        ("1e400 * f1/p", "`1e400` is too large", "1e400"),
        ("__import__('os')", None, None),
        ("f1/p + or", "`or` does not belong here", "or"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_at_its_place(
    text: str, message: str | None, there: str | None
) -> None:
    if message is None:
        assert spelled(parse(text)) == "__import__('os')"  # a name like any: no such function
    else:
        assert wrong(text)[0] == message
        assert wrong(text)[2] == there


def test_a_slip_of_another_language_is_put_right() -> None:
    assert wrong("f1/p = 2")[1] == "equality is written `==`"
    assert wrong("f1/a && f1/b")[1] == "write `and`"
    assert wrong("a/b ? 1 : 2")[1] == "write `if(condition, this, that)`"
    assert wrong("1 < a/b < 2")[1] == "compare two at a time: `a < b and b < c`"


def test_depth_length_and_size_are_bounded() -> None:
    assert "nested more than" in wrong("(" * (DEEPEST + 1) + "f1/p" + ")" * (DEEPEST + 1))[0]
    assert "nested more than" in wrong("-" * (DEEPEST + 1) + "f1/p")[0]
    assert "operands and operators" in wrong("+".join(["a/b"] * MOST_PARTS))[0]
    assert f"at most {LONGEST}" in wrong(" " * LONGEST + "f1/p")[0]
    assert parse("(" * (DEEPEST - 1) + "f1/p" + ")" * (DEEPEST - 1))


def test_a_minus_without_spaces_is_part_of_an_id() -> None:
    assert spelled(parse("f1/a-b")) == "f1/a-b"
    assert spelled(parse("f1/a - f1/b")) == "-(f1/a, f1/b)"


def test_numbers_keep_whether_they_are_whole() -> None:
    whole, real = parse("2"), parse("2.0")
    assert isinstance(whole, Number)
    assert isinstance(real, Number)
    assert isinstance(whole.value, int)
    assert isinstance(real.value, float)

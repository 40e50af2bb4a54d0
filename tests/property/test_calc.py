"""Formulas and windows against the same said in plain Python, and any text against the parser."""

import math
import time
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from calc_reference import Stood, evaluated, windowed
from calculating import BOOL, F64, I64, Little, known, window
from otgate.calc.meaning import meaning
from otgate.calc.parse import parse
from otgate.calc.program import Program
from otgate.calc.states import Newest, Slots
from otgate.calc.tokens import LONGEST
from otgate.calc.tree import BadExpression
from otgate.model import Origin
from otgate.quality import Quality

GOOD, QUESTIONABLE = int(Quality.GOOD), int(Quality.QUESTIONABLE)
INVALID, NO_VALUE = int(Quality.INVALID), int(Quality.INVALID | Quality.NO_VALUE)
KINDS = {"r": F64, "s": F64, "i": I64, "j": I64, "p": BOOL, "q": BOOL}

reals = st.sampled_from(["d/r", "d/s", "d/i", "d/j", "0.5", "2", "7", "-1", "1e200", "0"])
truths = st.sampled_from(["d/p", "d/q", "true", "false"])


def grown(numbers: st.SearchStrategy[str], bools: st.SearchStrategy[str], depth: int) -> Any:
    """Return expressions that are numbers, and some that are true or false."""
    if not depth:
        return numbers, bools
    number, truth = grown(numbers, bools, depth - 1)
    more = st.one_of(
        number,
        st.tuples(number, st.sampled_from("+-*/"), number).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        st.tuples(st.sampled_from(["min", "max", "mean", "sum"]), number, number).map(
            lambda t: f"{t[0]}({t[1]}, {t[2]})"
        ),
        st.tuples(truth, number, number).map(lambda t: f"if({t[0]}, {t[1]}, {t[2]})"),
        number.map(lambda n: f"abs({n})"),
        number.map(lambda n: f"sqrt({n})"),
        number.map(lambda n: f"(-{n})"),
        number.map(lambda n: f"({n} ^ 3)"),
    )
    either = st.one_of(
        truth,
        st.tuples(number, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), number).map(
            lambda t: f"({t[0]} {t[1]} {t[2]})"
        ),
        st.tuples(truth, st.sampled_from(["and", "or", "==", "!="]), truth).map(
            lambda t: f"({t[0]} {t[1]} {t[2]})"
        ),
        truth.map(lambda t: f"(not {t})"),
        number.map(lambda n: f"valid(({n} + d/r))"),
    )
    return more, either


numbers, bools = grown(reals, truths, 3)
qualities = st.sampled_from(
    [GOOD, GOOD, QUESTIONABLE, INVALID, INVALID | Quality.COMM_LOST, NO_VALUE]
)
values = {
    F64: st.floats(allow_nan=False, allow_infinity=False),
    I64: st.integers(-(1 << 63), (1 << 63) - 1) | st.integers(-3, 3),
    BOOL: st.booleans(),
}
plants = st.fixed_dictionaries(
    {name: st.tuples(values[kind], qualities) for name, kind in KINDS.items()}
)


@settings(max_examples=150)
@given(numbers | bools, plants)
@example("(d/i * d/j)", {**dict.fromkeys(KINDS, (1, 0)), "i": (1 << 32, 0), "j": (1 << 31, 0)})
def test_any_formula_says_what_plain_python_says(text: str, plant: dict[str, Any]) -> None:
    try:
        term = meaning(parse(text), known(**KINDS)).term
    except BadExpression:
        return  # of constants only, or `==` of what is never equal
    little = Little({f"d/{name}": kind for name, kind in KINDS.items()}, {"x": text})
    little.read(1, **plant)
    points = {
        f"d/{name}": (None if quality & Quality.NO_VALUE else value, quality)
        for name, (value, quality) in plant.items()
    }
    wanted, quality = evaluated(term, points)
    said, got = little.last("x") if little.got["x"] else (wanted, Quality(quality))
    assert int(got) == quality
    if isinstance(wanted, float) and said is not None:
        assert math.isclose(said, wanted, rel_tol=1e-12)
    else:
        assert said == wanted


POINTS = [f"p{number}" for number in range(6)]
odd = st.sampled_from([0.0, -0.0, 1e308, -1e308, 1.7e308, math.nan, math.inf, 0.1])
sums = st.lists(st.lists(st.sampled_from(POINTS), min_size=2, max_size=12), min_size=1, max_size=5)
readings = st.tuples(st.floats(allow_nan=False) | odd, qualities)


@settings(max_examples=150)
@given(sums, st.fixed_dictionaries(dict.fromkeys(POINTS, readings)), st.booleans())
@example([["p0", "p0", "p1"]], dict.fromkeys(POINTS, (math.nan, 0)) | {"p0": (1e308, 0)}, True)  # noqa: FBT003
def test_sums_of_many_points_say_what_they_say_one_by_one(
    added: list[list[str]],
    plant: dict[str, Any],
    called: bool,  # noqa: FBT001  drawn
) -> None:
    texts = [[f"d/{name}" for name in names] for names in added]
    formulas = {
        f"x{number}": f"sum({', '.join(names)})" if called else " + ".join(names)
        for number, names in enumerate(texts)
    }
    little = Little({f"d/{name}": F64 for name in POINTS}, formulas)
    little.read(1, **plant)
    newest = little.engine._newest
    slots = np.array([newest.slots[f"c/{id_}"] for id_ in formulas], np.intp)
    together = told(newest, slots)
    for slot, text in zip(slots, formulas.values(), strict=True):
        term = meaning(parse(text), known(**dict.fromkeys(POINTS, F64))).term
        Program([term], np.array([slot]), newest).run(np.array([0]))
    assert told(newest, slots) == together, "to the last digit, and the sign of a zero"


def told(newest: Newest, slots: Slots) -> str:
    columns = newest.values[F64], newest.quality, newest.stamps
    return repr([column[slots].tolist() for column in columns])


# Windows

EVERY, GRACE = 10.0, 4.0
LOST = int(Quality.INVALID | Quality.COMM_LOST)
NAMES = ("min", "mean", "max", "count", "good_share", "last", "late")
moves = st.lists(
    st.tuples(
        st.sampled_from(["read", "read", "event", "event", "late", "mark", "reload"]),
        st.floats(0.1, 6.0).map(lambda s: round(s, 3)),
        st.integers(-50, 50).map(float),
        st.sampled_from([GOOD, GOOD, QUESTIONABLE, INVALID]),
        st.floats(0.0, 12.0).map(lambda s: round(s, 3)),
    ),
    max_size=40,
)


class Plain:
    """One point as lists: what stood, and the samples that were in time."""

    def __init__(self, start: float) -> None:
        self.stood = [Stood(None, NO_VALUE | int(Quality.NOT_YET_READ), start, math.inf)]
        self.in_time: list[tuple[float, Any, int]] = []
        self.late = 0
        self.closed = start // EVERY * EVERY
        self._newest = 0.0
        self._until = start
        self._marked = False

    def close(self, now: float) -> None:
        while self.closed + EVERY + GRACE <= now:
            self.closed += EVERY
            self._until = max(self._until, self.closed)

    def sample(self, at: float, value: float, quality: int, *, present: bool) -> None:
        self._marked = False
        if at >= self.closed:
            self.in_time.append((at, value, quality))
        else:
            self.late += 1
        if present or at >= self._newest:
            self._newest = at
            self.stand(at, value, quality)

    def mark(self, now: float) -> None:
        """Lose the device, which is said once until it is heard of again."""
        if not self._marked:
            self.stand(now, self.stood[-1].value, self.stood[-1].quality | LOST)
        self._marked = True

    def stand(self, at: float, value: Any, quality: int) -> None:
        self._until = max(at, self._until)
        self.stood[-1].end = self._until
        self.stood.append(Stood(value, quality, self._until, math.inf))


def following(now: float) -> Little:
    windows = {name: window("d/a", F64, name, EVERY, grace_s=GRACE) for name in NAMES}
    return Little({"d/a": F64}, windows, now_s=now)


def reloaded(little: Little, now: float) -> Little:
    fresh = following(now)
    fresh.engine.inherit(little.engine, {"d"})
    fresh.got = little.got
    return fresh


@settings(max_examples=80)
@given(moves, st.floats(1000.0, 1030.0).map(lambda s: round(s, 1)))
def test_any_stream_makes_the_windows_that_lists_make(
    stream: list[tuple[str, float, float, int, float]], start: float
) -> None:
    little, plain, now = following(start), Plain(start), start
    for what, wait, value, quality, late in stream:
        now = round(now + wait, 3)
        little.tick(now)
        plain.close(now)
        if what == "mark":
            little.mark(now, LOST, "a")
            plain.mark(now)
        elif what == "reload":
            little = reloaded(little, now)
        else:
            at = {"read": now, "event": round(now - late / 10, 3)}.get(what, round(now - late, 3))
            origin = Origin.INTEGRITY if what == "read" else Origin.EVENT
            little.take(little.batch("d", [("a", value, quality, at)], now, origin))
            plain.sample(at, value, quality, present=what == "read")
    for step in range(1, 8):
        little.tick(now + 4.0 * step)
    check(little, plain, start)


def check(little: Little, plain: Plain, start: float) -> None:
    """Compare every window that came with what the lists say of it."""
    assert sum(little.values("late")) == plain.late
    first = start // EVERY * EVERY
    for number, (_, _, end) in enumerate(little.got["mean"]):
        assert end == first + (number + 1) * EVERY
        wanted = windowed(plain.stood, plain.in_time, end - EVERY, end)
        got = {name: little.got[name][number] for name in NAMES}
        assert got["count"][0] == wanted["count"]
        assert math.isclose(got["good_share"][0], wanted["good_share"], abs_tol=1e-9)
        assert got["last"][0] == wanted["last"][0]
        assert (got["min"][0], got["max"][0]) == (wanted["min"], wanted["max"])
        if wanted["min"] is None:
            assert got["mean"][1] & NO_VALUE == NO_VALUE
            continue
        mean = wanted["min"] if wanted["mean"] is None else wanted["mean"]
        assert math.isclose(got["mean"][0], mean, abs_tol=1e-9)
        quality = wanted["quality"]
        quality |= 0 if wanted["whole"] else int(Quality.QUESTIONABLE | Quality.INACCURATE)
        quality |= int(Quality.QUESTIONABLE | Quality.RESTART) if start > end - EVERY else 0
        assert int(got["mean"][1]) == int(got["min"][1]) == quality


# The parser

pieces = st.sampled_from(
    ["d/a", "d/b ", "1", "2.5e3", "(", ")", ",", "+", "-", "*", "/", "^", "<", "==", "!=", "and ",
     "or ", "not ", "if(", "max(", "valid(", "'open'", '"', "true", "é", "\n", "__class__", " "]
)  # fmt: skip


@settings(max_examples=200)
@given(st.text(max_size=60) | st.lists(pieces, max_size=60).map("".join))
def test_any_text_is_an_expression_or_is_refused_at_a_place_within_it(text: str) -> None:
    start, end = refused(text)
    assert 0 <= start <= end <= max(1, len(text))


def refused(text: str) -> tuple[int, int]:
    """Return where a text is refused; nowhere is the beginning."""
    try:
        meaning(parse(text), known(a=F64, b=BOOL))
    except BadExpression as bad:
        return bad.span
    return 0, 0


@pytest.mark.parametrize("piece", ["(", "-", "not ", "d/a+", "max(", "d/a^", "if(true,", "'", "1"])
def test_the_longest_expressions_are_refused_at_once(piece: str) -> None:
    began = time.process_time()
    for _ in range(10):
        with pytest.raises(BadExpression):
            meaning(parse((piece * LONGEST)[:LONGEST]), known(a=F64))
    assert time.process_time() - began < 2.0

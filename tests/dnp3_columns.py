"""Hypothesis strategies for columns of every variation that the DNP3 master delivers."""

from hypothesis import strategies as st

from otgate_dnp3.stack.layouts import LAYOUTS, Layout, Shape
from otgate_dnp3.stack.points import GROUPS, Columns, TimeQuality

DELIVERED = sorted(
    kind
    for kind in LAYOUTS
    if kind[0] in GROUPS
    and kind[1] not in GROUPS[kind[0]].deltas
    and (kind[0] not in {110, 111} or kind[1] < 4)
    and kind not in {(50, 2), (50, 4)}
)
"""Every group and variation that is decoded, the octet strings by their shortest three."""

TIMES = st.integers(0, (1 << 48) - 1)
INTEGERS = {"i": (-(1 << 31), (1 << 31) - 1), "h": (-(1 << 15), (1 << 15) - 1)} | {
    "I": (0, (1 << 32) - 1),
    "H": (0, (1 << 16) - 1),
}
FLOATS = {"f": 32, "d": 64}


def _values(layout: Layout) -> st.SearchStrategy[object]:
    group = GROUPS[layout.group]
    if layout.shape in {Shape.BITS, Shape.PAIRS} or group.state_shift:
        return st.integers(0, 3 if group.state_shift == 6 else 1)
    if layout.shape is Shape.STRING:
        return st.binary(min_size=layout.size, max_size=layout.size)
    if layout.group in {50, 51}:
        return TIMES
    if layout.group == 52:
        return st.integers(0, 65535).map(lambda ms: ms * 1000 if layout.variation == 1 else ms)
    code = layout.structs[0].format.removeprefix("<").replace("B", "").removesuffix("HI") or "H"
    if code in FLOATS:
        return st.floats(width=32 if code == "f" else 64, allow_nan=False)
    return st.integers(*INTEGERS[code])


ANY = st.sampled_from(DELIVERED)


@st.composite
def columns(draw: st.DrawFn, kinds: st.SearchStrategy[tuple[int, int]] = ANY) -> Columns:
    """Columns of one block, indices a range."""
    group, variation = draw(kinds)
    layout, of = LAYOUTS[group, variation], GROUPS[group]
    length = draw(st.integers(1, 12))
    start = 0 if 50 <= group <= 52 else draw(st.integers(0, 300))

    def column(each: st.SearchStrategy[object]) -> list[object]:
        return draw(st.lists(each, min_size=length, max_size=length))

    made = Columns(
        group,
        variation,
        of.point_type,
        of.event,
        range(start, start + length),
        column(_values(layout)),
    )
    if "F" in layout or "S" in layout:
        most = (1 << of.state_shift) - 1 if of.state_shift else 255
        made.flags = column(st.integers(0, most))  # type: ignore[assignment]
    if "T" in layout and group not in {50, 51}:
        made.time_ms, made.time_quality = column(TIMES), TimeQuality.GIVEN  # type: ignore[assignment]
    if "R" in layout:
        base = draw(st.integers(0, 1 << 47))
        made.time_ms = [base + ms for ms in column(st.integers(0, 65535))]  # type: ignore[operator]
        made.time_quality = TimeQuality.SYNCHRONISED
    return made


def common_ms(made: Columns) -> int:
    """Return a common time that ``made`` can count from."""
    return min(made.time_ms or [0])

"""A cursor that was saved and restored can be rewound as if there had been no restart."""

import json

from hypothesis import given
from hypothesis import strategies as st

from otgate.spool.cursor import LaneCursor, Place

END = 20
EPOCHS = (5, 6, 8)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(EPOCHS), st.integers(0, END), st.integers(0, END), st.floats(0.0, 3.0)
    ),
    max_size=30,
)


class Played:
    """A cursor that has walked through three epochs and was told of these acknowledgements."""

    def __init__(self, steps: list[tuple[int, int, int, float]]) -> None:
        self.now_s = 100.0
        self.cursor = LaneCursor(lambda: self.now_s)
        self.cursor.stand_at(Place(EPOCHS[0], 0), 7)
        self.know(self.cursor)
        for epoch, one, other, pause_s in steps:
            self.cursor.acknowledge(epoch, min(one, other), max(one, other))
            self.now_s += pause_s

    @staticmethod
    def know(cursor: LaneCursor) -> None:
        cursor.next_epoch(5, END, 6, 7 + END)
        cursor.next_epoch(6, END, 8, 7 + 2 * END)

    def restarted(self, since_s: float) -> LaneCursor:
        later = LaneCursor(lambda: self.now_s)
        later.restore(json.loads(json.dumps(self.cursor.as_json(since_s))))
        self.know(later)
        return later


def missing(cursor: LaneCursor) -> list[tuple[int, int, int]]:
    return [
        (epoch, *part)
        for epoch in EPOCHS
        if epoch >= cursor.floor.epoch
        for part in cursor.missing(epoch, 0, END)
    ]


@given(STEPS, st.floats(0.0, 20.0))
def test_a_restart_changes_neither_what_is_acknowledged_nor_what_a_rewind_takes_back(
    steps: list[tuple[int, int, int, float]], back_s: float
) -> None:
    played = Played(steps)
    since_s = played.now_s - back_s
    later = played.restarted(since_s)
    assert missing(later) == missing(played.cursor)
    assert later.floor == played.cursor.floor
    played.cursor.rewind(since_s)
    later.rewind(played.now_s)
    assert missing(later) == missing(played.cursor)
    assert later.floor == played.cursor.floor
    assert later.base(later.floor.epoch) == played.cursor.base(later.floor.epoch)

"""Entries of a buffered block: whatever is cut, each is taken once, in order, or told lost."""

from itertools import islice

from hypothesis import given
from hypothesis import strategies as st

from otgate_sim.iec61850.buffering import Buffer

steps = st.lists(
    st.one_of(
        st.tuples(st.just("make"), st.integers(1, 8)),
        st.tuples(st.just("send"), st.integers(1, 8)),
        st.tuples(st.just("cut"), st.integers(0, 4)),
    ),
    max_size=40,
)


class Talk:
    """A buffer, and a client that loses what was under way when its association is cut."""

    def __init__(self, capacity: int) -> None:
        self.buffer = Buffer(capacity)
        self.taken: list[int] = []
        self.gaps = 0
        """How often it came back without an entry to resume after, or was refused."""

    def make(self, count: int) -> None:
        for at in range(count):
            self.buffer.add(at, (0,), (at,), (1,))

    def send(self, count: int) -> None:
        self.taken += [each.serial for each in islice(self.buffer.waiting(), count)]

    def cut(self, lost: int) -> None:
        """Lose the newest entries, come back, and resume after the newest that is left."""
        del self.taken[len(self.taken) - min(lost, len(self.taken)) :]
        if not self.taken or not self.buffer.resume(self.taken[-1].to_bytes(8)):
            self.gaps += 1
            self.buffer.resume(bytes(8))

    def run(self, script: list[tuple[str, int]]) -> None:
        for verb, count in script:
            getattr(self, verb)(count)
        self.send(1000)


@given(steps)
def test_each_entry_is_taken_once_and_in_order(script: list[tuple[str, int]]) -> None:
    talk = Talk(capacity=1000)
    talk.run(script)
    assert talk.taken == list(range(1, talk.buffer.made + 1))
    assert not talk.buffer.lost


@given(steps, st.integers(1, 6))
def test_what_a_small_buffer_loses_is_told(script: list[tuple[str, int]], capacity: int) -> None:
    talk = Talk(capacity)
    talk.run(script)
    missing = set(range(1, talk.buffer.made + 1)) - set(talk.taken)
    lost = {int.from_bytes(each) for each in talk.buffer.lost}
    assert talk.taken == sorted(talk.taken) or talk.gaps
    assert missing <= lost or talk.gaps
    assert talk.buffer.overflowed == bool(lost)

"""Find a name that fits what globs demand and forbid, or show that there is none.

A name is ``device/point``, two ids. Globs run side by side as automata; the states of one are the
bits of a whole number, bit i saying that the first i signs of a glob are behind. A search in width
over what they reach together is exact for every glob.
"""

import string
from collections import deque
from collections.abc import Iterable, Iterator
from enum import StrEnum
from functools import lru_cache
from itertools import chain
from typing import NamedTuple

LETTERS = string.ascii_lowercase + string.digits + "_-"
"""What ids are made of."""

MAX_ID = 64
"""Letters of the longest id."""

MAX_STATES = 20_000
"""States after which a search gives up: a fifth of a second or so."""

PLEASANT = "x" + LETTERS
"""Letters that no glob names stand for each other; the first of them that is free is shown."""


class Part(StrEnum):
    """What of a name a glob is matched against."""

    DEVICE = "device"
    PATH = "point"


class Term(NamedTuple):
    """A condition on a name: that one of ``globs`` matches it, or that none does."""

    part: Part
    globs: tuple[str, ...]
    wanted: bool


Terms = frozenset[Term]

RESERVED = "_gateway"
"""The gateway's own device, which no point map can have."""


class Tangled(Exception):
    """The globs reach more states together than are searched."""

    def __init__(self, terms: Iterable[Term]) -> None:
        super().__init__("globs too tangled to be decided")
        self.globs = tuple(sorted({glob for term in terms for glob in term.globs}))


class Automaton:
    """Runs some globs at once, letter by letter."""

    def __init__(self, globs: Iterable[str]) -> None:
        self.stars = self.any_letter = self.finals = self.sure = 0
        self.moves: dict[str, int] = {}
        self.begin = 0
        place = 0
        for glob in globs:
            first = place
            for sign in signs(glob):
                self._add(sign, 1 << place)
                place += 1
            self.begin |= 1 << first
            self.finals |= 1 << place
            self.sure |= (1 << place - 1) & self.stars if place > first else 0
            place += 1
        self.begin = self._past_stars(self.begin)

    def _add(self, sign: str, bit: int) -> None:
        if sign == "*":
            self.stars |= bit
        elif sign == "?":
            self.any_letter |= bit
        else:
            self.moves[sign] = self.moves.get(sign, 0) | bit

    def _past_stars(self, states: int) -> int:
        return states | (states & self.stars) << 1

    def step(self, states: int, letter: str) -> int:
        """Return the states after one more letter."""
        moved = (states & (self.moves.get(letter, 0) | self.any_letter)) << 1
        return self._past_stars(moved | states & self.stars)

    def holds(self, states: int) -> bool:
        """Tell whether a glob matches what has been read."""
        return bool(states & self.finals)


def signs(glob: str) -> Iterator[str]:
    """Return the letters and wildcards of ``glob``; stars in a row are one."""
    before = ""
    for sign in glob:
        if not sign == before == "*":
            yield sign
        before = sign


class State(NamedTuple):
    """What has been read: which part it is in, how much of it, and where each automaton stands."""

    part: Part
    letters: int
    standing: tuple[int, ...]


@lru_cache(maxsize=65_536)
def named(terms: Terms) -> str | None:
    """Return a shortest name for which all ``terms`` hold, or None if no name is conceivable.

    Raises:
        Tangled: it takes more than MAX_STATES to say.
    """
    if not terms:
        return "x/x"
    found = Search(terms).run()
    if found is not None and not possible(found):
        reserved = Term(Part.DEVICE, (RESERVED,), wanted=False)
        return Search({*terms, reserved}, most=MAX_ID).run()
    return found


def possible(name: str) -> bool:
    """Tell whether the ids of ``name`` may be given to a device and a point."""
    device, _, point = name.partition("/")
    return device != RESERVED and len(device) <= MAX_ID and len(point) <= MAX_ID


class Search:
    """One search in width for a name.

    ``most`` is how many letters of an id are counted: 1 tells an empty id from another, MAX_ID
    keeps ids as short as they have to be and takes that many times the states.
    """

    def __init__(self, terms: Iterable[Term], most: int = 1) -> None:
        self.terms = list(merged(terms))
        self.automata = [Automaton(term.globs) for term in self.terms]
        self.most = most
        spoken = {letter for automaton in self.automata for letter in automaton.moves}
        free = [letter for letter in PLEASANT if letter not in spoken]
        self.letters = [*free[:1], *(letter for letter in LETTERS if letter in spoken), "/"]

    def run(self) -> str | None:
        """Return a shortest name, or None."""
        first = State(Part.DEVICE, 0, tuple(automaton.begin for automaton in self.automata))
        came: dict[State, tuple[State, str] | None] = {first: None}
        waiting = deque([first])
        while waiting:
            state = waiting.popleft()
            if self.complete(state):
                return spelled(came, state)
            for letter in self.letters:
                after = self.step(state, letter)
                if after is not None and after not in came:
                    came[after] = (state, letter)
                    waiting.append(after)
            if len(came) > MAX_STATES:
                raise Tangled(self.terms)
        return None

    def complete(self, state: State) -> bool:
        """Tell whether what has been read is a name for which every term holds."""
        return (
            state.part is Part.PATH and state.letters > 0 and self.held(state.standing, Part.PATH)
        )

    def held(self, standing: tuple[int, ...], part: Part) -> bool:
        """Tell whether the terms about ``part`` hold if it ends here."""
        return all(
            automaton.holds(states) is term.wanted
            for term, automaton, states in zip(self.terms, self.automata, standing, strict=True)
            if term.part is part
        )

    def step(self, state: State, letter: str) -> State | None:
        """Return the state after one more letter, or None if no name begins so."""
        part, letters = state.part, min(state.letters + 1, self.most)
        if letter == "/":
            if part is Part.PATH or not state.letters or not self.held(state.standing, part):
                return None
            part, letters = Part.PATH, 0
        elif self.most == MAX_ID == state.letters:
            return None
        standing = []
        for term, automaton, states in zip(self.terms, self.automata, state.standing, strict=True):
            over = term.part is Part.DEVICE and part is Part.PATH
            after = 0 if over else automaton.step(states, letter)
            if not over and lost(term, automaton, after):
                return None
            standing.append(after)
        return State(part, letters, tuple(standing))


def merged(terms: Iterable[Term]) -> Iterator[Term]:
    """Return ``terms`` with one for all that a part must not match, after those it has to."""
    given = sorted(terms)
    yield from (term for term in given if term.wanted)
    for part in Part:
        refused = [term.globs for term in given if term.part is part and not term.wanted]
        if refused:
            yield Term(part, tuple(chain.from_iterable(refused)), wanted=False)


def lost(term: Term, automaton: Automaton, states: int) -> bool:
    """Tell whether ``term`` fails however the name goes on."""
    return not states if term.wanted else bool(states & automaton.sure)


def spelled(came: dict[State, tuple[State, str] | None], state: State) -> str:
    """Return the letters that led to ``state``."""
    letters = []
    while (step := came[state]) is not None:
        state, letter = step
        letters.append(letter)
    return "".join(reversed(letters))

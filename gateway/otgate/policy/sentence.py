"""Assertions as one line of text: ``never tags_any=protection on analytics``."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from otgate.model import Kind, Sensitivity
from otgate.policy.finding import nearest
from otgate.policy.language import Assertion, Match

GLOB = re.compile(r"[a-z0-9_*?/-]{1,130}")
SHAPE = "write `never KEY=WORD,… … on CONDUIT,…`, such as `never tags_any=protection on analytics`"
SENSITIVITIES = {level.name.lower(): level for level in Sensitivity}


class Unclear(Exception):
    """A sentence that says no assertion. ``help`` is what to write instead."""

    def __init__(self, message: str, help_: str = SHAPE) -> None:
        super().__init__(message)
        self.help = help_


def read(sentence: str) -> Assertion:
    """Return the assertion that ``sentence`` says.

    Raises:
        Unclear: it says none.
    """
    never, *words = sentence.split() or [""]
    if never != "never":
        raise Unclear("an assertion begins with `never`")
    end = words.index("on") if "on" in words else len(words)
    conduits = [name for word in words[end + 1 :] for name in word.split(",") if name]
    if end < len(words) and not conduits:
        raise Unclear("no conduit after `on`")
    return Assertion(read_match(words[:end]), None if everywhere(conduits) else frozenset(conduits))


def everywhere(conduits: Sequence[str]) -> bool:
    """Tell whether every conduit is meant."""
    return not conduits or conduits == ["all"]


def read_match(words: Sequence[str]) -> Match:
    """Return the match that ``words`` of the form ``key=word,word`` say."""
    given: dict[str, Any] = {}
    for word in words:
        key, _, listed = word.partition("=")
        if key not in FORMS:
            raise Unclear(f"no attribute `{key}`", nearest(key, FORMS))
        if not all(listed.split(",")):
            raise Unclear(f"`{word}` names nothing", f"write `{key}=WORD` or `{key}=WORD,WORD`")
        if key in given:
            raise Unclear(f"`{key}` is given twice", f"write `{key}=WORD,WORD`")
        given[key] = FORMS[key](listed.split(","))
    return Match(**given)


def one_of(what: str, words: Mapping[str, Any]) -> Callable[[Sequence[str]], frozenset[Any]]:
    """Return how to read a list of ``words``, each of which is a ``what``."""

    def read_words(listed: Sequence[str]) -> frozenset[Any]:
        for word in listed:
            if word not in words:
                raise Unclear(f"`{word}` is no {what}", nearest(word, words))
        return frozenset(words[word] for word in listed)

    return read_words


def globs(listed: Sequence[str]) -> tuple[str, ...]:
    """Read a list of globs."""
    for glob in listed:
        if not GLOB.fullmatch(glob):
            raise Unclear(f"`{glob}` is no glob", "write `a-z`, `0-9`, `_`, `-`, `/`, `*` and `?`")
    return tuple(listed)


FORMS: Mapping[str, Callable[[Sequence[str]], Any]] = {
    "kind": one_of("kind", {str(kind): kind for kind in Kind}),
    "tags_all": frozenset,
    "tags_any": frozenset,
    "tags_none": frozenset,
    "zone": frozenset,
    "sensitivity": one_of("sensitivity", SENSITIVITIES),
    "device": globs,
    "point": globs,
}
"""How each attribute of a match is read."""


def said(assertion: Assertion) -> str:
    """Return ``assertion`` as `read` takes it."""
    conduits = "all" if assertion.on is None else ",".join(sorted(assertion.on))
    return " ".join(["never", *match_words(assertion.never), "on", conduits])


def match_words(match: Match) -> list[str]:
    """Return ``match`` as words of the form ``key=word,word``."""
    levels = None if match.sensitivity is None else sorted(match.sensitivity)
    given: dict[str, Sequence[str]] = {
        "kind": sorted(match.kind or ()),
        "tags_all": sorted(match.tags_all),
        "tags_any": sorted(match.tags_any or ()),
        "tags_none": sorted(match.tags_none),
        "zone": sorted(match.zone or ()),
        "sensitivity": [level.name.lower() for level in levels or ()],
        "device": match.device or (),
        "point": match.point or (),
    }
    return [f"{key}={','.join(words)}" for key, words in given.items() if words]

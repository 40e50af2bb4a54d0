"""A finding: something wrong with a policy, as a value that names the entry it is about."""

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from heapq import nsmallest

Where = tuple[str | int, ...]
"""Keys and list positions of ``policy.yaml``; a word below a list is the item of that value."""


class Weight(StrEnum):
    """Whether the policy is refused because of a finding."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing wrong with a policy, and what to write instead.

    ``where`` spells keys as the file does, ``("rules", 2, "match", "tags_any", "feedr")``.
    """

    code: str
    where: Where
    message: str
    help: str = ""
    severity: Weight = Weight.ERROR


COMPARED, SHOWN = 1000, 12
"""Words that one is compared with, and words that are listed."""


def nearest(word: str, known: Iterable[str]) -> str:
    """Suggest what was probably meant by ``word``."""
    words = list(known)
    close = get_close_matches(word, sorted(words), n=1) if len(words) <= COMPARED else []
    if close:
        return f"did you mean `{close[0]}`?"
    shown = ", ".join(f"`{known_word}`" for known_word in nsmallest(SHOWN, words)) or "none"
    more = f" and {len(words) - SHOWN:,} more" if len(words) > SHOWN else ""
    return f"declared: {shown}{more}"

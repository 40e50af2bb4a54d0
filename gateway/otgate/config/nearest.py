"""What the user probably meant."""

from collections.abc import Iterable
from difflib import get_close_matches
from heapq import nsmallest

MOST = 1000
"""Words that one is compared with; of more than that, none is suggested."""


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the word of ``known`` that looks most like ``word``, if one does."""
    names = list(known)
    close = get_close_matches(word[:100].lower(), names if len(names) <= MOST else [], n=1)
    return close[0] if close else None


def did_you_mean(word: str, known: Iterable[str], *, otherwise: str = "known") -> str:
    """Suggest the nearest of ``known``, else list them."""
    words = set(known)
    names = nsmallest(MOST + 1, words)
    if close := nearest(word, names):
        return f"did you mean `{close}`?"
    shown = ", ".join(f"`{name}`" for name in names[:12])
    more = f" and {len(words) - 12:,} more" if len(words) > 12 else ""
    return f"{otherwise}: {shown}{more}" if names else ""

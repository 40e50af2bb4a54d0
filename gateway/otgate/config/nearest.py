"""What the user probably meant."""

from collections.abc import Iterable
from difflib import get_close_matches


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Return the word of ``known`` that looks most like ``word``, if one does."""
    close = get_close_matches(word[:100].lower(), list(known), n=1, cutoff=0.6)
    return close[0] if close else None


def did_you_mean(word: str, known: Iterable[str], *, otherwise: str = "known") -> str:
    """Suggest the nearest of ``known``, else list them."""
    names = sorted(set(known))
    if close := nearest(word, names):
        return f"did you mean `{close}`?"
    shown = ", ".join(f"`{name}`" for name in names[:12])
    more = f" and {len(names) - 12} more" if len(names) > 12 else ""
    return f"{otherwise}: {shown}{more}" if names else ""

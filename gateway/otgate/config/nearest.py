"""What the user probably meant."""

from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(word: str, known: Iterable[str], *, otherwise: str = "known") -> str:
    """Suggest the nearest of ``known``, else list them."""
    names = sorted(set(known))
    close = get_close_matches(word[:100].lower(), names, n=1, cutoff=0.6)
    if close:
        return f"did you mean `{close[0]}`?"
    shown = ", ".join(f"`{name}`" for name in names[:12])
    more = f" and {len(names) - 12} more" if len(names) > 12 else ""
    return f"{otherwise}: {shown}{more}" if names else ""

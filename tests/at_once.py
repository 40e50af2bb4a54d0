"""Work in several threads that change places as often as the interpreter lets them."""

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

OFTEN_S = 1e-6


def at_once(work: Callable[[int], object], threads: int = 4) -> None:
    """Call ``work`` in each thread, with its number; raise what one of them raised."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(OFTEN_S)
    try:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(work, range(threads)))
    finally:
        sys.setswitchinterval(before)

import ctypes
import gc
import subprocess
import sys
from collections.abc import Iterator

import pytest

from otgate.app.loop import one_arena, settle, trim


@pytest.fixture
def thawed() -> Iterator[None]:
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("thawed")
def test_what_start_up_built_is_out_of_the_collectors_way() -> None:
    before = gc.get_freeze_count()
    settle()
    assert gc.get_freeze_count() > before


def test_a_c_library_without_these_calls_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _: object())
    trim()
    one_arena()


THREADS = """
import asyncio
from pathlib import Path
from otgate.app.loop import run

def arenas():
    spans = [line.split() for line in Path("/proc/self/maps").read_text().splitlines()]
    sizes = [int(b, 16) - int(a, 16) for a, b in (s[0].split("-") for s in spans if s[1] == "---p")]
    return sum(60 << 20 < size < 64 << 20 for size in sizes)

async def main():
    held = await asyncio.to_thread(lambda: [bytes(1000) for _ in range(1000)])
    return 10 + arenas()

raise SystemExit(run(main()))
"""


def test_threads_take_memory_from_one_place() -> None:
    """Each further arena reserves 64 MB of addresses, little of which can be touched."""
    done = subprocess.run([sys.executable, "-c", THREADS], check=False)
    assert done.returncode == 10

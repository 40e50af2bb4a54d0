import os
import resource
from collections.abc import Iterator

import pytest

from otgate.errors import LinkLost
from otgate.supervisor.reserve import RESERVE, keep_reserve

LIMIT = 256


@pytest.fixture
def few_files() -> Iterator[None]:
    """No more than so many open files."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (LIMIT, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def filled(but: int) -> list[int]:
    """Open files until only ``but`` more can be."""
    held: list[int] = []
    while True:
        try:
            held.append(os.open(os.devnull, os.O_RDONLY))
        except OSError:
            break
    for _ in range(but):
        os.close(held.pop())
    return held


@pytest.mark.parametrize(("free", "refused"), [(RESERVE, False), (RESERVE - 1, True), (0, True)])
def test_a_link_is_refused_where_it_would_take_of_the_reserve(
    few_files: None, free: int, *, refused: bool
) -> None:
    held = filled(but=free)
    said = ""
    try:
        keep_reserve()
    except LinkLost as lost:
        said = str(lost)
    finally:
        for descriptor in held:
            os.close(descriptor)
    assert bool(said) is refused
    assert not refused or f"{LIMIT} are allowed" in said

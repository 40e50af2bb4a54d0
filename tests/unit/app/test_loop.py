import ctypes
import gc
from collections.abc import Iterator

import pytest

from otgate.app.loop import settle, trim


@pytest.fixture
def thawed() -> Iterator[None]:
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("thawed")
def test_what_start_up_built_is_out_of_the_collectors_way() -> None:
    before = gc.get_freeze_count()
    settle()
    assert gc.get_freeze_count() > before


def test_a_c_library_that_cannot_trim_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes, "CDLL", lambda _: object())
    trim()

"""Which event loop a test runs on, and who watches it.

A test runs on plain asyncio. Marked ``both_loops`` (tests with real sockets) it runs twice: on
asyncio in debug mode, where a blocking call made by our code fails the test, and on uvloop.
Marked ``virtual_time`` its timers cost no time: an hour passes in less than a second. Sockets work,
but a peer that answers late is overtaken by the clock.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from importlib import import_module
from importlib.util import find_spec

import looptime
import pytest
import structlog
from blockbuster import blockbuster_ctx
from hypothesis import HealthCheck, settings

settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")  # how long an example takes says how busy the machine is

Loops = Mapping[str, Callable[[], asyncio.AbstractEventLoop]]

OURS = ["otgate", "otgate_dnp3", "otgate_iec61850", "otgate_modbus", "otgate_sim"]


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "both_loops: runs on asyncio in debug mode and on uvloop")
    config.addinivalue_line("markers", "virtual_time: an hour of timers takes no time")


def pytest_asyncio_loop_factories(config: pytest.Config, item: pytest.Item) -> Loops:
    if item.get_closest_marker("virtual_time") is not None:
        return {"virtual": looptime.new_event_loop}
    if item.get_closest_marker("both_loops") is None:
        return {"asyncio": asyncio.new_event_loop}
    if find_spec("uvloop") is None:  # an interpreter or machine without a wheel
        return {"debug": Debugging}
    return {"debug": Debugging, "uvloop": import_module("uvloop").new_event_loop}


class Debugging(asyncio.SelectorEventLoop):
    """A loop in debug mode, whatever the runner says afterwards."""

    def set_debug(self, enabled: bool) -> None:  # noqa: FBT001 - asyncio's signature
        super().set_debug(True)


@pytest.fixture(autouse=True)
def logs_as_before() -> Iterator[None]:
    """Let no test that runs a verb decide what the tests after it log."""
    before = structlog.get_config()
    yield
    structlog.configure(**before)


@pytest.fixture(autouse=True)
def nothing_blocks(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail a ``both_loops`` test whose loop is blocked by a call that our own code makes."""
    if request.node.get_closest_marker("both_loops") is None:
        yield
        return
    with blockbuster_ctx(OURS):
        yield

"""The test loops are what conftest says they are."""

import asyncio
import time

import pytest


@pytest.mark.both_loops
async def test_a_socket_test_runs_on_debugging_asyncio_and_on_uvloop(
    request: pytest.FixtureRequest,
) -> None:
    loop = asyncio.get_running_loop()
    if "[uvloop]" in request.node.name:
        assert type(loop).__module__.startswith("uvloop")
    else:
        assert loop.get_debug()


@pytest.mark.virtual_time
async def test_a_virtual_hour_takes_no_time() -> None:
    began, loop = time.monotonic(), asyncio.get_running_loop()
    start = loop.time()
    for _ in range(60):
        await asyncio.sleep(60)
    assert loop.time() - start == pytest.approx(3600)
    assert time.monotonic() - began < 1.0

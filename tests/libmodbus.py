"""A server of libmodbus, the C library, compiled and run for a test."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import pytest

SOURCE = Path(__file__).with_name("libmodbus_server.c")
HEADER = Path("/usr/include/modbus/modbus.h")
UNIT = 17
"""Of the server on a line; over TCP it takes any."""


@cache
def program() -> Path:
    """Compile the server, once a process, or skip where that cannot be."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None or not HEADER.exists():
        pytest.skip("no C compiler or no libmodbus: apt-get install gcc libc6-dev libmodbus-dev")
    made = Path(mkdtemp(prefix="libmodbus")) / "server"
    subprocess.run([compiler, "-O1", "-o", made, SOURCE, "-lmodbus"], check=True)
    return made


@contextmanager
def serving(*arguments: str) -> Iterator[str]:
    """Run the server for the length of the block; yields where it says that it listens."""
    server = subprocess.Popen([program(), *arguments], stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    try:
        where = server.stdout.readline().strip()
        assert where, "the server did not start"
        yield where
    finally:
        server.kill()
        server.wait()
        server.stdout.close()

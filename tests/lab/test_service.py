"""Both sides as a service manager runs them: what they tell it."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from brokers import Mosquitto, broker
from daemons import simulated, wait_until, write_site

__all__ = ["broker"]

pytestmark = pytest.mark.lab


@contextmanager
def managed(folder: Path, *words: object) -> Iterator[tuple[subprocess.Popen[bytes], list[str]]]:
    """Run `otgate` with a socket to tell, and yield the process and what it has told so far."""
    told: list[str] = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        path = folder / f"notify-{words[0]}"
        manager.bind(str(path))
        manager.settimeout(0.05)
        env = {**os.environ, "NOTIFY_SOCKET": str(path), "WATCHDOG_USEC": "900000"}
        process = subprocess.Popen([sys.executable, "-m", "otgate", *map(str, words)], env=env)

        class Told(list[str]):
            def __contains__(self, word: object) -> bool:
                with suppress(TimeoutError):
                    told.extend(manager.recv(4096).decode().splitlines())
                return word in told

        try:
            yield process, Told()
        finally:
            process.kill()
            process.wait()


def test_sides_are_ready_once_they_run_and_end_when_told(tmp_path: Path, broker: Mosquitto) -> None:
    site = write_site(tmp_path / "site", broker.port)
    with simulated(site) as endpoints:
        field = managed(tmp_path, "run", site, "--field", "--endpoints", endpoints)
        bus = managed(tmp_path, "bus", site / "bus/analytics.yaml")
        with field as (process, told), bus as (_, bus_told):
            wait_until(lambda: "READY=1" in told)
            assert (site / "run/field.sock").is_socket()
            wait_until(lambda: "WATCHDOG=1" in told)
            wait_until(lambda: "READY=1" in bus_told)
            wait_until(lambda: "WATCHDOG=1" in bus_told)
            process.send_signal(signal.SIGTERM)
            assert process.wait(10) == 0

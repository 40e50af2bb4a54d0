"""What the kernel tells of processes that run: confined ones, bare ones, one that is gone."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from confined import needs_landlock
from otgate.sandbox.outside import Protection, protections_of

CONFINED = """
import sys, threading
from otgate.sandbox.confine import confine
from otgate.sandbox.needs import Needs
{before}
confine(Needs())
print("ready", flush=True)
sys.stdin.read()
"""
THREAD = "threading.Thread(target=threading.Event().wait, daemon=True).start()"
FILTER, PRIVILEGES, RIGHTS = range(3)


@contextmanager
def talking(code: str) -> Iterator[int]:
    """A process that runs ``code`` until it is let go."""
    command = [sys.executable, "-c", code]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        yield process.pid
        process.communicate()


def in_force(found: Sequence[Protection]) -> list[bool]:
    return [one.in_force for one in found]


def test_a_confined_process_is_told_from_one_that_is_not() -> None:
    needs_landlock(1)
    with talking(CONFINED.format(before="")) as pid:
        assert in_force(protections_of(pid)) == [True, True, True]
    with talking("print('ready', flush=True); input()") as pid:
        bare = protections_of(pid)
    mine = Path("/proc/self/status").read_text()
    assert bare[FILTER].in_force == ("Seccomp:\t2" in mine)
    assert bare[PRIVILEGES].in_force == ("NoNewPrivs:\t1" in mine)


def test_one_thread_that_may_more_is_enough_to_say_so() -> None:
    needs_landlock(1)
    if "NoNewPrivs:\t1" in Path("/proc/self/status").read_text():
        pytest.skip("whoever runs these tests has given up privileges already")
    with talking(CONFINED.format(before=THREAD)) as pid:
        found = protections_of(pid)
    assert found[PRIVILEGES].words in {"1 of 2 threads", "2 of 2 threads"}
    assert in_force(found)[PRIVILEGES] == (found[PRIVILEGES].words == "2 of 2 threads")


def test_a_process_that_is_gone_is_an_error_and_no_protection() -> None:
    with pytest.raises(OSError, match=r"."):
        protections_of(2**22 + 1)

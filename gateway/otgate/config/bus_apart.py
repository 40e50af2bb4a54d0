"""Read a bus file in a process of its own, so that the one that publishes stays small.

What checks a file takes more memory than publishing does, and is needed once. Run as a module,
this is that other process: it answers on standard output.
"""

import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from otgate.config.bus_side import BusFile
from otgate.config.diagnostic import Diagnostic
from otgate.errors import Refused


def load_bus_apart(
    path: Path, meanwhile: Callable[[], object] = object
) -> tuple[BusFile | None, Sequence[Diagnostic]]:
    """Read a bus file as `otgate.config.bus.load_bus` does; call ``meanwhile`` while it is read.

    Raises:
        Refused: the process that reads it ended without an answer.
    """
    command = [sys.executable, "-m", __name__, os.fspath(path)]
    with subprocess.Popen(  # noqa: S603  our own interpreter and module
        command, stdout=subprocess.PIPE, process_group=0
    ) as reading:
        meanwhile()
        read, _ = reading.communicate()
    if reading.returncode:
        raise Refused(f"cannot read {path}: the process that does {ending(reading.returncode)}")
    answer: tuple[BusFile | None, Sequence[Diagnostic]] = pickle.loads(read)  # noqa: S301  our own
    return answer


def ending(code: int) -> str:
    """Say how a process ended."""
    return f"was ended by signal {-code}" if code < 0 else f"failed with exit code {code}"


def answer(path: str) -> None:
    """Read ``path`` and write what came of it to standard output."""
    from otgate.config.bus import load_bus  # noqa: PLC0415  only this process needs it

    read = pickle.dumps(load_bus(Path(path)))
    with suppress(BrokenPipeError), os.fdopen(1, "wb") as out:  # broken: nobody waits any more
        out.write(read)


if __name__ == "__main__":
    answer(sys.argv[1])

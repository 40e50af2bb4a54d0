"""Processes whose wall clock a test sets, while the clocks that nobody sets go on."""

import shutil
import struct
import subprocess
from pathlib import Path

import pytest

SOURCE = Path(__file__).with_suffix(".c")
NS = 10**9


class SteppingClock:
    """A wall clock for processes that are started with `prefix`."""

    def __init__(self, folder: Path) -> None:
        compiler = shutil.which("cc") or shutil.which("gcc")
        if compiler is None:
            pytest.skip("no C compiler: apt-get install gcc libc6-dev")
        self._library, self._file = folder / "stepping_clock.so", folder / "step"
        words = [compiler, "-shared", "-fPIC", "-O1", "-o", self._library, SOURCE, "-ldl"]
        subprocess.run(words, check=True, timeout=60)
        self.step(0)

    def step(self, seconds: float) -> None:
        """Let the clock be this far ahead of the machine's from now on."""
        value = struct.pack("q", round(seconds * NS))
        with self._file.open("r+b" if self._file.exists() else "wb") as file:
            file.write(value)

    @property
    def prefix(self) -> list[str]:
        """The command that runs another one by this clock."""
        return ["env", f"LD_PRELOAD={self._library}", f"STEPPING_CLOCK={self._file}"]

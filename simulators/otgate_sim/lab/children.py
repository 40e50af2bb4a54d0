"""The processes of a lab: started apart from the terminal, watched, and all stopped at the end."""

import asyncio
import os
import shutil
import sys
from asyncio.subprocess import Process
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from otgate.app.parent import stopped
from otgate.errors import Refused
from otgate.together import together

LOG_LINES = 12
"""Lines of a child's log that are shown when it dies."""


@dataclass(frozen=True, slots=True)
class Child:
    """A running process and the file with what it says."""

    name: str
    process: Process
    log: Path

    async def ended(self) -> None:
        """Wait for an end that nobody asked for.

        Raises:
            Refused: always, with the last lines of the log.
        """
        code = await self.process.wait()
        raise Refused(f"the {self.name} ended with {code}\n{self.last_words()}")

    def last_words(self) -> str:
        """Return the end of the log."""
        said = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(f"  {line}" for line in said[-LOG_LINES:])


@dataclass(slots=True)
class Children:
    """Every process of one lab. As a context it stops all of them, side by side."""

    directory: Path
    running: list[Child] = field(default_factory=list)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await asyncio.gather(*(stopped(child.process) for child in self.running))

    async def start(self, name: str, command: Sequence[str]) -> Child:
        """Start a process whose output goes to a file."""
        log = self.directory / f"{name.replace(' ', '-')}.log"
        with log.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        child = Child(name, process, log)
        self.running.append(child)
        return child

    async def otgate(self, name: str, *arguments: str) -> Child:
        """Start a verb of this otgate; it ends with this process."""
        parent = ("--parent", str(os.getpid()))
        return await self.start(name, [sys.executable, "-m", "otgate", *arguments, *parent])

    async def stop(self, child: Child) -> None:
        """Stop one process and stop watching it."""
        self.running.remove(child)
        await stopped(child.process)

    async def watch(self) -> None:
        """Wait until a process ends by itself.

        Raises:
            Refused: one did.
        """
        await together(*(child.ended() for child in self.running))


def dying_with_us(command: Sequence[str]) -> list[str]:
    """Return a foreign command that is stopped when this process dies, where setpriv can."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "TERM", "--", *command] if setpriv else list(command)

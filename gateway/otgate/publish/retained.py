"""Which retained messages brokers hold of ours, kept on disk so that none outlives its point."""

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from threading import Lock

import msgspec

from otgate.publish.message import Message, Retain
from otgate.spool.files import OS
from otgate.spool.state_file import StateFile


class RetainedTopics:
    """The topics under which something of ours is retained, across restarts."""

    def __init__(self, state: Path) -> None:
        self._file = StateFile(state / "retained.json", OS)
        self._writing = Lock()
        self._topics = _read(self._file)
        self._dirty = False

    def __len__(self) -> int:
        return len(self._topics)

    def add(self, topic: str) -> None:
        """Take note of a retained message before it is sent."""
        if topic not in self._topics:
            self._topics.add(topic)
            self._dirty = True

    def unwanted(self, wanted: Callable[[str], bool]) -> list[str]:
        """Return the topics that nothing stands behind any more."""
        return sorted(topic for topic in self._topics if not wanted(topic))

    def settled(self, message: Message) -> None:
        """Forget a topic once the broker has taken the empty message that clears it."""
        if message.retain is Retain.YES and not message.payload:
            self._topics.discard(message.topic)
            self._dirty = True

    def save(self) -> None:
        """Write the file if anything changed; what fails is left for the next time."""
        if self._dirty:
            self._dirty = False
            self._dirty = not self._write(self._spelled()) or self._dirty

    async def keep(self) -> None:
        """Do the same off the event loop, which a slow disk must not hold up."""
        if self._dirty:
            self._dirty = False
            written = await asyncio.to_thread(self._write, self._spelled())
            self._dirty = self._dirty or not written

    def _spelled(self) -> bytes:
        return msgspec.json.encode(sorted(self._topics))

    def _write(self, content: bytes) -> bool:
        with self._writing, contextlib.suppress(OSError):
            self._file.write(content)
            return True
        return False


def _read(file: StateFile) -> set[str]:
    try:
        return set(msgspec.json.decode(file.read(), type=list[str]))
    except (OSError, msgspec.DecodeError):
        return set()

"""Which retained messages brokers hold of ours, kept on disk so that none outlives its point."""

import contextlib
from collections.abc import Callable
from pathlib import Path

import msgspec

from otgate.publish.message import Message, Retain


class RetainedTopics:
    """The topics under which something of ours is retained, across restarts."""

    def __init__(self, state: Path) -> None:
        self._path = state / "retained.json"
        self._topics = _read(self._path)
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
        """Write the file if anything changed; a full disk leaves it for the next time."""
        if not self._dirty:
            return
        draft = self._path.with_suffix(".new")
        with contextlib.suppress(OSError):
            draft.write_bytes(msgspec.json.encode(sorted(self._topics)))
            draft.replace(self._path)
            self._dirty = False


def _read(path: Path) -> set[str]:
    try:
        return set(msgspec.json.decode(path.read_bytes(), type=list[str]))
    except (OSError, msgspec.DecodeError):
        return set()

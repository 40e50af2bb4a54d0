"""Topic names: ``{root}/v1/{site}/{gateway}/{conduit}/{device}/{class}``.

At most seven slashes and characters that every broker takes: some cloud brokers count slashes,
and one drops the connection on a ``.`` or a space.
"""

import re
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from otgate.errors import Refused

ALLOWED = "[A-Za-z0-9_-]"
VERSION = "v1"
GATEWAY = "_gateway"
"""The reserved device of the gateway itself."""
TOPIC_LIMIT = 256
"""Bytes of a topic that cloud brokers take."""

WORD = re.compile(f"{ALLOWED}+")


class MessageClass(StrEnum):
    """The last level of a topic: what its payloads are."""

    DATA = "data"
    EVENT = "event"
    REPLAY = "replay"
    META = "meta"
    STATUS = "status"
    GAP = "gap"
    LAST = "last"


@dataclass(frozen=True)
class Topics:
    """The topics of one conduit of one gateway.

    Raises:
        Refused: a part has a character that a topic level may not have.
    """

    root: str
    site: str
    gateway: str
    conduit: str

    def __post_init__(self) -> None:
        for part in (self.site, self.gateway, self.conduit):
            if not WORD.fullmatch(part):
                raise Refused(f"{part!r} cannot be a topic level: only A-Z a-z 0-9 _ -")

    @cached_property
    def prefix(self) -> str:
        """Everything before the device."""
        return f"{self.root}/{VERSION}/{self.site}/{self.gateway}/{self.conduit}"

    def topic(self, device: str, message_class: MessageClass, leaf: str = "") -> str:
        """Return the topic of ``device``; ``leaf`` is a hash below meta, a point below last."""
        whole = f"{self.prefix}/{device}/{message_class}"
        return f"{whole}/{leaf}" if leaf else whole

    @cached_property
    def status(self) -> str:
        """The gateway's own status topic, which carries the will."""
        return self.topic(GATEWAY, MessageClass.STATUS)


@dataclass(frozen=True, slots=True)
class Address:
    """What a topic says about its message."""

    site: str
    gateway: str
    conduit: str
    device: str
    message_class: MessageClass
    leaf: str = ""


def read_topic(topic: str, root: str) -> Address | None:
    """Read a topic back, or return None if it is not one of ours below ``root``."""
    head = f"{root}/{VERSION}/"
    levels = topic.removeprefix(head).split("/")
    if not topic.startswith(head) or not 5 <= len(levels) <= 6 or not all(levels):
        return None
    if levels[4] not in MessageClass.__members__.values():
        return None
    site, gateway, conduit, device, message_class = levels[:5]
    return Address(site, gateway, conduit, device, MessageClass(message_class), "".join(levels[5:]))

"""Messages set aside because the broker does not take them: on disk, counted, said once."""

import base64
import contextlib
import os
from collections import Counter
from pathlib import Path

import msgspec
import structlog

from otgate.publish.message import Claim, Message, Outcome
from otgate.spool.files import FILE_MODE

FILE_LIMIT = 1 << 20
"""Bytes of ``refused.jsonl``; a full one becomes ``refused.jsonl.1``, whose forerunner goes."""
SAID_LIMIT = 1000
TRANSIENT = frozenset({0x80, 0x83, 0x97})
"""Unspecified, implementation specific, quota exceeded (MQTT 5.0, §3.4.2.1): they may pass."""
TRIES, PASSING_TRIES = 2, 3
PAUSE_S = 1.0

log = structlog.get_logger(__name__)


class Refusals:
    """Keeps messages that were set aside."""

    def __init__(self, state: Path) -> None:
        self.count = 0
        self._path = state / "refused.jsonl"
        self._tries: Counter[Claim | None] = Counter()
        self._said: set[tuple[str, int]] = set()

    def pause_s(self, message: Message, outcome: Outcome) -> float | None:
        """Return after how long to offer the message again; None if never. Counts this refusal."""
        if message.claim is None:
            return None
        self._tries[message.claim] += 1
        transient = outcome.code in TRANSIENT
        if self._tries[message.claim] >= (PASSING_TRIES if transient else TRIES):
            return None
        return PAUSE_S if transient else 0.0

    def is_final(self, message: Message, outcome: Outcome) -> bool:
        """Tell whether the message was offered again already and the reason will not pass."""
        return outcome.code not in TRANSIENT and self._tries[message.claim] > 0

    def taken(self, message: Message) -> None:
        """Forget the refusals of a message that was taken in the end."""
        if self._tries:
            self._tries.pop(message.claim, None)

    def set_aside(self, message: Message, outcome: Outcome, now_ns: int) -> None:
        """Keep the message in the file; the rest may flow."""
        self.count += 1
        self._tries.pop(message.claim, None)
        self._say(message, outcome)
        with contextlib.suppress(OSError):  # a full disk must not stop what can be delivered
            self._write(_line(message, outcome, now_ns))

    def _say(self, message: Message, outcome: Outcome) -> None:
        key = message.topic, outcome.code
        if key in self._said or len(self._said) >= SAID_LIMIT:
            return
        self._said.add(key)
        seq = message.claim.first if message.claim else None
        log.warning("message_refused", topic=message.topic, seq=seq, reason=outcome.reason)

    def _write(self, line: bytes) -> None:
        if self._path.exists() and self._path.stat().st_size + len(line) > FILE_LIMIT:
            self._path.replace(self._path.with_name("refused.jsonl.1"))
        with self._path.open("ab") as file:
            os.fchmod(file.fileno(), FILE_MODE)  # it holds values, as the spool does
            file.write(line)


def _line(message: Message, outcome: Outcome, now_ns: int) -> bytes:
    claim = message.claim
    entry = {
        "time_us": now_ns // 1000,
        "topic": message.topic,
        "code": outcome.code,
        "reason": outcome.reason,
        "lane": claim.lane if claim else None,
        "epoch": claim.epoch if claim else None,
        "seq": claim.first if claim else None,
        "count": claim.count if claim else None,
        "payload": _shown(message.payload),
    }
    return msgspec.json.encode(entry) + b"\n"


def _shown(payload: bytes) -> str:
    if len(payload) > FILE_LIMIT // 4:
        return f"{len(payload)} bytes, too large to keep"
    try:
        return payload.decode()
    except UnicodeDecodeError:
        return "base64:" + base64.b64encode(payload).decode()

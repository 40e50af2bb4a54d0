"""Anchors: what of an audit log leaves the box, so that its end cannot be cut off unseen."""

import os
import re
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from otgate.endpoint.syslog import SyslogPlace
from otgate.errors import Refused
from otgate.observe.audit.record import stamp

PRIORITY = 13 * 8 + 5
"""Facility 13, log audit, and severity 5, notice: RFC 5424, §6.2.1."""

WORDS = re.compile(r"otgate-audit log=(\S+) seq=(\d+) hash=([0-9a-f]{64})")
WRITTEN = re.compile(r"(?:(\d+):)?([0-9a-f]{64})")
NOTED = re.compile(r"(?<!\S)(\d+):([0-9a-f]{64})(?!\S)")


@dataclass(frozen=True, slots=True)
class Anchored:
    """One record's hash as it was seen outside."""

    hash: str
    seq: int | None = None
    log: str = ""
    """Which log it is of; empty where that was not noted."""


SHOWN = re.compile(r'"audit":\s*"([0-9a-f]{64})"')
"""As a conduit's retained status has it."""
SHOW_S = 3600.0


class Shown:
    """The newest checkpoint as it may be shown to other zones: another one once an hour.

    One at each checkpoint would tell when something happens here.
    """

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        self.head = ""
        self._clock_s = clock_s
        self._due_s = float("-inf")

    def __call__(self, _seq: int, head: str) -> None:
        """Take a checkpoint."""
        now_s = self._clock_s()
        if now_s >= self._due_s:
            self.head, self._due_s = head, now_s + SHOW_S


def words(log: str, seq: int, head: str) -> str:
    """Spell an anchor."""
    return f"otgate-audit log={log} seq={seq} hash={head}"


def anchors_in(text: str) -> Iterator[Anchored]:
    """Yield every anchor in text: syslog, retained statuses, what `otgate audit verify` prints."""
    for log, seq, head in WORDS.findall(text):
        yield Anchored(head, int(seq), log)
    for seq, head in NOTED.findall(text):
        yield Anchored(head, int(seq))
    for head in SHOWN.findall(text):
        yield Anchored(head)


def anchors(given: Iterable[str]) -> list[Anchored]:
    """Read anchors: ``SEQ:HASH``, a hash, or a file with anchors in it.

    Raises:
        Refused: one is none of these.
    """
    found: list[Anchored] = []
    for one in given:
        if match := WRITTEN.fullmatch(one):
            found.append(Anchored(match[2], int(match[1]) if match[1] else None))
        else:
            found += anchors_of(Path(one))
    return found


def anchors_of(path: Path) -> list[Anchored]:
    """Read the anchors in a file.

    Raises:
        Refused: it cannot be read, or has none.
    """
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise Refused(f"cannot read the anchors in `{path}`: {error.strerror}") from None
    found = list(anchors_in(text))
    if not found:
        raise Refused(f"`{path}` has no anchor: a line with `otgate-audit log=… seq=… hash=…`")
    return found


class Syslog:
    """Sends anchors as RFC 5424 messages; one that nobody takes is no harm to the log.

    Its socket is made at once: a side in its sandbox makes none any more.
    """

    def __init__(self, place: SyslogPlace, log: str) -> None:
        self._address = place.address
        self._sender = socket.socket(place.family, socket.SOCK_DGRAM)
        self._sender.settimeout(0)
        self._log = log

    def __call__(self, seq: int, head: str) -> None:
        """Send one anchor."""
        told = message(time.time_ns(), words(self._log, seq, head))
        with suppress(OSError):
            self._sender.sendto(told, self._address)

    def close(self) -> None:
        """Send nothing any more."""
        self._sender.close()


def message(time_ns: int, text: str) -> bytes:
    """Return an RFC 5424 message: §6, without structured data."""
    host = socket.gethostname() or "-"
    return f"<{PRIORITY}>1 {stamp(time_ns)} {host} otgate {os.getpid()} audit - {text}".encode()

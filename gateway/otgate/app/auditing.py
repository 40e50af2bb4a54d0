"""A side's audit log: opened first, closed last, told of starts, verbs and ends."""

import os
import platform
import sys
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import version
from inspect import isawaitable
from typing import Any

import structlog

from otgate.config.audit_place import AuditPlace
from otgate.config.bus_side import Credential
from otgate.config.credential import resolve
from otgate.config.signature import PrivateKey, private_key, read_private
from otgate.endpoint.syslog import syslog_place
from otgate.errors import OtgateError, Refused
from otgate.observe.audit.anchor import Shown, Syslog
from otgate.observe.audit.book import Ends, Signer
from otgate.observe.audit.hearing import Hearing
from otgate.observe.audit.journal import Keeping
from otgate.observe.audit.log import Audit
from otgate.observe.control import Answer, Request, Verb, Verbs
from otgate.observe.logs import overheard

STATUS = "status"
"""The verb whose answer tells the log's state too."""
OFTEN = frozenset({STATUS, "trace"})
"""Verbs that programs ask again and again; each asker's are counted after the first few."""

SHOWN_CHARACTERS = 400

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Recorder:
    """What a running side writes its audit log with."""

    audit: Audit
    hearing: Hearing
    shown: Shown
    """What other zones may see of the log."""

    @property
    def state(self) -> str:
        """Whether what is noted reaches the disk, in words."""
        return self.audit.error or "recording"

    def verbs(self, verbs: Verbs) -> Verbs:
        """Return ``verbs`` so that who asks for one, and what came of it, is recorded."""
        return {name: self._recorded(name, verb) for name, verb in verbs.items()}

    def _recorded(self, name: str, verb: Verb) -> Callable[[Request], Awaitable[Answer]]:
        async def answer(request: Request) -> Answer:
            try:
                told = verb(request)
                done = await told if isawaitable(told) else told
            except OtgateError as refused:
                self._asked(name, request, refused=short(str(refused)))
                raise
            self._asked(name, request)
            return {**done, "audit": self.state} if name == STATUS else done

        return answer

    def _asked(self, verb: str, request: Request, **outcome: str) -> None:
        given = {key: shown(value) for key, value in request.arguments.items()}
        what = {"verb": verb, "by": request.by, "uid": request.uid, "with": given, **outcome}
        if verb in OFTEN:
            self.hearing.note("asked", f"{verb} by {request.by}", what)
        else:
            self.audit.note("asked", **what)


@dataclass(frozen=True, slots=True)
class Means:
    """What an audit log is written with, as far as a side has to get it before its sandbox."""

    place: AuditPlace
    name: str
    signer: Signer | None
    unsigned: str
    """Why checkpoints are not signed although a key is named."""
    syslog: Syslog | None


def prepared(place: AuditPlace, name: str) -> Means:
    """Read the key, and make the socket, of the log that has this ``name``."""
    signer, unsigned = signer_of(place)
    syslog = Syslog(syslog_place(place.syslog), name) if place.syslog else None
    return Means(place, name, signer, unsigned, syslog)


@contextmanager
def audited(means: Means, started: Mapping[str, Any]) -> Iterator[Recorder]:
    """Record while the context is open; ``started`` tells this run from others.

    A thread of its own does the writing, which is to be begun in the sandbox.
    """
    place, signer, unsigned = means.place, means.signer, means.unsigned
    shown = Shown()

    def anchor(seq: int, head: str) -> None:
        shown(seq, head)
        if means.syslog is not None:
            means.syslog(seq, head)

    audit = Audit(keeping_of(place), Ends(signer, anchor))
    hearing = Hearing(audit)
    key = {"key": signer.id} if signer else {"unsigned": unsigned or "no key is named"}
    audit.note("start", log=means.name, **versions(), **key, **started)
    try:
        with overheard(hearing):
            if unsigned:
                log.error("audit_unsigned", why=unsigned)
            yield Recorder(audit, hearing, shown)
    finally:
        hearing.count_out()
        audit.note("stop", **reason(sys.exception()))
        audit.close()
        if means.syslog is not None:
            means.syslog.close()


def record_refusal(place: AuditPlace, name: str, why: str) -> None:
    """Record that a side was not started, and why."""
    audit = Audit(keeping_of(place), Ends(signer_of(place)[0]))
    audit.note("start_refused", log=name, why=why, **versions())
    audit.close()


def keeping_of(place: AuditPlace) -> Keeping:
    """Return how much of a log is kept where."""
    return Keeping(place.directory, place.size_mb * 1_000_000, place.keep_days * 86400)


def versions() -> Mapping[str, Any]:
    """Say what runs, as which process."""
    return {"otgate": version("otgate"), "python": platform.python_version(), "pid": os.getpid()}


def reason(error: BaseException | None) -> Mapping[str, str]:
    """Say what a side ends with that does not end because it was told to."""
    return (
        {"error": short(f"{type(error).__name__}: {error}")} if isinstance(error, Exception) else {}
    )


def signer_of(place: AuditPlace) -> tuple[Signer | None, str]:
    """Return the key that signs checkpoints, or why there is none although one is named."""
    if place.key is None:
        return None, ""
    try:
        if isinstance(place.key, Credential):
            pem = resolve(place.key.name, None).text
            return PrivateKey(private_key(pem, f"credential `{place.key.name}`")), ""
        return PrivateKey(read_private(place.key)), ""
    except Refused as refused:
        return None, str(refused)


def shown(value: object) -> object:
    """Return what is told of an argument."""
    return value if isinstance(value, bool | int | float) else short(str(value))


def short(text: str) -> str:
    """Return what is told of a text: one that is long by its hash."""
    if len(text) <= SHOWN_CHARACTERS:
        return text
    hashed = sha256(text.encode("utf-8", "replace")).hexdigest()
    return f"{text[:40]}… {len(text)} characters, SHA-256 {hashed}"

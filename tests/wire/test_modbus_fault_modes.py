"""Every fault mode of a Modbus server, and exactly what comes of it.

A row says what the server does to one request for ``a`` after another, in bytes where it speaks
(``[0:2]`` is the transaction id of the request), and then the `Outcome`. Read as: functions asked,
a space before the next poll's and a bar before the next connection's; quality of ``a`` and ``b``
after each change; the device's status in words; how many polls later all was good; the counters.
"""

import asyncio

import pytest
from structlog.testing import capture_logs

from modbus_misdeeds import Mode, Outcome, outcome_of
from modbus_rogues import Do, Step, Steps

SILENCE: Steps = ()
HONEST: Steps = (Do.HONEST,)
NO_ANSWER = "unit 1 did not answer within 0.4 s"
FAILING = f"failing: {NO_ANSWER}"
UNREAD = "unread/unread, good/good"
LOST = "lost/lost, good/good"
FRAME = bytes.fromhex("ffff 0000 0005 01 03 02 0063")


def slowly(reply: str, pause_s: float) -> Steps:
    """Say each byte of a reply by itself."""
    octets: list[Step] = ["[0:1]", "[1:2]", *(f"{octet:02x}" for octet in bytes.fromhex(reply))]
    return [step for octet in octets for step in (octet, pause_s)]


CLOSED = "the server closed the connection"
BROKE = "the connection broke: Connection reset by peer"


def dropped(why: str, asked: str = "3|34", **counts: int) -> Outcome:
    """The connection ends in the poll; the next poll is on a new one, and all is good."""
    spoilt = {} if why in {CLOSED, BROKE} else {"malformed": 1}
    return Outcome(asked, LOST, f"lost: {why}", 1, spoilt | counts)


def header(octets: str) -> Outcome:
    """Five requests have gone before: the transaction id is 5 in the message."""
    return dropped(f"no Modbus TCP header: 00 05 {octets}")


# Silence and lateness. One retry under a new transaction id is inside the deadline of a poll.

QUIET = {
    "silence once": Mode([SILENCE], Outcome("334", counts={"retries": 1})),
    "silence for a poll": Mode([SILENCE] * 2, Outcome("33 43", UNREAD, FAILING, 1, {"retries": 1})),
    "silence about one point for three polls": Mode(
        [SILENCE] * 6,
        Outcome(
            "33 433 433 43",
            "unread/unread, failed/good, good/good",
            FAILING,
            3,
            {"retries": 3},
        ),
    ),
    "silence about all for three polls": Mode(
        [SILENCE] * 6,
        Outcome(
            "33 44 33|334",  # the new connection begins with a knock
            "unread/unread, lost/lost, good/good",
            f"{FAILING}, lost: {NO_ANSWER}",
            3,
            {"retries": 3},
        ),
        both=True,
    ),
    "a slow answer": Mode([(0.15, Do.HONEST)], Outcome("34")),
    "an answer to the first attempt after the retry": Mode(
        [(Do.HOLD,), (Do.TELL,)], Outcome("334", counts={"retries": 1})
    ),
    "an answer to both attempts": Mode(
        [(Do.HOLD,), (Do.TELL, Do.HONEST)], Outcome("334", counts={"retries": 1, "late": 1})
    ),
    "late answers between polls": Mode(
        [(Do.HOLD_STALE,), (Do.HOLD_STALE, 0.3, Do.TELL)],
        Outcome("33 43", UNREAD, FAILING, 1, {"retries": 1, "late": 2}),
    ),
    "late answers before the next one": Mode(
        [(Do.HOLD_STALE,), (Do.HOLD_STALE,), (Do.TELL, Do.HONEST)],
        Outcome("33 43", UNREAD, FAILING, 1, {"retries": 1, "late": 2}),
    ),
    "a byte every 100 ms": Mode(  # the server hears the retry once it has said all
        [slowly("0000 0005 01 03 02 0063", 0.1)],
        Outcome("3 343", UNREAD, FAILING, 1, {"retries": 1, "late": 2}),
    ),
    "a byte every 10 ms": Mode([slowly("0000 0005 01 03 02 0011", 0.01)], Outcome("34")),
    "an answer in a segment for each byte": Mode(
        [slowly("0000 0005 01 03 02 0011", 0.0)], Outcome("34")
    ),
}

# Pairing. MG §3.1.3: the server copies the transaction id of the request.

PAIRING = {
    "an answer twice": Mode([(Do.HONEST, Do.HONEST)], Outcome("34", counts={"late": 1})),
    "answers in reverse order": Mode(
        [(Do.HOLD,), (Do.HONEST, Do.TELL)], Outcome("34"), both=True, pipeline=2
    ),
    "a foreign transaction id": Mode(
        [("ffff 0000 0005 01 03 02 0063",)], Outcome("334", counts={"late": 1, "retries": 1})
    ),
    "transaction id 0": Mode(
        [("0000 0000 0005 01 03 02 0063",)], Outcome("334", counts={"late": 1, "retries": 1})
    ),
    "a foreign answer before the right one": Mode(
        [(FRAME, Do.HONEST)], Outcome("34", counts={"late": 1})
    ),
    "sixty unasked frames": Mode([(60 * FRAME, Do.HONEST)], Outcome("34", counts={"late": 60})),
    "a flood of unasked frames": Mode(
        [(20_000 * FRAME, Do.HONEST)], dropped("70 frames came that nobody asked for", late=70)
    ),
}

# MBAP header. MG §3.1.3: protocol id 0; a length that a reply of AP §4.1 and §7 can have.

HEADER = {
    "protocol id 1": Mode([("[0:2] 0001 0005 01 03 02 0063",)], header("00 01 00 05")),
    "length 0": Mode([("[0:2] 0000 0000 01 03 02 0063",)], header("00 00 00 00")),
    "length 1": Mode([("[0:2] 0000 0001 01 03 02 0063",)], header("00 00 00 01")),
    "length 2": Mode([("[0:2] 0000 0002 01 03 02 0063",)], header("00 00 00 02")),
    "length 255": Mode([("[0:2] 0000 00ff 01 03 02 0063",)], header("00 00 00 ff")),
    "length 65535": Mode([("[0:2] 0000 ffff 01 03 02 0063",)], header("00 00 ff ff")),
    "a length too long by one": Mode(  # it takes the first byte of the answer to the retry
        [("[0:2] 0000 0006 01 03 02 0063",)],
        dropped("byte count 2 in a reply of 3", "33|34", retries=1),
    ),
    "a length too short by one": Mode(
        [("[0:2] 0000 0004 01 03 02 0063",)], dropped("byte count 2 in a reply of 1")
    ),
}

# A sound frame under the right transaction id that answers another question: asked again once.

ONCE = Outcome("334", counts={"mismatched": 1, "retries": 1})
TWICE = Outcome("334 34", "failed/good, good/good", "", 1, {"mismatched": 2, "retries": 1})
ANSWERS = {
    "another unit": "0005 02 03 02 0063",
    "another function": "0005 01 04 02 0063",
    "bits for registers": "0004 01 01 01 63",
    "a function that is no read": "0006 01 06 0011 0063",
    "no register": "0003 01 03 00",
    "an odd byte count": "0006 01 03 03 0063 00",
    "too many registers": "0007 01 03 04 0063 0063",
    "an exception of another function": "0003 01 84 02",
    "an exception of another unit": "0003 02 83 02",
}
ANSWERS_ELSE = {
    f"{what}, {often}": Mode([(f"[0:2] 0000 {octets}",)] * times, outcome)
    for what, octets in ANSWERS.items()
    for often, times, outcome in (("once", 1, ONCE), ("twice", 2, TWICE))
}

# A frame that contradicts itself, and bytes that are no frame: where the next begins is not known.

TORN = {
    "a byte count that contradicts the length": Mode(
        [("[0:2] 0000 0005 01 03 04 0063",)], dropped("byte count 4 in a reply of 2")
    ),
    "an exception without a code": Mode([("[0:2] 0000 0002 01 83",)], header("00 00 00 02")),
    "an exception with two codes": Mode(
        [("[0:2] 0000 0004 01 83 02 00",)], dropped("an exception of 4 bytes: 01 83 02 00")
    ),
    "noise before the answer": Mode(
        [("ff ff", Do.HONEST)], dropped("no Modbus TCP header: ff ff 00 05 00 00")
    ),
    "a zero before the answer": Mode(
        [("00", Do.HONEST)], dropped("no Modbus TCP header: 00 00 05 00 00 00")
    ),
    "noise after the answer": Mode(
        [(Do.HONEST, "de ad")], dropped("no Modbus TCP header: de ad 00 06 00 00", "34|34")
    ),
    "a web server": Mode(
        [(b"HTTP/1.1 400 Bad Request\r\n\r\n",)],
        dropped("no Modbus TCP header: 48 54 54 50 2f 31"),
    ),
    "a TLS server": Mode(  # an alert
        [("15 03 01 0002 02 28",)], dropped("no Modbus TCP header: 15 03 01 00 02 02")
    ),
    "ones": Mode([(b"\xff" * 300,)], dropped("no Modbus TCP header: ff ff ff ff ff ff")),
}

# Exceptions. AP §7.


def refusing(code: int, outcome: Outcome, period_s: float = 1.0) -> Mode:
    return Mode([(f"[0:2] 0000 0003 01 83 {code:02x}",)], outcome, period_s=period_s)


def of_the_point(quality: str) -> Outcome:
    return Outcome("34 34", f"{quality}/good, good/good", "", 1)


def of_the_device(why: str) -> Outcome:
    return Outcome("3 34", UNREAD, f"failing: unit 1 {why}", 1)


FOR_AN_HOUR = Outcome("34 4 4 4 4 4 4 43", "refused/good, good/good", "", 7)
"""A poll every ten minutes: the next one leaves ``a`` out, an hour after that it is asked again."""

EXCEPTIONS = {
    "exception 1, illegal function": refusing(1, of_the_point("absent")),
    "exception 2, illegal data address": refusing(2, FOR_AN_HOUR, 600.0),
    "exception 3, illegal data value": refusing(3, FOR_AN_HOUR, 600.0),
    "exception 4, server device failure": refusing(4, of_the_point("failed")),
    "exception 5, acknowledge": refusing(5, of_the_device("is still working (exception 5)")),
    "exception 6, server device busy": refusing(6, of_the_device("is busy (exception 6)")),
    "exception 8, memory parity error": refusing(8, of_the_point("failed")),
    "exception 10, gateway path unavailable": refusing(
        10, of_the_device("is not reachable through its gateway (exception 10)")
    ),
    "exception 11, gateway target failed to respond": refusing(
        11, of_the_device("does not answer its gateway (exception 11)")
    ),
    "exception 0, of no standard": refusing(0, of_the_point("failed")),
    "exception 0x55, of no standard": refusing(0x55, of_the_point("failed")),
}

# Connections. The attempt after a loss comes 0.3 s later, and every 0.3 s from then on.


CONNECTIONS = {
    "closed upon the request": Mode([(Do.CLOSE,)], dropped(CLOSED)),
    "closed in the answer": Mode([("[0:2] 0000 00", Do.CLOSE)], dropped(CLOSED)),
    "closed after the answer": Mode([(Do.HONEST, Do.CLOSE)], dropped(CLOSED)),
    "closed between polls": Mode(
        [HONEST, (Do.HONEST, 0.5, Do.CLOSE)], dropped(CLOSED, "34|34"), both=True
    ),
    "reset upon the request": Mode([(Do.RESET,)], dropped(BROKE)),
    "reset after the answer": Mode([(Do.HONEST, Do.RESET)], dropped(BROKE)),
    "half closed upon the request": Mode([(Do.HALF_CLOSE,)], dropped(CLOSED)),
    "half closed after the answer": Mode([(Do.HONEST, Do.HALF_CLOSE)], dropped(CLOSED, "34|34")),
    "closed after a long rest": Mode(  # no fault: it is opened again before the next poll
        [HONEST, (Do.HONEST, 2.0, Do.CLOSE)],
        Outcome("34", counts={"closed_idle": 1}),
        both=True,
        period_s=4.0,
    ),
    "closed upon the request after a long rest": Mode(  # farewell and request met on the way
        [(Do.CLOSE,)], Outcome("3|34", counts={"closed_idle": 1, "retries": 1}), period_s=4.0
    ),
    "half closed between polls": Mode(
        [HONEST, (Do.HONEST, 0.5, Do.HALF_CLOSE)], dropped(CLOSED, "34|34"), both=True
    ),
    "closed three times when just connected": Mode(
        [(Do.CLOSE,)],
        Outcome("3|34", LOST, f"lost: {CLOSED}", 2),
        greeting=[(Do.CLOSE,)] * 3,
    ),
    "connected and never answered": Mode(
        [(Do.CLOSE,), *[SILENCE] * 4],
        Outcome("3|33|33|34", LOST, f"lost: {CLOSED}, lost: {NO_ANSWER}", 3, {"retries": 2}),
        both=True,
    ),
    "an answer of the last connection in front of the first request": Mode(
        [(Do.HOLD_STALE, Do.CLOSE)], dropped(CLOSED, late=1), greeting=[(Do.TELL,)]
    ),
    "an answer of the last connection to its own first request": Mode(
        [(Do.RESET,), (Do.HOLD_STALE, Do.CLOSE), (Do.TELL, Do.HONEST)],
        Outcome("3|3|34", LOST, f"lost: {BROKE}, lost: {CLOSED}", 2, {"late": 1}),
    ),
}

MODES = {
    **QUIET,
    **PAIRING,
    **HEADER,
    **ANSWERS_ELSE,
    **TORN,
    **EXCEPTIONS,
    **CONNECTIONS,
}


@pytest.mark.virtual_time
@pytest.mark.parametrize("name", MODES)
async def test_what_comes_of_a_fault_is_known_exactly(name: str) -> None:
    with capture_logs():
        assert await outcome_of(MODES[name]) == MODES[name].outcome


@pytest.mark.virtual_time
async def test_a_server_that_refuses_connections_is_read_once_it_accepts_them() -> None:
    with capture_logs():
        outcome = await outcome_of(Mode([(Do.REFUSE,)], dropped(CLOSED)))
    assert (outcome.asked, outcome.said, outcome.polls) == ("3|34", LOST, 3)
    assert outcome.states.startswith(f"lost: {CLOSED}, lost: no connection to 127.0.0.1:")
    assert outcome.states.endswith(": Connection refused")


REAL = (
    "silence once", "answers in reverse order", "a flood of unasked frames", "length 255",
    "another unit, once", "noise after the answer", "exception 6, server device busy",
    "closed in the answer", "reset after the answer", "half closed upon the request",
    "closed three times when just connected",
)  # fmt: skip


@pytest.mark.both_loops
async def test_they_end_well_in_real_time_too() -> None:
    """`outcome_of` returns once all is good again, and lets no wrong value be good."""
    with capture_logs():
        outcomes = await asyncio.gather(*(outcome_of(MODES[name]) for name in REAL))
    assert len(outcomes) == len(REAL)

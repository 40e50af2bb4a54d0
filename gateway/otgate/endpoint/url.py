"""Endpoints as URLs say them: a host and a port, or a serial port with its options."""

from collections.abc import Container
from urllib.parse import SplitResult, parse_qsl

from otgate.endpoint.serial import SPEEDS, Parity, Rs485, SerialSettings

PARITIES = {"n": Parity.NONE, "e": Parity.EVEN, "o": Parity.ODD} | {each: each for each in Parity}


def port_of(url: str, parts: SplitResult, usual: int) -> int:
    """Return the port of a URL, or the usual one.

    Raises:
        ValueError: it is none from 1 to 65535.
    """
    try:
        port = usual if parts.port is None else parts.port
    except ValueError:
        port = 0
    if not port:
        raise ValueError(f"the port of `{url}` is not a number from 1 to 65535")
    return port


def serial_of(url: str, parts: SplitResult, usual: SerialSettings) -> SerialSettings:
    """Return the serial port that a URL names; ``usual`` holds what it does not say.

    Raises:
        ValueError: it names none, or an option is not possible.
    """
    if parts.netloc or not parts.path.startswith("/") or parts.path == "/":
        raise ValueError(f"`{url}` names no port; write serial:///dev/serial/by-id/...")
    options = options_of(url, parts, {"baud", "parity", "stop", "rs485"})
    parity = PARITIES.get(options.get("parity", usual.parity).lower())
    if parity is None:
        raise ValueError(f"the parity of `{url}` is N, E or O")
    return SerialSettings(
        parts.path,
        number_of(url, options, "baud", SPEEDS, usual.baud),
        parity,
        number_of(url, options, "stop", (1, 2), usual.stop_bits),
        _rs485(url, options.get("rs485")),
    )


def options_of(url: str, parts: SplitResult, known: set[str]) -> dict[str, str]:
    """Return what stands behind the question mark.

    Raises:
        ValueError: there is an option that is not ``known``.
    """
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    if unknown := sorted(options.keys() - known):
        can = ", ".join(sorted(known)) or "none"
        raise ValueError(f"`{unknown[0]}` is no option of `{url}`; there is {can}")
    return options


def number_of(
    url: str, options: dict[str, str], name: str, among: Container[int], usual: int
) -> int:
    """Return an option's number, or the usual one.

    Raises:
        ValueError: it is not ``among`` those that are possible.
    """
    text = options.get(name)
    if text is None:
        return usual
    if not text.isdecimal() or int(text) not in among:
        raise ValueError(f"`{name}={text}` of `{url}` is not possible")
    return int(text)


def _rs485(url: str, given: str | None) -> Rs485 | None:
    """Read delays before and after sending, in ms."""
    if given is None:
        return None
    before, _, after = given.partition(",")
    if not before.isdecimal() or not (after or "0").isdecimal():
        raise ValueError(f"`rs485` of `{url}` is two delays in ms, as in rs485=2,2")
    return Rs485(int(before), int(after or "0"))

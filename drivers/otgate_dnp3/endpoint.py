"""How an outstation is reached, as a URL says it."""

from dataclasses import dataclass
from urllib.parse import SplitResult, parse_qsl, urlsplit

from otgate_dnp3.channel.serial import SPEEDS, Parity, Rs485, SerialSettings

PORT = 20000
"""Registered with IANA as `dnp`."""

FORMS = "tcp://host:20000, tcps://host:20000, udp://host:20000 or serial:///dev/serial/by-id/..."
PARITIES = {"n": Parity.NONE, "e": Parity.EVEN, "o": Parity.ODD} | {each: each for each in Parity}


@dataclass(frozen=True, slots=True)
class Tcp:
    """A host and a port; with ``tls`` both ends show a certificate."""

    host: str
    port: int
    tls: bool = False


@dataclass(frozen=True, slots=True)
class Udp:
    """Where to send to and receive from; ``local_port`` 0 takes a free one."""

    host: str
    port: int
    local_port: int = 0


Endpoint = Tcp | Udp | SerialSettings


def endpoint(url: str) -> Endpoint:
    """Read a URL.

    Raises:
        ValueError: it is none that can be used; the message says what to write.
    """
    parts = urlsplit(url)
    if parts.scheme == "serial":
        return _serial(url, parts)
    if parts.scheme not in {"tcp", "tcps", "udp"}:
        raise ValueError(f"`{url}` is no DNP3 endpoint; write {FORMS}")
    if not parts.hostname or parts.path or parts.fragment or parts.username is not None:
        raise ValueError(f"`{url}` is no {parts.scheme}://host:port")
    options = _options(url, parts, {"local"} if parts.scheme == "udp" else set())
    port = _port(url, parts)
    if parts.scheme == "udp":
        return Udp(parts.hostname, port, _number(url, options, "local", range(1, 65536), 0))
    return Tcp(parts.hostname, port, parts.scheme == "tcps")


def listening_endpoint(url: str) -> Tcp:
    """Read where to wait for outstations that dial in.

    Raises:
        ValueError: it is no place to listen.
    """
    found = endpoint(url)
    if not isinstance(found, Tcp):
        text = f"`{url}` cannot be listened on; write tcp://0.0.0.0:20000 or tcps://..."
        raise ValueError(text)  # noqa: TRY004  pydantic's word for a wrong setting
    return found


def _port(url: str, parts: SplitResult) -> int:
    try:
        port = PORT if parts.port is None else parts.port
    except ValueError:
        port = 0
    if not port:
        raise ValueError(f"the port of `{url}` is not a number from 1 to 65535")
    return port


def _serial(url: str, parts: SplitResult) -> SerialSettings:
    if parts.netloc or not parts.path.startswith("/") or parts.path == "/":
        raise ValueError(f"`{url}` names no port; write serial:///dev/serial/by-id/...")
    options = _options(url, parts, {"baud", "parity", "stop", "rs485"})
    parity = PARITIES.get(options.get("parity", "n").lower())
    if parity is None:
        raise ValueError(f"the parity of `{url}` is N, E or O")
    return SerialSettings(
        parts.path,
        _number(url, options, "baud", SPEEDS, 9600),
        parity,
        _number(url, options, "stop", (1, 2), 1),
        _rs485(url, options.get("rs485")),
    )


def _rs485(url: str, given: str | None) -> Rs485 | None:
    """Read delays before and after sending, in ms."""
    if given is None:
        return None
    before, _, after = given.partition(",")
    if not before.isdecimal() or not (after or "0").isdecimal():
        raise ValueError(f"`rs485` of `{url}` is two delays in ms, as in rs485=2,2")
    return Rs485(int(before), int(after or "0"))


def _options(url: str, parts: SplitResult, known: set[str]) -> dict[str, str]:
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    if unknown := sorted(options.keys() - known):
        can = ", ".join(sorted(known)) or "none"
        raise ValueError(f"`{unknown[0]}` is no option of `{url}`; there is {can}")
    return options


def _number(url: str, options: dict[str, str], name: str, among: object, usual: int) -> int:
    text = options.get(name)
    if text is None:
        return usual
    if not text.isdecimal() or int(text) not in among:  # type: ignore[operator]  # any container
        raise ValueError(f"`{name}={text}` of `{url}` is not possible")
    return int(text)

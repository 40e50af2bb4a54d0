"""When certificates end: the one field of X.509 that operations want to know of ahead."""

import binascii
import re
from base64 import b64decode
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path

PEM = re.compile(rb"-----BEGIN CERTIFICATE-----(.*?)-----END CERTIFICATE-----", re.DOTALL)
MAX_FILE_BYTES = 4 << 20
EXPLICIT_VERSION = 0xA0
FORMS = {0x17: "%y%m%d%H%M%S", 0x18: "%Y%m%d%H%M%S"}
"""UTCTime and GeneralizedTime (RFC 5280, §4.1.2.5); both in UTC, with seconds."""


def first_end_s(certificates: Iterable[bytes]) -> float | None:
    """Return when the first of some DER certificates ends, Unix time; None where none is."""
    return min((end for each in certificates if (end := end_s(each)) is not None), default=None)


def in_file(path: Path | None) -> Iterator[bytes]:
    """Yield the certificates of a PEM file, DER; none where it cannot be read."""
    if path is None:
        return
    with suppress(OSError):
        with path.open("rb") as stream:
            text = stream.read(MAX_FILE_BYTES)
        for match in PEM.finditer(text):
            with suppress(binascii.Error):
                yield b64decode(match[1])


def end_s(certificate: bytes) -> float | None:
    """Return the ``notAfter`` of a DER certificate, Unix time; None of other bytes."""
    try:
        body = inside(inside(certificate))
        if body[0] == EXPLICIT_VERSION:
            body = after(body)
        for _ in ("serialNumber", "signature", "issuer"):
            body = after(body)
        ending = after(inside(body))
        text = inside(ending).decode("ascii").removesuffix("Z")
        moment = datetime.strptime(f"{text}+0000", f"{FORMS[ending[0]]}%z")
    except (IndexError, KeyError, ValueError):
        return None
    return moment.timestamp()


def inside(value: bytes) -> bytes:
    """Return the contents of the first DER value."""
    start, stop = extent(value)
    return value[start:stop]


def after(value: bytes) -> bytes:
    """Return what follows the first DER value."""
    return value[extent(value)[1] :]


def extent(value: bytes) -> tuple[int, int]:
    """Return where the contents of the first DER value begin and end (X.690, §8.1.3)."""
    length = value[1]
    if length < 0x80:
        return 2, 2 + length
    octets = length & 0x7F
    return 2 + octets, 2 + octets + int.from_bytes(value[2 : 2 + octets])

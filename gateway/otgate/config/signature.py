"""Detached signatures: who vouches for a file of a site, as which of its owners, in a text file.

A signature lies beside its file as ``NAME.sig``. Its last line signs the lines before it, Ed25519
(RFC 8032), so that it speaks of one file name, one role and one content.
"""

import base64
import os
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from otgate.config.credential import content, refuse_shared
from otgate.errors import Refused

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

HEAD = "otgate signature 1"
FIELDS = ("role", "file", "key", "sha256")
SIGNATURE = "ed25519"
SUFFIX = ".sig"
MAX_BYTES = 4096
NEEDED = "signatures need the package cryptography: pip install 'otgate[sign]'"


class Role(StrEnum):
    """In whose name a file is signed."""

    SECURITY = "security"
    """The policy."""
    OT = "ot"
    """The site file and the point maps."""


class BadSignature(Exception):
    """A signature that does not hold, and the line of its file that shows it."""

    def __init__(self, message: str, line: int = 1) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True, slots=True)
class Claim:
    """What a signature says: this file had this content when this role signed it."""

    role: Role
    file: str
    """As the site names it, from the site file's folder."""
    digest: str
    """SHA-256 of its bytes, in hexadecimal."""

    def text(self, key: str) -> str:
        """Return the lines that are signed."""
        values = dict(zip(FIELDS, (self.role, self.file, key, self.digest), strict=True))
        return "".join([f"{HEAD}\n", *(f"{name}: {value}\n" for name, value in values.items())])


@dataclass(frozen=True, slots=True)
class PublicKey:
    """An Ed25519 key that signatures are held against."""

    raw: bytes

    @property
    def id(self) -> str:
        """Sixteen hexadecimal digits that stand for the key."""
        return sha256(self.raw).hexdigest()[:16]

    def verify(self, written: str, claim: Claim) -> None:
        """Accept a signature file that makes exactly this claim.

        Raises:
            BadSignature: it does not, or is no signature of this key.
        """
        signed = claim.text(self.id)
        if not self.holds(signature_of(written, signed), signed.encode()):
            raise BadSignature("this key did not sign it", len(FIELDS) + 2)

    def holds(self, signature: bytes, message: bytes) -> bool:
        """Say whether ``signature`` is this key's, of ``message``."""
        from cryptography.exceptions import InvalidSignature  # noqa: PLC0415  optional
        from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: PLC0415

        try:
            ed25519.Ed25519PublicKey.from_public_bytes(self.raw).verify(signature, message)
        except InvalidSignature:
            return False
        return True


def signature_of(written: str, signed: str) -> bytes:
    """Return the signature's bytes if the lines before it are those of ``signed``.

    Raises:
        BadSignature: they are not, or there is no whole signature.
    """
    lines = written.replace("\r\n", "\n").removesuffix("\n").split("\n")
    for number, wanted in enumerate(signed.splitlines(), 1):
        if number > len(lines) or lines[number - 1] != wanted:
            told = lines[number - 1] if number <= len(lines) else ""
            raise BadSignature(difference(told, wanted), min(number, len(lines)))
    last = len(FIELDS) + 2
    name, _, encoded = lines[last - 1].partition(": ") if len(lines) == last else ("", "", "")
    try:
        signature = base64.b64decode(encoded, validate=True)
    except ValueError:
        signature = b""
    if name != SIGNATURE or len(signature) != 64:  # RFC 8032, §5.1.6
        raise BadSignature("it ends before its signature does", min(last, len(lines)))
    return signature


def difference(told: str, wanted: str) -> str:
    """Say of one line what it says instead of what it should."""
    name, colon, value = told.partition(": ")
    field, _, expected = wanted.partition(": ")
    if not colon or name != field:
        return f"it is no signature of otgate: `{wanted}` is expected here"
    return {
        "role": f"it is signed as `{value}`, not as `{expected}`",
        "file": f"it is the signature of `{value}`, not of `{expected}`",
        "key": f"it is signed with key {value}, not with {expected}",
        "sha256": "the file has changed since it was signed",
    }[name]


def read_public(pem: bytes) -> PublicKey:
    """Read a public key, PEM (RFC 8410).

    Raises:
        Refused: it is none, or signatures cannot be verified here.
    """
    try:
        from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415  optional
        from cryptography.hazmat.primitives import serialization  # noqa: PLC0415
        from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: PLC0415
    except ImportError:
        raise Refused(NEEDED) from None
    try:
        key = serialization.load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm):
        raise Refused("it is no public key in PEM") from None
    if not isinstance(key, ed25519.Ed25519PublicKey):
        raise Refused("it is a key of another algorithm than Ed25519")
    return PublicKey(key.public_bytes_raw())


def read_private(path: Path) -> "Ed25519PrivateKey":
    """Read a private key, PEM without a passphrase, that only its owner can read.

    Raises:
        Refused: it is none, others can read it, or nothing can be signed here.
    """
    pem = content(path, "private key")
    refuse_shared(path)
    return private_key(pem, f"`{path}`")


def private_key(pem: str, name: str) -> "Ed25519PrivateKey":
    """Read a private key, PEM without a passphrase; messages call it ``name``.

    Raises:
        Refused: it is none, or nothing can be signed here.
    """
    try:
        from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415  optional
        from cryptography.hazmat.primitives import serialization  # noqa: PLC0415
        from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: PLC0415
    except ImportError:
        raise Refused(NEEDED) from None
    try:
        key = serialization.load_pem_private_key(pem.encode(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise Refused(f"{name} is no private key in PEM without a passphrase") from None
    if not isinstance(key, ed25519.Ed25519PrivateKey):
        raise Refused(f"{name} is a key of another algorithm than Ed25519")
    return key


@dataclass(frozen=True, slots=True)
class PrivateKey:
    """A key that signs."""

    key: "Ed25519PrivateKey"

    @property
    def id(self) -> str:
        """What stands for its public half."""
        return PublicKey(self.key.public_key().public_bytes_raw()).id

    def sign(self, message: bytes) -> bytes:
        """Return the signature of ``message``."""
        return self.key.sign(message)


def sign(key: "Ed25519PrivateKey", claim: Claim) -> str:
    """Return the content of a signature file."""
    signed = claim.text(PrivateKey(key).id)
    return f"{signed}{SIGNATURE}: {base64.b64encode(key.sign(signed.encode())).decode()}\n"


def make_key(path: Path) -> PublicKey:
    """Make a private key that only its owner reads, and its public half as ``PATH.pub``.

    Raises:
        Refused: there is such a file, it cannot be written, or there is no library for it.
    """
    try:
        from cryptography.hazmat.primitives import serialization  # noqa: PLC0415  optional
        from cryptography.hazmat.primitives.asymmetric import ed25519  # noqa: PLC0415
    except ImportError:
        raise Refused(NEEDED) from None
    key = ed25519.Ed25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    write_new(path, private, 0o600)
    write_new(path.with_name(path.name + ".pub"), public, 0o644)
    return read_public(public)


def write_new(path: Path, data: bytes, mode: int) -> None:
    """Write a file that was not there.

    Raises:
        Refused: it was, or cannot be written.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    except OSError as error:
        raise Refused(f"cannot write `{path}`: {error.strerror}") from None
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)

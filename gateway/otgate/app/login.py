"""What a bus side shows its broker: user, password and TLS files, looked up for each connection."""

import ssl
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import TypeAlias

import structlog

from otgate.config.bus_side import BusFile, Credential, TlsFiles
from otgate.config.credential import places, refuse_shared, resolve
from otgate.errors import Refused
from otgate.publish.settings import Keys, Tls

PEM_BEGIN, PEM_END = "-----BEGIN CERTIFICATE-----", "-----END CERTIFICATE-----"
"""RFC 7468, §5."""

Prints: TypeAlias = Mapping[str, tuple[str, bytes]]

log = structlog.get_logger()


class FileLogin:
    """The login that a bus file names. Its files may change at any time."""

    def __init__(self, bus: BusFile) -> None:
        self._bus = bus
        self._warned: set[str] = set()
        self._prints: Prints = {}

    def keys(self) -> Keys:
        """Return what the files hold now.

        Raises:
            Refused: a credential is missing, open to others, or no file where it has to be one.
        """
        bus = self._bus
        try:
            password = None if bus.password is None else self._secret(bus.password)
            tls = None if bus.tls is None else self._tls(bus.tls)
        except OSError as error:  # the directory is closed to us, or is being replaced
            raise Refused(f"`{error.filename}` cannot be read: {error.strerror}") from None
        keys = Keys(bus.username, password, tls)
        self._look_for_others(keys)
        return keys

    def _look_for_others(self, keys: Keys) -> None:
        """Log which of the credentials are others than those before."""
        prints = dict(fingerprints(keys))
        before, self._prints = self._prints, prints
        changed = {
            name: shown for name, (shown, _) in prints.items() if differs(name, prints, before)
        }
        if changed:
            log.warning("credential_rotated", **changed)

    def mark(self) -> object:
        """Return something that differs once one of the files has changed."""
        return [_mark(path) for path in self._files()]

    def _files(self) -> list[Path]:
        tls = self._bus.tls
        named = [tls.ca, tls.certificate, tls.key] if tls else []
        files = [file for file in named if isinstance(file, Path)]
        for credential in (self._bus.password, tls.key if tls else None):
            if isinstance(credential, Credential):
                files += places(credential.name, self._bus.credentials)
        return files

    def _secret(self, credential: Credential) -> str:
        found = resolve(credential.name, self._bus.credentials)
        if found.warning and credential.name not in self._warned:
            self._warned.add(credential.name)
            log.warning("credential_from_environment", credential=credential.name)
        return found.text

    def _tls(self, files: TlsFiles) -> Tls:
        key = files.key
        if isinstance(key, Credential):
            found = resolve(key.name, self._bus.credentials)
            if found.path is None:
                raise Refused(f"the TLS key `{key.name}` has to lie in a credential directory")
            key = found.path
        elif key is not None:
            refuse_shared(key)
        return Tls(files.ca, files.certificate, key, files.server_name)


def fingerprints(keys: Keys) -> Iterator[tuple[str, tuple[str, bytes]]]:
    """Yield, for each credential, what may be told of it and what tells it from others.

    Of what is secret nothing is told, not even a hash: a password could be guessed by it.
    """
    if keys.password is not None:
        yield "password", ("changed", sha256(keys.password.encode()).digest())
    if keys.tls is None:
        return
    for name, path in (("ca", keys.tls.ca), ("certificate", keys.tls.certificate)):
        if path is not None:
            yield name, (fingerprint(path), content_hash(path))
    if keys.tls.key is not None:
        yield "key", ("changed", content_hash(keys.tls.key))


def differs(name: str, prints: Prints, before: Prints) -> bool:
    """Say whether a credential is another one than before, if there was one."""
    return name in before and before[name][1] != prints[name][1]


def fingerprint(path: Path) -> str:
    """Return the SHA-256 of the first certificate in a file, as tools show it."""
    try:
        pem = path.read_text(encoding="ascii", errors="replace")
        end = pem.index(PEM_END) + len(PEM_END)
        return sha256(ssl.PEM_cert_to_DER_cert(pem[pem.index(PEM_BEGIN) : end])).hexdigest()
    except (OSError, ValueError):
        return "unreadable"


def content_hash(path: Path) -> bytes:
    """Return the hash of a file; of none where it cannot be read."""
    try:
        return sha256(path.read_bytes()).digest()
    except OSError:
        return b""


def _mark(path: Path) -> tuple[int, ...]:
    try:
        seen = path.stat()
    except OSError:
        return ()
    return seen.st_ino, seen.st_mtime_ns, seen.st_size, seen.st_mode

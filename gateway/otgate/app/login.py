"""What a bus side shows its broker: user, password and TLS files, looked up for each connection."""

from pathlib import Path

import structlog

from otgate.config.bus_side import BusFile, Credential, TlsFiles
from otgate.config.credential import places, refuse_shared, resolve
from otgate.errors import Refused
from otgate.publish.settings import Keys, Tls

log = structlog.get_logger()


class FileLogin:
    """The login that a bus file names. Its files may change at any time."""

    def __init__(self, bus: BusFile) -> None:
        self._bus = bus
        self._warned: set[str] = set()

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
        return Keys(bus.username, password, tls)

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


def _mark(path: Path) -> tuple[int, ...]:
    try:
        seen = path.stat()
    except OSError:
        return ()
    return seen.st_ino, seen.st_mtime_ns, seen.st_size, seen.st_mode

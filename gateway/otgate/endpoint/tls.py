"""TLS contexts of field links: 1.2 or newer, both ends show a certificate."""

import ssl
from dataclasses import dataclass
from pathlib import Path

from otgate.errors import Unusable
from otgate.secrecy import shared


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Where an end's trust is kept, in PEM."""

    authority: Path
    certificate: Path
    key: Path
    server_name: str = ""
    """What a server's certificate has to name, where that is not the host dialled."""


def tls_context(files: TlsFiles, *, server: bool) -> ssl.SSLContext:
    """Return a context that demands the peer's certificate. It blocks.

    Raises:
        Unusable: a file cannot be read or used, or others than its owner can read the key.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_REQUIRED
    try:
        if how := shared(files.key):
            raise Unusable(how)
        context.load_verify_locations(files.authority)
        context.load_cert_chain(files.certificate, files.key, _no_password)
    except (OSError, ValueError) as error:
        raise Unusable(f"TLS files: {error}") from error
    return context


def _no_password() -> str:
    raise ValueError("the private key must not have a password")

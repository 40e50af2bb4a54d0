"""TLS contexts for MMS: 1.2 or newer, both ends show a certificate."""

import ssl
from dataclasses import dataclass
from pathlib import Path

from otgate_iec61850.mms.errors import TlsUnusable


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Where an end's trust is kept, in PEM."""

    authority: Path
    certificate: Path
    key: Path
    server_name: str = ""
    """What a server's certificate has to name, where that is not the host dialled."""


def tls_context(files: TlsFiles, *, server: bool) -> ssl.SSLContext:
    """Return the context of one end. It blocks.

    Raises:
        TlsUnusable: a file cannot be read or used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER if server else ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_REQUIRED
    try:
        context.load_verify_locations(files.authority)
        context.load_cert_chain(files.certificate, files.key, _no_password)
    except (OSError, ValueError) as error:
        raise TlsUnusable(f"TLS files: {error}") from error
    return context


def _no_password() -> str:
    raise ValueError("the private key must not have a password")

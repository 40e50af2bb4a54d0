"""What a site says of its audit log."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field

from otgate.config.audit_place import AuditPlace
from otgate.config.bus_side import AUDIT, Credential
from otgate.config.credential_name import CredentialName
from otgate.config.forms import Entry, File, Switch, wrong
from otgate.endpoint.syslog import syslog_place


def a_syslog(url: str) -> str:
    """Accept the address of a syslog daemon."""
    try:
        syslog_place(url)
    except ValueError as error:
        raise wrong("wrong-value", str(error), "e.g. `unix:/dev/log`") from None
    return url


class AuditEntry(Entry):
    """Where the audit log lies, how much of it stays, and who vouches for it."""

    directory: Annotated[File | None, Field(examples=["/var/log/otgate"])] = None
    """Directory of the log; `audit` in the state directory when absent."""
    size_mb: Annotated[int, Field(ge=1, le=1 << 20)] = 256
    """Megabytes kept; then the oldest files go, and it is said if that is too soon."""
    keep_days: Annotated[float, Field(gt=0, le=36_500)] = 90.0
    """Days that records should stay."""
    key: Annotated[File | CredentialName | None, Field(examples=[{"credential": "audit.key"}])] = (
        None
    )
    """Private key (PEM, Ed25519) that signs checkpoints: a file, or a credential."""
    syslog: Annotated[
        Annotated[str, AfterValidator(a_syslog)] | None, Field(examples=["udp://10.0.0.9:514"])
    ] = None
    """Where checkpoints are told, so that a log that is cut off shows."""


class SiteAuditEntry(AuditEntry):
    """The same for a field side, whose bus sides can carry checkpoints further."""

    mqtt: Switch = "off"
    """`on` shows the hash of a checkpoint each hour in every conduit's retained status."""


def audit_place(here: Path, state: Path, entry: AuditEntry) -> AuditPlace:
    """Resolve the paths of an entry from the folder of its file."""
    return AuditPlace(
        directory=here / entry.directory if entry.directory else state / AUDIT,
        size_mb=entry.size_mb,
        keep_days=entry.keep_days,
        key=key_of(here, entry.key),
        syslog=entry.syslog,
        shown=isinstance(entry, SiteAuditEntry) and entry.mqtt == "on",
    )


def key_of(here: Path, key: str | CredentialName | None) -> Path | Credential | None:
    """Return where a private key is."""
    if isinstance(key, CredentialName):
        return Credential(key.credential)
    return here / key if key else None

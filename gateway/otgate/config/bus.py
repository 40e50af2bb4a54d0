"""A bus file: where one conduit publishes."""

from collections.abc import Sequence
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from otgate.config.audit_file import audit_place
from otgate.config.bus_file import MQTT, MQTTS, BusForm, TlsEntry
from otgate.config.bus_side import Backlog, BusFile, Credential, TlsFiles
from otgate.config.credential_name import CredentialName
from otgate.config.diagnostic import Diagnostic, Diagnostics, Place
from otgate.config.source import MAX_YAML_BYTES, read_source
from otgate.config.validate import partial
from otgate.config.via import ViaEntry, unreachable
from otgate.config.yaml_text import Tree, read_yaml
from otgate.via import ANY_WAY


def load_bus(path: Path) -> tuple[BusFile | None, Sequence[Diagnostic]]:
    """Read a bus file. The file is None if there is any error."""
    found = Diagnostics()
    _, file = read_bus(path, found)
    return file, found.sorted()


def read_bus(path: Path, found: Diagnostics) -> tuple[Tree | None, BusFile | None]:
    """Read a bus file and say what is wrong with it; return its tree for more to be said."""
    source = read_source(path, MAX_YAML_BYTES, found)
    tree = None if source is None else read_yaml(source, found)
    if tree is None:
        return None, None
    before = found.errors
    given = partial(BusForm, tree, (), found)
    brokers = given.get("brokers", ())
    for number, url in enumerate(brokers):
        check_broker(url, tree.at("brokers", number), given, found)
    if found.errors > before:
        return tree, None
    return tree, bus_of(path, BusForm.model_construct(**given))


def check_broker(url: str, place: Place, given: dict[str, object], found: Diagnostics) -> None:
    """Refuse TLS without a CA, and a way that leads nowhere; warn of plain text on a network."""
    parts = urlsplit(url)
    if parts.scheme == MQTTS and given.get("tls", ...) is None:
        help_ = "add `tls: {ca: ca.pem}`, the certificates that sign the broker's"
        found.say("tls-without-ca", place, "`mqtts` needs to know whom to trust", help_)
    if parts.scheme == MQTT and not is_loopback(parts.hostname or "") and not given.get("plain"):
        help_ = "use `mqtts`, or write `plain: accepted`"
        found.say("plain-mqtt", place, "unencrypted over the network", help_)
    via = given.get("via")
    if isinstance(via, ViaEntry) and (why := unreachable(parts.hostname or "", via.via())):
        found.say("impossible-via", place, why, "`via` is this machine's side of the connection")


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower().rstrip(".") == "localhost"


def bus_of(path: Path, form: BusForm) -> BusFile:
    """Return what a form without mistakes stands for."""
    here = path.parent
    spool = form.spool or f"../spool/{form.conduit}"
    state = form.state or f"../state/bus/{form.conduit}"
    return BusFile(
        path=path,
        conduit=form.conduit,
        brokers=tuple(form.brokers),
        client_id=form.client_id,
        username=form.username,
        password=Credential(form.password.credential) if form.password else None,
        credentials=here / form.credentials if form.credentials else None,
        tls=tls_of(here, form.tls) if form.tls else None,
        via=form.via.via() if form.via else ANY_WAY,
        protocol=form.protocol,
        root=form.root,
        spool=here / spool,
        state=here / state,
        keepalive_s=form.keepalive_s,
        window=form.window,
        window_kb=form.window_kb,
        max_points=form.batch.max_points,
        max_kb=form.batch.max_kb,
        compress=form.compress,
        last=form.last,
        replay_s=form.replay_s,
        backlog=Backlog(**dict(form.backlog)),
        sandbox=form.sandbox,
        audit=audit_place(here, here / state, form.audit),
        metrics_listen=form.metrics.listen,
    )


def tls_of(here: Path, entry: TlsEntry) -> TlsFiles:
    """Return TLS files with their paths resolved."""
    key: Path | Credential | None = None
    if isinstance(entry.key, CredentialName):
        key = Credential(entry.key.credential)
    elif entry.key is not None:
        key = here / entry.key
    certificate = here / entry.certificate if entry.certificate else None
    return TlsFiles(here / entry.ca, certificate, key, entry.server_name)

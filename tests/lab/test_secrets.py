"""Of passwords and keys nothing is anywhere but in the files that hold them."""

import os
import signal
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from brokers import SERVED, Authority, Mosquitto, authority
from daemons import Process, said, simulated, wait_until, write_site
from otgate.cli.places import METRICS, sides
from otgate.observe.control import ask
from otgate.observe.scrape import fetched

__all__ = ["authority"]

pytestmark = pytest.mark.lab

WRONG, RIGHT = "wr0ng/horse+battery&17", "r1ght/horse+battery&71"

BUS = """\
config_version: 1
conduit: analytics
brokers: ["mqtts://127.0.0.1:{port}"]
username: bus
password: {{credential: password}}
credentials: {credentials}
tls: {{ca: {ca}, certificate: {certificate}, key: {key}, server_name: {name}}}
"""


class Vault:
    """A bus side's secrets, all in one directory that is not looked into."""

    def __init__(self, folder: Path, ca: Authority) -> None:
        self.directory = folder / "vault"
        self.directory.mkdir(mode=0o700)
        self.key = self.directory / "client.key"
        self.key.touch(mode=0o600)
        self.key.write_bytes(ca.key("client").read_bytes())
        ca.key("client").unlink()

    def keep(self, password: str) -> None:
        """Put a password there as an administrator does."""
        draft = self.directory / "draft"
        draft.touch(mode=0o600)
        draft.write_text(password)
        draft.replace(self.directory / "password")

    def tokens(self) -> Iterator[bytes]:
        """Everything that must not be seen, in the forms it is likely to take."""
        body = self.key.read_text().splitlines()[1:-1]
        yield from (line.encode() for line in body if len(line) > 16)
        for word in (WRONG, RIGHT):
            raw = word.encode()
            yield from (raw, b64encode(raw).rstrip(b"="), raw.hex().encode())
            yield from (quote(word, safe="").encode(), word.replace("/", "\\/").encode())

    def found(self, seen: bytes) -> list[bytes]:
        return [token for token in self.tokens() if token in seen]


@pytest.fixture
def vault(tmp_path: Path, authority: Authority) -> Vault:
    return Vault(tmp_path, authority)


def everything(site: Path, vault: Vault, *pids: int) -> dict[str, bytes]:
    """Return every file of a site, its processes' words and environment, and its answers."""
    seen = {
        str(path): path.read_bytes()
        for path in site.rglob("*")
        if path.is_file() and not path.is_relative_to(vault.directory)
    }
    for pid in pids:
        for name in ("cmdline", "environ"):
            seen[f"{pid} {name}"] = Path(f"/proc/{pid}/{name}").read_bytes()
    for socket in sides([site / "run"]):
        seen[str(socket)] = str(ask(socket, "status")).encode()
    for socket in (site / "run").glob(f"*{METRICS}"):
        seen[str(socket)] = fetched(socket, "/metrics")[1].encode()
    return seen


def test_no_secret_is_in_logs_arguments_answers_files_or_cores(
    tmp_path: Path, authority: Authority, vault: Vault
) -> None:
    site = write_site(tmp_path / "site", 1)
    options = authority.listener(mutual="true")
    vault.keep(WRONG)
    with (
        Mosquitto(tmp_path / "broker", users={"bus": RIGHT}, options=options) as broker,
        simulated(site) as endpoints,
    ):
        (site / "bus" / "analytics.yaml").write_text(
            BUS.format(
                port=broker.port,
                credentials=vault.directory,
                ca=authority.ca_file,
                certificate=authority.certificate("client"),
                key=vault.key,
                name=SERVED,
            )
        )
        log = site / "run.log"
        anywhere = ["env", "-C", str(site), "prlimit", "--core=unlimited"]
        words = ["run", site, "--endpoints", endpoints, "--log", "json", "--log-level", "debug"]
        with Process(log, *words, prefix=anywhere) as both:
            wait_until(lambda: said(site, "bus-analytics").get("error"), log)
            vault.keep(RIGHT)
            wait_until(lambda: said(site, "bus-analytics").get("samples"), log, limit_s=40)
            sides = both.children
            for name, seen in everything(site, vault, both.pid, *sides.values()).items():
                assert not vault.found(seen), name
            for pid in sides.values():
                os.kill(pid, signal.SIGABRT)
            wait_until(lambda: both.children.keys() == sides.keys(), log)
            wait_until(lambda: not {*both.children.values()} & {*sides.values()}, log)
            wait_until(lambda: said(site, "field") and said(site, "bus-analytics"), log)
            for name, seen in everything(site, vault, *both.children.values()).items():
                assert not vault.found(seen), name
                assert Path(name).name != "core"
        told = log.read_text().lower()
        assert "bad user name" in told or "not authorized" in told

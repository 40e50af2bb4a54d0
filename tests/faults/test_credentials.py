"""Passwords, certificates and keys that change on disk while the bus side runs."""

import random
import ssl
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path

import pytest
import trustme
from structlog.testing import capture_logs

from brokers import Authority, Mosquitto, authority
from otgate.app.login import FileLogin, fingerprints
from otgate.config.bus import load_bus
from otgate.errors import Refused
from pems import keep_private
from publishing import Feeder, publishing

__all__ = ["authority"]

OLD, NEW = "correct horse", "battery staple"


class Patient(random.Random):
    """Draws the longest delay each time, so that only a change on disk makes us early."""

    def uniform(self, a: float, b: float) -> float:
        return max(a, b)


@pytest.fixture
async def feeder(tmp_path: Path) -> AsyncIterator[Feeder]:
    feeder = Feeder(tmp_path / "spool")
    feeder.measure()
    yield feeder
    feeder.close()


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def late(monkeypatch: pytest.MonkeyPatch) -> random.Random:
    """The second attempt comes after a minute."""
    monkeypatch.setattr("otgate.publish.retry.FIRST_S", 60.0)
    return Patient()


def secret(folder: Path, text: str) -> Path:
    """Put a password into the credential directory as an administrator does: by a rename."""
    directory = folder / "credentials"
    directory.mkdir(mode=0o700, exist_ok=True)
    draft = directory / "password.new"
    draft.write_text(text)
    draft.chmod(0o600)
    return draft.replace(directory / "password")


def login(folder: Path, *lines: str) -> FileLogin:
    """What a bus file with ``lines`` says of keys."""
    path = folder / "bus.yaml"
    head = ["config_version: 1", "conduit: analytics", 'brokers: ["mqtts://localhost:8883"]']
    path.write_text("\n".join([*head, *lines]) + "\n")
    bus, mistakes = load_bus(path)
    assert bus is not None, mistakes
    return FileLogin(bus)


def by_password(folder: Path) -> FileLogin:
    return login(
        folder,
        "username: bus",
        "password: {credential: password}",
        "credentials: credentials",
        "tls: {ca: absent.pem}",
    )


class Passwords:
    """A login without TLS."""

    def __init__(self, folder: Path) -> None:
        (folder / "absent.pem").touch()
        self._files = by_password(folder)
        self.keys = self._files.keys
        self.mark = self._files.mark


async def test_a_password_put_right_on_disk_is_used_at_once(
    tmp_path: Path,
    feeder: Feeder,
    state: Path,
    late: random.Random,
    capfd: pytest.CaptureFixture[str],
) -> None:
    secret(tmp_path, OLD)
    with Mosquitto(tmp_path / "closed", users={"bus": NEW}) as closed:
        async with publishing(
            feeder.directory, state, closed.url, login=Passwords(tmp_path), rng=late
        ) as running:
            await running.until(lambda status: status["error"] is not None)
            told = str(running.publisher.status())
            secret(tmp_path, NEW)
            await running.until(lambda status: status["samples"] == 10, limit_s=10)
    told += capfd.readouterr().out
    assert "Bad user name or password" in told or "Not authorized" in told
    assert OLD not in told
    assert NEW not in told


async def test_a_password_changed_on_both_ends_is_used_at_the_next_connection(
    tmp_path: Path, feeder: Feeder, state: Path
) -> None:
    secret(tmp_path, OLD)
    closed = Mosquitto(tmp_path / "closed", users={"bus": OLD})
    with closed:
        async with publishing(
            feeder.directory, state, closed.url, login=Passwords(tmp_path)
        ) as running:
            await running.until(lambda status: status["samples"] == 10)
            secret(tmp_path, NEW)
            closed.kill()
            with Mosquitto(tmp_path / "other", users={"bus": NEW}, port=closed.port):
                feeder.measure()
                await running.until(
                    lambda status: status["lanes"]["data"]["complete_through"] == 20
                )


@pytest.mark.parametrize("trouble", ["gone", "open to others", "no directory"])
async def test_a_credential_that_cannot_be_read_is_told_and_tried_again(
    tmp_path: Path, feeder: Feeder, state: Path, late: random.Random, trouble: str
) -> None:
    file = secret(tmp_path, OLD)
    aside = tmp_path / "aside"
    keys = Passwords(tmp_path)
    with Mosquitto(tmp_path / "closed", users={"bus": OLD}) as closed:
        if trouble == "gone":
            file.rename(aside)
        elif trouble == "open to others":
            file.chmod(0o644)
        else:
            file.parent.rename(aside)
        async with publishing(feeder.directory, state, closed.url, login=keys, rng=late) as running:
            await running.until(lambda status: status["error"] is not None)
            assert "password" in running.publisher.status()["error"]
            if trouble == "gone":
                aside.rename(file)
            elif trouble == "open to others":
                file.chmod(0o600)
            else:
                aside.rename(file.parent)
            await running.until(lambda status: status["samples"] == 10, limit_s=10)


def test_a_key_that_others_can_read_is_refused_with_what_mends_it(tmp_path: Path) -> None:
    key = tmp_path / "client.key"
    key.touch(mode=0o640)
    keys = login(tmp_path, "tls: {ca: ca.pem, certificate: client.pem, key: client.key}")
    with pytest.raises(Refused, match=f"run `chmod go= {key}`"):
        keys.keys()
    key.chmod(0o400)
    assert keys.keys().tls


def certify(folder: Path, ca: trustme.CA, name: str) -> None:
    """Write a client certificate and its key, one after the other."""
    issued = ca.issue_cert(name)
    (folder / "client.pem").write_bytes(b"".join(c.bytes() for c in issued.cert_chain_pems))
    keep_private(issued, folder / "client.key")


def mutual(folder: Path) -> FileLogin:
    return login(folder, "tls: {ca: ca/ca.pem, certificate: client.pem, key: client.key}")


async def test_a_rotated_certificate_is_used_at_the_next_connection(
    tmp_path: Path, feeder: Feeder, state: Path, authority: Authority
) -> None:
    certify(tmp_path, authority.ca, "before")
    keys = mutual(tmp_path)
    options = [*authority.listener(mutual="true"), "use_subject_as_username true"]
    with Mosquitto(tmp_path / "tls", options=options) as secure:
        url = f"mqtts://localhost:{secure.port}"
        async with publishing(
            feeder.directory, state, url, login=keys, tls=keys.keys().tls
        ) as running:
            await running.until(lambda status: status["samples"] == 10)
            first = secure.log
            certify(tmp_path, authority.ca, "after")
            running.end("the test says so")
            await running.until(lambda status: status["connections"] == 2)
        assert users(first) != users(secure.log.removeprefix(first))


def users(log: str) -> set[str]:
    """Who the broker says came: the subjects of the certificates."""
    return {line.partition(" u'")[2] for line in log.splitlines() if " u'" in line}


async def test_a_certificate_that_is_refused_is_replaced_on_disk_and_used_at_once(
    tmp_path: Path, feeder: Feeder, state: Path, authority: Authority, late: random.Random
) -> None:
    certify(tmp_path, trustme.CA(), "stranger")
    keys = mutual(tmp_path)
    with Mosquitto(tmp_path / "tls", options=authority.listener(mutual="true")) as secure:
        url = f"mqtts://localhost:{secure.port}"
        async with publishing(
            feeder.directory, state, url, login=keys, tls=keys.keys().tls, rng=late
        ) as running:
            await running.until(lambda status: status["error"] is not None)
            assert "TLS" in running.publisher.status()["error"]
            certify(tmp_path, authority.ca, "friend")
            await running.until(lambda status: status["samples"] == 10, limit_s=10)


def test_a_credential_that_changes_is_logged_without_what_is_secret(tmp_path: Path) -> None:
    secret(tmp_path, OLD)
    found = by_password(tmp_path)
    with capture_logs() as told:
        found.keys()
        found.keys()
        secret(tmp_path, NEW)
        found.keys()
        found.keys()
    assert told == [{"event": "credential_rotated", "log_level": "warning", "password": "changed"}]


def test_a_certificate_that_changes_is_logged_by_its_fingerprint(
    tmp_path: Path, authority: Authority
) -> None:
    ours = [tmp_path / "client.pem", tmp_path / "client.key"]
    theirs = [(authority.certificate(n), authority.key(n)) for n in ("broker", "client")]
    found = login(
        tmp_path, f"tls: {{ca: {authority.ca_file}, certificate: client.pem, key: client.key}}"
    )
    with capture_logs() as told:
        for pair in theirs:
            for source, target in zip(pair, ours, strict=True):
                target.write_bytes(source.read_bytes())
                target.chmod(0o600)
            found.keys()
    pem = authority.certificate("client").read_text()
    first = pem[: pem.index("END CERTIFICATE") + 20]
    shown = sha256(ssl.PEM_cert_to_DER_cert(first)).hexdigest()
    assert [(one["certificate"], one["key"]) for one in told] == [(shown, "changed")]
    assert "ca" not in told[0]
    ours[0].unlink()
    assert dict(fingerprints(found.keys()))["certificate"] == ("unreadable", b"")

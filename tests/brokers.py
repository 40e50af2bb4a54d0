"""Real Mosquitto brokers for tests: started on a free port, killed, stopped, restarted."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest
import trustme

from pems import keep_private

READY_WITHIN_S = 5.0
SYSTEM_PATHS = ("/usr/sbin/mosquitto", "/usr/local/sbin/mosquitto")

SERVED = "broker.test"
"""The name in the brokers' certificates, beside localhost and 127.0.0.1."""


NODELAY = ("set_tcp_nodelay true",)
"""As in the shipped configurations: without, subscribers wait 40 ms for the end of a message."""


def mosquitto() -> str:
    """Return the path of the broker, which `make test` installs."""
    found = shutil.which("mosquitto") or next(filter(Path.is_file, map(Path, SYSTEM_PATHS)), None)
    if found is None:
        pytest.fail("no mosquitto on this machine: `make test` installs it (apt install mosquitto)")
    return str(found)


def free_port() -> int:
    """Return a loopback port that nobody listens on now."""
    with closing(socket.socket()) as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


@dataclass
class Authority:
    """A test CA with files for a broker, a client, and a client that nobody trusts."""

    directory: Path
    ca: trustme.CA = field(default_factory=trustme.CA)

    def __post_init__(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        self.ca.cert_pem.write_to_path(self.ca_file)
        self._issue("broker", "localhost", "127.0.0.1", SERVED)
        self._issue("client", "otgate-bus")

    @property
    def ca_file(self) -> Path:
        return self.directory / "ca.pem"

    def certificate(self, name: str) -> Path:
        return self.directory / f"{name}.pem"

    def key(self, name: str) -> Path:
        return self.directory / f"{name}.key"

    def _issue(self, name: str, *identities: str) -> None:
        issued = self.ca.issue_cert(*identities)
        keep_private(issued, self.key(name))
        chain = b"".join(part.bytes() for part in issued.cert_chain_pems)
        self.certificate(name).write_bytes(chain)

    def listener(self, *, mutual: str = "false") -> list[str]:
        """Return the broker's options for TLS; ``mutual`` asks clients for a certificate."""
        return [
            f"cafile {self.ca_file}",
            f"certfile {self.certificate('broker')}",
            f"keyfile {self.key('broker')}",
            f"require_certificate {mutual}",
        ]


class Mosquitto:
    """One broker process in a directory of its own; keeps its port over restarts."""

    def __init__(
        self,
        directory: Path,
        *,
        options: Sequence[str] = (),
        users: Mapping[str, str] | None = None,
        port: int | None = None,
        host: str = "127.0.0.1",
        inside: Sequence[str] = (),
    ) -> None:
        """``inside`` is a command that runs another one, in a network namespace for instance."""
        self.port = port or free_port()
        self.host = host
        self._inside = inside
        self._directory = directory
        self._directory.mkdir(parents=True, exist_ok=True)
        self._process: subprocess.Popen[bytes] | None = None
        self._write_config(options, users)

    @property
    def url(self) -> str:
        return f"mqtt://{self.host}:{self.port}"

    @property
    def pid(self) -> int:
        return self._running().pid

    @property
    def log(self) -> str:
        return (self._directory / "broker.log").read_text(errors="replace")

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.kill()

    def start(self) -> None:
        """Start, and return once it answers."""
        with (self._directory / "broker.log").open("ab") as log:
            self._process = subprocess.Popen(
                [*self._inside, mosquitto(), "-v", "-c", self._directory / "mosquitto.conf"],
                stdout=log,
                stderr=log,
            )
        self._await_port()

    def kill(self) -> None:
        """End it without a farewell, as a power cut does."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """End it in good order."""
        self._end(signal.SIGTERM)

    def restart(self) -> None:
        """Kill it and start it again on the same port."""
        self.kill()
        self.start()

    def freeze(self) -> None:
        """Leave its connections open and answer nothing: a half-open peer."""
        self._running().send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._running().send_signal(signal.SIGCONT)

    def await_log(self, words: str, limit_s: float = 20.0) -> None:
        """Return once the broker has said ``words``."""
        until = time.monotonic() + limit_s
        while words not in self.log:
            assert time.monotonic() < until, self.log[-2000:]
            time.sleep(0.02)

    def _running(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "the broker is not started"
        return self._process

    def _end(self, number: signal.Signals) -> None:
        if self._process is None:
            return
        with suppress(ProcessLookupError):
            self._process.send_signal(number)
            self._process.send_signal(signal.SIGCONT)
        self._process.wait(10)
        self._process = None

    def _write_config(self, options: Sequence[str], users: Mapping[str, str] | None) -> None:
        lines = [
            f"listener {self.port} {'0.0.0.0' if self._inside else self.host}",
            *options,
        ]
        if not any(line.startswith("max_queued_messages") for line in options):
            lines += ["max_queued_messages 1000000", "max_queued_bytes 0"]
        if os.geteuid() == 0:
            lines.append("user root")  # else it could not read the test's files
        if users is None:
            lines.append("allow_anonymous true")
        else:
            lines += ["allow_anonymous false", f"password_file {self._passwords(users)}"]
        if not any(line.startswith("persistence ") for line in options):
            lines.append("persistence false")
        (self._directory / "mosquitto.conf").write_text("\n".join(lines) + "\n")

    def _passwords(self, users: Mapping[str, str]) -> Path:
        file = self._directory / "passwords"
        file.write_text("".join(f"{name}:{secret}\n" for name, secret in users.items()))
        file.chmod(0o600)
        subprocess.run(["mosquitto_passwd", "-U", file], check=True, timeout=20)
        return file

    def _await_port(self) -> None:
        until = time.monotonic() + READY_WITHIN_S
        while time.monotonic() < until:
            if self._running().poll() is not None:
                pytest.fail(f"the broker did not start: {self.log}")
            with closing(socket.socket()) as sock:
                if sock.connect_ex((self.host, self.port)) == 0:
                    return
            time.sleep(0.02)
        pytest.fail(f"the broker did not listen on {self.port}: {self.log}")


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    """A running broker that anyone may use."""
    with Mosquitto(tmp_path / "broker") as running:
        yield running


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """A CA and certificates of it."""
    return Authority(tmp_path / "ca")

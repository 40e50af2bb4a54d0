"""Brokers of other kinds, from Debian: nats-server, and RabbitMQ with its MQTT plug-in."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Mapping
from contextlib import closing, suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from brokers import free_port

NATS = """\
server_name: otgate
listen: "127.0.0.1:{inner}"
jetstream {{ store_dir: "{folder}/jetstream" }}
mqtt {{ listen: "127.0.0.1:{port}" }}
"""
RABBIT = """\
listeners.tcp.1 = 127.0.0.1:{inner}
mqtt.listeners.tcp.1 = 127.0.0.1:{port}
mqtt.allow_anonymous = true
loopback_users = none
distribution.listener.interface = 127.0.0.1
"""


class OtherBroker:
    """One broker process on a port that it keeps over restarts."""

    ready_within_s = 20.0

    def __init__(self, folder: Path, port: int | None = None) -> None:
        self.folder = folder
        self.port = port or free_port()
        folder.mkdir(parents=True, exist_ok=True)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"mqtt://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int:
        assert self._process is not None, "the broker is not started"
        return self._process.pid

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

    def command(self) -> list[str]:
        """Write the configuration; return what to run."""
        raise NotImplementedError

    def environment(self) -> Mapping[str, str]:
        """Return what it reads from the environment besides."""
        return {}

    def start(self) -> None:
        """Start, and return once it answers."""
        with (self.folder / "broker.log").open("ab") as log:
            self._process = subprocess.Popen(
                self.command(),
                stdout=log,
                stderr=log,
                env={**os.environ, **self.environment()},
                start_new_session=True,
            )
        until = time.monotonic() + self.ready_within_s
        while time.monotonic() < until:
            with closing(socket.socket()) as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        pytest.fail((self.folder / "broker.log").read_text(errors="replace"))

    def kill(self) -> None:
        """End it, with whatever it started, as a power cut does."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(10)
            self._process = None

    def restart(self) -> None:
        """Kill it and start it again on the same port."""
        self.kill()
        self.start()


class Nats(OtherBroker):
    """nats-server: MQTT 3.1.1 over JetStream."""

    def command(self) -> list[str]:
        if shutil.which("nats-server") is None:
            pytest.skip("no nats-server on this machine: apt-get install nats-server")
        config = self.folder / "nats.conf"
        if not config.exists():
            inner = free_port()
            config.write_text(NATS.format(folder=self.folder, inner=inner, port=self.port))
        return ["nats-server", "-c", str(config)]


class Rabbit(OtherBroker):
    """RabbitMQ 3.10 with the MQTT plug-in: MQTT 3.1.1 over AMQP queues."""

    ready_within_s = 60.0

    def command(self) -> list[str]:
        server = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
        if not server.exists():
            pytest.skip("no RabbitMQ on this machine: apt-get install rabbitmq-server")
        if not (self.folder / "rabbitmq.conf").exists():
            text = RABBIT.format(inner=free_port(), port=self.port)
            (self.folder / "rabbitmq.conf").write_text(text)
            (self.folder / "plugins").write_text("[rabbitmq_mqtt].\n")
        return [str(server)]

    def environment(self) -> Mapping[str, str]:
        return {
            "HOME": str(self.folder),
            "RABBITMQ_NODENAME": f"otgate{self.port}@localhost",
            "RABBITMQ_MNESIA_BASE": str(self.folder / "db"),
            "RABBITMQ_LOG_BASE": str(self.folder / "log"),
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "plugins"),
            "RABBITMQ_PID_FILE": str(self.folder / "pid"),
            "ERL_EPMD_PORT": str(self.port + 1 if self.port < 65_535 else self.port - 1),
        }

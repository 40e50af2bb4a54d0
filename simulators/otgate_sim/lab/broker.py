"""The lab's broker: Mosquitto where it is installed, else amqtt, on a free loopback port."""

import asyncio
import os
import shutil
import socket
import sys
from importlib.util import find_spec
from pathlib import Path

from otgate.errors import Refused
from otgate_sim.lab.children import Child, Children, dying_with_us

LOOPBACK = "127.0.0.1"
START_LIMIT_S = 10.0
LOOK_S = 0.02
SEARCH = os.pathsep.join((os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin"))

MOSQUITTO = """\
{user}listener {port} 127.0.0.1
allow_anonymous true
persistence false
set_tcp_nodelay true
max_queued_messages 1000000
log_dest stderr
log_type error
log_type warning
"""
"""Unlimited queues, for what a lagging subscriber misses would count as loss; no change of user,
for that would undo the wish to die with the lab."""

AMQTT = """\
listeners:
  default: {{type: tcp, bind: "127.0.0.1:{port}"}}
plugins:
  amqtt.plugins.authentication.AnonymousAuthPlugin: {{allow_anonymous: true}}
"""


async def broker(children: Children) -> tuple[str, str]:
    """Start a broker; return its URL and what to say about it.

    Raises:
        Refused: no broker is installed, or it did not start.
    """
    port = free_port()
    if mosquitto := shutil.which("mosquitto", path=SEARCH):
        user = "user root\n" if os.getuid() == 0 else ""
        text = MOSQUITTO.format(port=port, user=user)
        conf = written(children.directory / "mosquitto.conf", text)
        child = await children.start("broker", dying_with_us([mosquitto, "-c", str(conf)]))
        note = "Mosquitto"
    elif find_spec("amqtt"):
        conf = written(children.directory / "amqtt.yaml", AMQTT.format(port=port))
        command = [sys.executable, "-m", "amqtt.scripts.broker_script", "-c", str(conf)]
        child = await children.start("broker", dying_with_us(command))
        note = "amqtt, because Mosquitto is not installed: MQTT 3.1.1 only, and slower"
    else:
        raise Refused("no MQTT broker: install mosquitto, or otgate[lab], or give --broker")
    await answering(child, port)
    return f"mqtt://{LOOPBACK}:{port}", note


def free_port() -> int:
    """Return a port that nobody listened on a moment ago."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        port: int = probe.getsockname()[1]
    return port


def written(path: Path, text: str) -> Path:
    """Write a configuration file and return its path."""
    path.write_text(text, encoding="utf-8")
    return path


async def answering(child: Child, port: int) -> None:
    """Return once something accepts connections on ``port``.

    Raises:
        Refused: the process ended, or nothing answers in time.
    """
    try:
        async with asyncio.timeout(START_LIMIT_S):
            while child.process.returncode is None:
                try:
                    _, writer = await asyncio.open_connection(LOOPBACK, port)
                except OSError:
                    await asyncio.sleep(LOOK_S)
                else:
                    writer.close()
                    return
    except TimeoutError:
        raise Refused(f"the broker does not answer\n{child.last_words()}") from None
    raise Refused(f"the broker did not start\n{child.last_words()}")

"""The MQTT codec against Mosquitto, byte for byte: what it makes of ours, what we make of its."""

import select
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from brokers import Mosquitto
from otgate.publish.decoder import Connack, Decoder, Disconnect, Packet, Pingresp, Puback
from otgate.publish.message import Message, Retain
from otgate.publish.packets import PINGREQ, Hello, Version, connect, disconnect, publish_head
from otgate.publish.reasons import PACKET_TOO_LARGE

RULES = "topic readwrite t/#\ntopic deny t/denied\n"
NOT_AUTHORIZED = 0x87
LIMITS = ["max_packet_size 1000", "max_inflight_messages 7", "max_qos 1", "max_keepalive 60"]


@pytest.fixture
def strict(tmp_path: Path) -> Iterator[Mosquitto]:
    """A broker with rules, limits and passwords."""
    rules = tmp_path / "rules"
    rules.write_text("user bus\n" + RULES)
    options = [f"acl_file {rules}", *LIMITS]
    with Mosquitto(tmp_path / "strict", options=options, users={"bus": "right"}) as broker:
        yield broker


def hello(version: Version, password: str = "right", name: str = "codec") -> Hello:
    return Hello(version, name, 600, Message("t/will", b""), 0, "bus", password)


class Line:
    """A connection that remembers every byte that came."""

    def __init__(self, wire: socket.socket, version: Version) -> None:
        self.came = b""
        self._wire = wire
        self._version = version

    def say(self, *packets: bytes) -> None:
        self._wire.sendall(b"".join(packets))

    def publish(self, topic: str, payload: bytes, packet_id: int, qos: int = 1) -> None:
        size = len(payload)
        head = publish_head(self._version, topic, packet_id, size, qos=qos, retain=Retain.NO)
        self.say(head, payload)

    def hear(self, count: int) -> list[Packet]:
        """Return all packets so far, once there are so many."""
        while len(found := self.packets()) < count:
            assert select.select([self._wire], [], [], 10)[0], found
            came = self._wire.recv(4096)
            assert came, found
            self.came += came
        return found

    def packets(self) -> list[Packet]:
        return list(Decoder(self._version).packets(self.came))

    def holds_at_every_cut(self) -> bool:
        for at in range(len(self.came) + 1):
            decoder = Decoder(self._version)
            halves = [*decoder.packets(self.came[:at]), *decoder.packets(self.came[at:])]
            assert halves == self.packets()
        return True


@contextmanager
def line(broker: Mosquitto, greeting: Hello) -> Iterator[Line]:
    with socket.create_connection((broker.host, broker.port)) as wire:
        wire.sendall(connect(greeting))
        yield Line(wire, greeting.version)


def test_mosquitto_grants_refuses_and_takes_in_mqtt_5(strict: Mosquitto) -> None:
    with line(strict, hello(Version.V5)) as us:
        (connack,) = us.hear(1)
        assert isinstance(connack, Connack)
        assert (connack.code, connack.keepalive_s) == (0, 60)
        assert (connack.grants.receive_maximum, connack.grants.maximum_packet_size) == (7, 1000)
        assert connack.grants.maximum_qos == 1
        us.publish("t/taken", b"x" * 300, 1)
        us.publish("t/denied", b"x", 65_535)
        us.publish("t/taken", b"x", 0, qos=0)
        us.say(PINGREQ)
        answers = us.hear(4)[1:]
        assert {type(a) for a in answers} == {Puback, Pingresp}
        pubacks = {a.packet_id: a.code for a in answers if isinstance(a, Puback)}
        assert pubacks[1] < 0x80
        assert pubacks[65_535] == NOT_AUTHORIZED
        us.publish("t/taken", b"x" * 2000, 2)
        assert us.hear(5)[-1] == Disconnect(PACKET_TOO_LARGE)
        assert us.holds_at_every_cut()


def test_mosquitto_takes_in_3_1_1(strict: Mosquitto) -> None:
    with line(strict, hello(Version.V311)) as us:
        assert us.hear(1) == [Connack(0)]
        us.publish("t/taken", b"x" * 900, 77)
        us.say(PINGREQ)
        assert set(us.hear(3)[1:]) == {Puback(77, 0), Pingresp()}
        assert us.holds_at_every_cut()
        us.say(disconnect(Version.V311))


@pytest.mark.parametrize("version", list(Version))
def test_mosquitto_refuses_a_wrong_password(strict: Mosquitto, version: Version) -> None:
    with line(strict, hello(version, "wrong")) as us:
        (connack,) = us.hear(1)
        assert isinstance(connack, Connack)
        assert connack.code == NOT_AUTHORIZED
        assert us.holds_at_every_cut()


@pytest.mark.parametrize("version", list(Version))
def test_mosquitto_reads_the_will_as_we_said_it(strict: Mosquitto, version: Version) -> None:
    will = Message("t/will", b"gone", Retain.YES)
    with line(strict, Hello(version, "heir", 60, will, 1, "bus", "right")) as us:
        us.hear(1)
    level = 5 if version is Version.V5 else 2  # Mosquitto's own number of 3.1.1
    strict.await_log(f"heir (p{level}, c1, k60, u'bus')")
    strict.await_log("Will message specified (4 bytes) (r1, q1).")

from pathlib import Path

import pytest

from otgate.config.bus import load_bus
from otgate.config.bus_side import BusFile, Credential
from otgate.config.diagnostic import Severity
from otgate.spool.cursor import HISTORY_S
from sites import BUS

TLS = BUS.replace("mqtt:", "mqtts:") + "tls: {ca: ca.pem, certificate: gw.pem, key: gw.key}\n"


def load(directory: Path, text: str) -> tuple[BusFile | None, list[str]]:
    path = directory / "analytics.yaml"
    path.write_text(text)
    bus, said = load_bus(path)
    return bus, [one.code for one in said]


def bus_of(directory: Path, text: str) -> BusFile:
    bus, said = load(directory, text)
    assert bus is not None, said
    return bus


def test_what_a_bus_file_leaves_out_has_a_default(tmp_path: Path) -> None:
    bus = bus_of(tmp_path, BUS)
    assert bus.brokers == ("mqtt://127.0.0.1:1883",)
    assert (bus.root, bus.protocol, bus.compress, bus.last) == ("otgate", "auto", "none", "off")
    assert (bus.keepalive_s, bus.window, bus.replay_s) == (5, 20, 3.0)
    assert bus.spool == tmp_path / "../spool/analytics"
    assert bus.state == tmp_path / "../state/bus/analytics"
    assert (bus.username, bus.password, bus.tls, bus.credentials) == (None,) * 4


def test_no_more_is_replayed_than_a_cursor_remembers(tmp_path: Path) -> None:
    assert bus_of(tmp_path, BUS + f"replay_s: {HISTORY_S}\n").replay_s == HISTORY_S
    bus, said = load(tmp_path, BUS + f"replay_s: {HISTORY_S + 1}\n")
    assert (bus, said) == (None, ["out-of-range"])


def test_paths_count_from_the_bus_file(tmp_path: Path) -> None:
    bus = bus_of(tmp_path, TLS + "spool: /var/spool/x\nstate: s\ncredentials: secrets\n")
    assert bus.spool == Path("/var/spool/x")
    assert (bus.state, bus.credentials) == (tmp_path / "s", tmp_path / "secrets")
    assert bus.tls is not None
    assert bus.tls.ca == tmp_path / "ca.pem"
    assert bus.tls.key == tmp_path / "gw.key"


def test_secrets_are_named_not_written(tmp_path: Path) -> None:
    text = TLS.replace("key: gw.key", "key: {credential: gw-key}") + "username: gw1\n"
    bus = bus_of(tmp_path, text + "password: {credential: broker}\n")
    assert bus.password == Credential("broker")
    assert bus.tls is not None
    assert bus.tls.key == Credential("gw-key")


@pytest.mark.parametrize("secret", ["hunter2", "12345", '"{credential: x}"'])
def test_a_written_secret_is_refused_and_not_repeated(tmp_path: Path, secret: str) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(BUS + f"password: {secret}\n")
    bus, said = load_bus(path)
    assert bus is None
    assert [one.code for one in said] == ["secret-in-file"]
    assert secret not in said[0].message + said[0].help


@pytest.mark.parametrize(
    ("url", "codes"),
    [
        ("mqtt://127.0.0.1", []),
        ("mqtt://[::1]:1883", []),
        ("mqtt://localhost", []),
        ("mqtt://10.0.0.9", ["plain-mqtt"]),
        ("mqtts://broker.example", ["tls-without-ca"]),
        ("tcp://127.0.0.1", ["wrong-value"]),
        ("mqtt://", ["wrong-value"]),
        ("mqtt://h:99999", ["wrong-value"]),
        ("mqtt://h/topic", ["wrong-value"]),
        ("mqtt://[::1", ["wrong-value"]),
        ("mqtt://u:p@127.0.0.1", ["secret-in-file"]),
    ],
)
def test_an_address_is_judged(tmp_path: Path, url: str, codes: list[str]) -> None:
    bus, said = load(tmp_path, BUS.replace("mqtt://127.0.0.1:1883", url))
    assert said == codes
    assert (bus is None) == bool(set(codes) - {"plain-mqtt"})


def test_plain_text_to_another_host_is_a_warning_unless_meant(tmp_path: Path) -> None:
    text = BUS.replace("127.0.0.1", "10.0.0.9")
    path = tmp_path / "a.yaml"
    path.write_text(text)
    assert [one.severity for one in load_bus(path)[1]] == [Severity.WARNING]
    assert load(tmp_path, text + "plain: accepted\n")[1] == []


def test_an_absent_file_is_a_diagnostic(tmp_path: Path) -> None:
    bus, said = load_bus(tmp_path / "absent.yaml")
    assert bus is None
    assert [one.code for one in said] == ["unreadable-file"]

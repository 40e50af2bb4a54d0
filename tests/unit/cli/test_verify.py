"""`otgate verify` and `otgate watch` through the real command line."""

import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from threading import Event, Thread
from typing import Any, Self

import paho.mqtt.publish
import pytest

from brokers import Authority, Mosquitto, authority, broker, free_port
from otgate.cli import main, verify
from otgate.cli.duration import duration_s

__all__ = ["authority", "broker"]

PREFIX = "otgate/v1/sub7/gw1/analytics"
META = {
    "schema": "otgate.meta/1",
    "site": "sub7",
    "gateway": "gw1",
    "conduit": "analytics",
    "device": "f3",
    "meta": "9f2c41aa",
    "points": [
        {"id": "ia", "kind": "measurement", "type": "f64", "unit": "A", "name": "Phase A"},
        {"id": "cb", "kind": "status", "type": "i64", "states": {"2": "closed"}},
    ],
}


def data(seq: int, *points: dict[str, Any], **fields: Any) -> dict[str, Any]:
    now_us = time.time_ns() // 1000
    return {
        "schema": "otgate.data/1",
        "site": "sub7",
        "gateway": "gw1",
        "conduit": "analytics",
        "device": "f3",
        "lane": "data",
        "epoch": "01JD3K7Q",
        "seq": seq,
        "meta": "9f2c41aa",
        "origin": "poll",
        "received_us": now_us,
        "spooled_us": now_us,
        "sent_us": now_us,
        "time_us": now_us,
        "points": points or [{"id": "ia", "v": 412.3}],
        **fields,
    }


class Talker:
    """Publishes numbered samples until told to stop; leaves some out."""

    def __init__(self, port: int, *, without: frozenset[int] = frozenset()) -> None:
        self._port = port
        self._without = without
        self._stop = Event()
        self._thread = Thread(target=self._talk, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(10)

    def _talk(self) -> None:
        seq = 0
        while not self._stop.wait(0.02):
            if seq % 10 not in self._without:
                say(self._port, f"{PREFIX}/f3/data", data(seq))
            seq += 1


def say(port: int, topic: str, payload: Any, *, retain: str = "no") -> None:
    content = payload if isinstance(payload, bytes) else json.dumps(payload)
    paho.mqtt.publish.single(
        topic, content, qos=1, retain=retain == "yes", hostname="127.0.0.1", port=port
    )


@pytest.fixture
def explained(broker: Mosquitto) -> Mosquitto:
    say(broker.port, f"{PREFIX}/f3/meta", META, retain="yes")
    return broker


def test_a_stream_without_a_hole_is_fine(
    broker: Mosquitto, capsys: pytest.CaptureFixture[str]
) -> None:
    with Talker(broker.port):
        assert main(["verify", broker.url, "--for", "1.5"]) == 0
    printed = capsys.readouterr().out
    assert re.search(r"sub7/gw1/analytics +data +01JD3K7Q", printed)
    assert ", 0 lost" in printed


def test_a_dropped_number_is_found(broker: Mosquitto, capsys: pytest.CaptureFixture[str]) -> None:
    with Talker(broker.port, without=frozenset({4})):
        assert main(["verify", broker.url, "--for", "1.5", "--json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert report["lost"] >= 1
    assert report["streams"][0]["lost"] == report["lost"]


def test_a_loss_is_printed_with_its_numbers_and_a_hint_at_the_broker(
    broker: Mosquitto, capsys: pytest.CaptureFixture[str]
) -> None:
    with Talker(broker.port, without=frozenset({4})):
        assert main(["verify", broker.url, "--for", "1.5"]) == 1
    printed = capsys.readouterr().out
    assert re.search(r"lost: analytics data 01JD3K7Q \d*4\.\.\d*4\n", printed)
    assert "max_queued_messages" in printed


def test_silence_is_a_failure(broker: Mosquitto, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", broker.url, "--for", "0.5"]) == 1
    assert "nothing was received" in capsys.readouterr().err


def test_an_absent_broker_is_a_failure(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verify", f"mqtt://127.0.0.1:{free_port()}", "--for", "0.5"]) == 1
    assert "no broker" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments",
    [
        ["http://host", "--for", "1"],
        ["mqtt://u:secret@host", "--for", "1"],
        ["mqtts://host", "--for", "1"],
        ["mqtt://host", "--ca", "ca.pem", "--for", "1"],
        ["mqtt://host", "--password-file", "absent", "--for", "1"],
    ],
)
def test_arguments_that_make_no_sense_are_usage(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verify", *arguments]) == 2
    assert "secret" not in capsys.readouterr().err


def verifying(broker: Mosquitto, *arguments: str) -> "subprocess.Popen[str]":
    """`otgate verify` without an end, once it has received something."""
    process = subprocess.Popen(
        [sys.executable, "-m", "otgate", "verify", broker.url, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    broker.await_log("otgate-verify")
    time.sleep(0.5)
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_without_a_duration_it_listens_until_it_is_told_to_stop(
    broker: Mosquitto, number: signal.Signals
) -> None:
    with Talker(broker.port):
        process = verifying(broker)
        process.send_signal(number)
        printed, _ = process.communicate(timeout=20)
    assert process.returncode == 0
    assert re.search(r"\d+ samples received, 0 lost", printed)


def test_a_signal_prints_how_it_stands_and_it_goes_on(broker: Mosquitto) -> None:
    with Talker(broker.port):
        process = verifying(broker, "--json")
        assert process.stdout is not None
        process.send_signal(signal.SIGUSR1)
        first = json.loads(process.stdout.readline())
        time.sleep(0.3)
        process.terminate()
        printed, _ = process.communicate(timeout=20)
    last = json.loads(printed)
    assert 0 < first["received"] < last["received"]


@pytest.mark.parametrize("terminal", ["yes", "no"])
def test_progress_is_told_while_it_runs(
    broker: Mosquitto,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    terminal: str,
) -> None:
    monkeypatch.setattr(verify, "PROGRESS_S", 0.3)
    monkeypatch.setattr(verify, "TERMINAL_S", 0.3)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal == "yes")
    more = [] if terminal == "yes" else ["--progress"]
    with Talker(broker.port):
        assert main(["verify", broker.url, "--for", "1.5s", *more]) == 0
    told = capsys.readouterr().err
    assert re.search(r"0:00:01  \d+ samples received, 0 lost", told)
    assert ("\r" in told) is (terminal == "yes")


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("30s", 30), ("1.5h", 5400), ("10m", 600), ("2d", 172800)]
)
def test_a_duration_is_seconds_or_has_a_unit(text: str, seconds: float) -> None:
    assert duration_s(text) == seconds


@pytest.mark.parametrize("seconds", ["0", "-1", "inf", "soon", "0m", "3 d", "5x"])
def test_a_duration_is_above_zero(seconds: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["verify", "mqtt://host", f"--for={seconds}"])
    assert ended.value.code == 2


def test_a_wrong_password_is_told_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTGATE_CREDENTIAL_MQTT_PASSWORD", "hunter2")
    with Mosquitto(tmp_path / "closed", users={"ana": "right"}) as closed:
        url = f"mqtt://ana@127.0.0.1:{closed.port}"
        assert main(["verify", url, "--for", "20"]) == 1
    printed = capsys.readouterr()
    assert "otgate verify:" in printed.err
    assert "hunter2" not in printed.out + printed.err


def test_a_password_comes_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "password").touch(mode=0o600)
    (tmp_path / "password").write_text("right\n")
    with Mosquitto(tmp_path / "closed", users={"ana": "right"}) as closed:
        url = f"mqtt://ana@127.0.0.1:{closed.port}"
        file = str(tmp_path / "password")
        assert main(["watch", url, "--password-file", file, "--for", "0.5"]) == 0


def test_a_password_that_others_can_read_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "password"
    file.touch(mode=0o644)
    arguments = ["watch", "mqtt://ana@127.0.0.1", "--password-file", str(file), "--for", "1"]
    assert main(arguments) == 2
    assert f"run `chmod go= {file}`" in capsys.readouterr().err


@pytest.mark.parametrize(("ca", "code"), [("right", 0), ("wrong", 1)])
def test_tls_works_with_the_right_ca_only(
    tmp_path: Path, authority: Authority, ca: str, code: int
) -> None:
    trusted = authority if ca == "right" else Authority(tmp_path / "stranger")
    with Mosquitto(tmp_path / "tls", options=authority.listener()) as secure:
        url = f"mqtts://localhost:{secure.port}"
        words = [sys.executable, "-m", "otgate", "watch", url, "--for", "1"]
        done = subprocess.run(
            [*words, "--ca", trusted.ca_file],
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
    assert done.returncode == code
    assert ("certificate" in done.stderr.lower()) is bool(code)


def watched(broker: Mosquitto, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", "otgate", "watch", broker.url, "--for", "3", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_watch_shows_value_unit_quality_and_name(explained: Mosquitto) -> None:
    process = watched(explained)
    with Talker(explained.port):
        printed, _ = process.communicate(timeout=20)
    assert process.returncode == 0
    line = printed.splitlines()[0]
    assert re.match(
        r"\d\d:\d\d:\d\d\.\d{3}  analytics  f3/ia +412.3 A +good +\d+ ms  Phase A", line
    )


def test_watch_filters_and_speaks_json(explained: Mosquitto) -> None:
    process = watched(explained, "--json", "--filter", "f3/c*")
    points = [{"id": "ia", "v": 1.0}, {"id": "cb", "v": 2, "q": ["questionable", "stale"]}]
    with Talker(explained.port):
        time.sleep(1.5)
        say(explained.port, f"{PREFIX}/f3/data", data(5000, *points))
        printed, _ = process.communicate(timeout=20)
    (entry,) = (json.loads(line) for line in printed.splitlines())
    assert (entry["point"], entry["value"], entry["seq"]) == ("cb", 2, 5001)
    assert entry["quality"] == ["questionable", "stale"]


def test_watch_survives_a_broker_restart_and_what_it_cannot_read(explained: Mosquitto) -> None:
    process = watched(explained, "--for", "6", "--json")
    time.sleep(1.5)
    say(explained.port, f"{PREFIX}/f3/data", b"\xff\x00 not json")
    explained.restart()
    with Talker(explained.port):
        printed, complaints = process.communicate(timeout=20)
    assert "unreadable" in complaints
    assert "trying again" in complaints
    assert printed

import re
import socket
from contextlib import closing
from pathlib import Path

import pytest

from audit_logs import audit, lines
from otgate.endpoint.syslog import SyslogPlace, syslog_place
from otgate.errors import Refused
from otgate.observe.audit.anchor import SHOW_S, Anchored, Shown, Syslog, anchors, words
from otgate.observe.audit.book import Ends
from otgate.observe.audit.record import digest

HASH = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"


def received(listener: socket.socket) -> str:
    listener.settimeout(5)
    return listener.recv(4096).decode()


def send(url: str) -> None:
    with closing(Syslog(syslog_place(url), "a/b/field")) as syslog:
        syslog(7, HASH)


def test_a_checkpoint_goes_to_a_unix_socket_as_rfc_5424(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "log"))
        syslog = Syslog(syslog_place(f"unix:{tmp_path / 'log'}"), "sub7/gw1/field")
        with closing(syslog), audit(tmp_path / "audit", Ends(anchor=syslog)) as log:
            log.note("start")
        told = received(listener)
    head, _, text = told.partition(" - ")
    time = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"
    assert re.fullmatch(rf"<109>1 {time} \S+ otgate \d+ audit", head)
    last = digest(lines(tmp_path / "audit")[-1])
    assert text == f"otgate-audit log=sub7/gw1/field seq=2 hash={last}"


def test_a_checkpoint_goes_to_a_udp_port() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 0))
        send(f"udp://127.0.0.1:{listener.getsockname()[1]}")
        assert received(listener).endswith(f"log=a/b/field seq=7 hash={HASH}")


def test_nobody_who_listens_is_no_harm(tmp_path: Path) -> None:
    send(f"unix:{tmp_path}/absent")
    send("udp://host.invalid")


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("unix:/dev/log", SyslogPlace(socket.AF_UNIX, "/dev/log")),
        ("unix:///dev/log", SyslogPlace(socket.AF_UNIX, "/dev/log")),
        ("udp://10.0.0.9", SyslogPlace(socket.AF_INET, ("10.0.0.9", 514))),
        ("udp://[fd00::9]:1514", SyslogPlace(socket.AF_INET6, ("fd00::9", 1514))),
    ],
)
def test_a_place_is_a_socket_or_a_port(url: str, place: SyslogPlace) -> None:
    assert syslog_place(url) == place


@pytest.mark.parametrize(
    "url", ["/dev/log", "unix:log", "tcp://h:1", "udp://h:0", "udp://", "udp://h/x", "udp://h:x"]
)
def test_what_is_no_place_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match=r"write `unix:/dev/log`|is not a number from 1"):
        syslog_place(url)


def test_anchors_are_read_from_words_and_from_files(tmp_path: Path) -> None:
    file = tmp_path / "remote.log"
    file.write_text(f"<109>1 x {words('a/b/field', 3, HASH)}\nother\nanchor: 9:{HASH}\n")
    assert anchors([HASH, f"4:{HASH}", str(file)]) == [
        Anchored(HASH),
        Anchored(HASH, 4),
        Anchored(HASH, 3, "a/b/field"),
        Anchored(HASH, 9),
    ]


def test_an_anchor_is_read_from_a_retained_status(tmp_path: Path) -> None:
    (tmp_path / "status").write_text(
        f'{{"schema":"otgate.status/1","audit":"{HASH}","bus":"alive"}}'
    )
    assert anchors([str(tmp_path / "status")]) == [Anchored(HASH)]


def test_another_checkpoint_is_shown_once_an_hour() -> None:
    now_s = [100.0]
    shown = Shown(lambda: now_s[0])
    assert shown.head == ""
    shown(1, "first")
    now_s[0] += SHOW_S - 1
    shown(2, "second")
    assert shown.head == "first"
    now_s[0] += 1
    shown(3, "third")
    assert shown.head == "third"


def test_what_is_no_anchor_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    with pytest.raises(Refused, match="has no anchor"):
        anchors([str(tmp_path / "empty")])
    with pytest.raises(Refused, match=r"cannot read the anchors in `9f8`: No such file"):
        anchors(["9f8"])

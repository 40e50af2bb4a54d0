"""What is left to a process in its sandbox, tried for real."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from confined import deeds, needs_landlock


@pytest.fixture(autouse=True)
def _landlock() -> None:
    needs_landlock()


@pytest.fixture
def port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_its_own_files_alone_are_read_and_written(tmp_path: Path) -> None:
    for name in ("mine", "theirs"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text("x")
    mine, theirs = tmp_path / "mine", tmp_path / "theirs"
    found = deeds(
        *(f"Path('{folder}/file').read_text()" for folder in (mine, theirs)),
        *(f"Path('{folder}/new').write_text('x')" for folder in (mine, theirs)),
        f"os.rename('{mine}/new', '{mine}/newer')",
        f"os.truncate('{theirs}/file', 0)",
        f"os.symlink('{theirs}/file', '{mine}/link')",
        f"os.link('{theirs}/file', '{mine}/link')",
        write=[mine],
    )
    assert list(found.values()) == [
        "done", "EACCES", "done", "EACCES", "done", "EACCES", "EACCES", "EXDEV",
    ]  # fmt: skip
    assert (theirs / "file").read_text() == "x"


def test_what_it_only_reads_it_does_not_write(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    read, write = f"Path('{tmp_path}/file').read_text()", f"Path('{tmp_path}/file').write_text('')"
    found = deeds(read, write, f"os.unlink('{tmp_path}/file')", read=[tmp_path])
    assert [*found.values()] == ["done", "EACCES", "EACCES"]


def test_a_port_is_reached_in_no_other_way(port: int) -> None:
    there = f"('127.0.0.1', {port})"
    tcp = f"socket.create_connection({there}, 5).close()"
    ways = [
        tcp,
        f"socket.socket(type=socket.SOCK_STREAM, proto=262).connect({there})",
        f"socket.socket().sendto(b'x', 0x20000000, {there})",
        f"socket.socket().sendmsg([b'x'], [], 0x20000000, {there})",
    ]
    assert {*deeds(*ways).values()} == {"EACCES", "EPERM"}
    assert deeds(tcp, connect=[port]) == {tcp: "done"}


def test_it_listens_where_it_said_and_nowhere_else() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    bind = f"socket.socket().bind(('127.0.0.1', {port}))"
    assert deeds(bind) == {bind: "EACCES"}
    assert deeds(bind, listen=[port]) == {bind: "done"}


def test_nothing_is_executed_signalled_or_looked_into() -> None:
    found = deeds(
        "os.execv('/bin/true', ['true'])",
        "os.posix_spawn('/bin/true', ['true'], {})",
        "os.kill(os.getppid(), 0)",
        "open(f'/proc/{os.getppid()}/mem', 'rb')",
        "os.listdir('/proc')",
    )
    assert {*found.values()} == {"EPERM", "EACCES"}


def test_root_is_a_user_like_others() -> None:
    found = deeds(
        "from otgate.sandbox.capabilities import KEPT, held; held() & ~KEPT and os.abort()",
        "os.chown('/proc/self', 1, 1)",
        "os.setuid(1)" if os.geteuid() == 0 else "os.setuid(0)",
        "Path(f'/proc/{os.getppid()}/environ').read_bytes()",
        read=["/"],
    )
    assert [*found.values()] == ["done", "EPERM", "EPERM", "EACCES"]


def test_no_unix_socket_is_reached(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as path, socket.socket(socket.AF_UNIX) as abstract:
        path.bind(f"{tmp_path}/s")
        abstract.bind("\0otgate-test-abstract")
        for listener in (path, abstract):
            listener.listen()
        connects = [
            f"socket.socket(socket.AF_UNIX).connect('{tmp_path}/s')",
            "socket.socket(socket.AF_UNIX).connect('\\0otgate-test-abstract')",
        ]
        assert [*deeds(*connects).values()] == ["EPERM", "EPERM"]
        # who may open unix sockets is kept from abstract ones by Landlock alone
        assert [*deeds(*connects, unix=True).values()] == ["done", "EPERM"]


def test_it_still_sees_itself_and_threads_start() -> None:
    found = deeds(
        "Path('/proc/self/status').read_text()",
        "socket.getaddrinfo('localhost', 80)",
        "import threading; one = threading.Thread(target=print); one.start(); one.join()",
        "import zoneinfo, ssl; ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)",
        "os.kill(os.getpid(), 0)",
        "socket.socketpair()",
    )
    assert {*found.values()} == {"done"}


EACH = """\
import os, socket, sys
from otgate.sandbox import landlock
from otgate.sandbox.kernel import gain_no_privileges
from otgate.sandbox.needs import Needs

def refused(do, *given):
    try:
        do(*given)
    except PermissionError:
        return "x"
    return "-"

for abi in range(1, landlock.version() + 1):
    if os.fork() == 0:
        gain_no_privileges()
        landlock.restrict(Needs(), abi)
        there = ("127.0.0.1", int(sys.argv[2]))
        print(
            abi,
            refused(open, sys.argv[1])
            + refused(os.truncate, sys.argv[1], 0)
            + refused(socket.create_connection, there)
            + refused(os.kill, os.getppid(), 0),
            flush=True,
        )
        os._exit(0)
    os.wait()
"""


def test_each_version_of_landlock_withholds_what_it_can(tmp_path: Path, port: int) -> None:
    (tmp_path / "file").write_text("x")
    command = [sys.executable, "-c", EACH, str(tmp_path / "file"), str(port)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = [line.split()[1] for line in done.stdout.splitlines()]
    assert found[:6] == ["x---", "x---", "xx--", "xxx-", "xxx-", "xxxx"]
    assert {*found[6:]} <= {"xxxx"}

"""What a process in its sandbox must not be able to do, each as a deed that is tried for real."""

import ctypes
import os
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from otgate.sandbox.calls import FAST_OPEN
from otgate.sandbox.capabilities import KEPT, held
from otgate.sandbox.kernel import PR_GET_NO_NEW_PRIVS, controlled
from otgate.sandbox.needs import Needs

MULTIPATH = 262
"""IPPROTO_MPTCP: linux/in.h."""
PTRACE_SEIZE, PTRACE_DETACH = 0x4206, 17
"""ptrace(2)."""
LIMIT_S = 2.0


@dataclass(frozen=True, slots=True)
class Targets:
    """What deeds are aimed at: made for them, and reached by whoever is not confined."""

    folder: str
    """Holds a file `file`, and a unix socket `socket` that is listened on."""
    abstract: str
    """The name of an abstract socket that is listened on."""
    port: int
    """A TCP port of this machine that is listened on."""
    process: int
    """A process of the same user."""


@dataclass(frozen=True, slots=True)
class Deed:
    """Something tried. It raises an OSError where it is refused."""

    what: str
    do: Callable[[], object]
    allowed: str = ""
    """Why the sandbox is not asked to refuse it, in words; empty where it is."""


def forbidden(needs: Needs, at: Targets) -> list[Deed]:
    """Return what a side with these needs is to be kept from."""
    return [*of_files(needs, at), *of_sockets(needs, at), *of_processes(at)]


def of_files(needs: Needs, at: Targets) -> list[Deed]:
    """Return what is tried with files."""
    everything = Path("/") in needs.read
    read = [] if everything else [path for path in needs.read if path.is_dir()]
    folder = Path(at.folder)
    return [
        Deed(
            "read files that are not its own",
            (folder / "file").read_bytes,
            "a reload may name any file" if everything else "",
        ),
        Deed("write files that are not its own", partial(written, folder)),
        *(Deed(f"write {path}", partial(written, path)) for path in read),
    ]


def of_sockets(needs: Needs, at: Targets) -> list[Deed]:
    """Return what is tried with sockets."""
    there = ("127.0.0.1", at.port)
    unsaid = "a driver does not say which it needs"
    return [
        Deed(
            "connect to other TCP ports",
            partial(connected, there),
            unsaid if needs.connect is None else "",
        ),
        Deed("connect by Multipath TCP", partial(connected, there, MULTIPATH)),
        Deed("connect by TCP Fast Open", partial(sent, there)),
        Deed("listen on other TCP ports", bound, unsaid if needs.listen is None else ""),
        Deed("send datagrams", datagram, "it needs them" if needs.datagrams else ""),
        Deed(
            "reach unix sockets",
            partial(reached, f"{at.folder}/socket"),
            "it may need some" if needs.unix else "",
        ),
        Deed("reach abstract sockets", partial(reached, f"\0{at.abstract}")),
    ]


def of_processes(at: Targets) -> list[Deed]:
    """Return what is tried with other processes."""
    return [
        Deed("execute a program", executed),
        Deed("gain rights by executing one", gained),
        Deed("use the rights of root", used),
        Deed("signal other processes", partial(os.kill, at.process, 0)),
        Deed("trace other processes", partial(traced, at.process)),
        Deed("look into other processes", partial(looked_into, at.process)),
    ]


def needed(needs: Needs) -> list[Deed]:
    """Return what a side with these needs has to be able to do."""
    reads = [path for path in needs.read if path.is_dir()]
    writes = [path for path in needs.write if path.is_dir()]
    return [
        *(Deed(f"read {path}", partial(listed, path)) for path in reads),
        *(Deed(f"write {path}", partial(written, path)) for path in writes),
        *(
            Deed(f"connect to TCP port {port}", partial(dialled, port))
            for port in sorted(needs.connect or ())
        ),
    ]


def written(folder: Path) -> None:
    """Make a file and remove it."""
    file = folder / f".otgate-doctor-{os.getpid()}"
    file.write_bytes(b"")
    with suppress(OSError):
        file.unlink()


def listed(folder: Path) -> None:
    """Read a folder's names."""
    next(folder.iterdir(), None)


def connected(there: tuple[str, int], protocol: int = 0) -> None:
    """Connect to a TCP port."""
    with socket.socket(type=socket.SOCK_STREAM, proto=protocol) as dialling:
        dialling.settimeout(LIMIT_S)
        dialling.connect(there)


def dialled(port: int) -> None:
    """Connect to a port of this machine, where most likely nobody listens."""
    with suppress(ConnectionRefusedError, TimeoutError):
        connected(("127.0.0.1", port))


def sent(there: tuple[str, int]) -> None:
    """Connect by sending: RFC 7413."""
    with socket.socket() as dialling:
        dialling.settimeout(LIMIT_S)
        with suppress(BlockingIOError):
            dialling.sendto(b"", FAST_OPEN, there)


def bound() -> None:
    """Take a TCP port."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))


def datagram() -> None:
    """Send a datagram to this machine."""
    with socket.socket(type=socket.SOCK_DGRAM) as sender:
        sender.sendto(b"", ("127.0.0.1", 9))


def reached(name: str) -> None:
    """Connect to a unix socket."""
    with socket.socket(socket.AF_UNIX) as dialling:
        dialling.connect(name)


def executed() -> None:
    """Execute a program that does nothing."""
    started = os.posix_spawn(sys.executable, [sys.executable, "-c", ""], {})
    os.waitpid(started, 0)


def gained() -> None:
    """Find that executing a file could give rights."""
    if controlled(PR_GET_NO_NEW_PRIVS):
        raise PermissionError(0, "given up for ever")


def used() -> None:
    """Find that some of the rights of root are left."""
    if not held() & ~KEPT:
        raise PermissionError(0, "given up, or not there")


def traced(process: int) -> None:
    """Attach to a process as a debugger does."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.ptrace(PTRACE_SEIZE, process, None, None) < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    libc.ptrace(PTRACE_DETACH, process, None, None)


def looked_into(process: int) -> None:
    """Open the memory of a process."""
    with Path(f"/proc/{process}/mem").open("rb"):
        pass


def refusal(do: Callable[[], object]) -> str | None:
    """Return why something is refused, None where it is not."""
    try:
        do()
    except OSError as error:
        return error.strerror or str(error)
    return None

"""A side that runs somebody else's code: what that can do to the other side, its files and keys."""

import json
import os
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from brokers import Mosquitto, broker
from confined import needs_landlock
from daemons import Process, published, running, simulated, wait_until, write_site

__all__ = ["broker"]

pytestmark = [pytest.mark.lab, pytest.mark.slow]

TAKEOVER = Path(__file__).parents[1] / "takeover"

SOCKET = "import socket; socket"


def libc(call: str) -> str:
    """Return an order that calls the C library."""
    return (
        f"import ctypes; libc = ctypes.CDLL(None, use_errno=True); got = libc.{call}\n"
        "if got < 0: raise OSError(ctypes.get_errno(), '')"
    )


@pytest.fixture
def site(tmp_path: Path, broker: Mosquitto, monkeypatch: pytest.MonkeyPatch) -> Path:
    needs_landlock()
    site = write_site(tmp_path / "site", broker.port)
    orders = site / "state/bus/analytics"
    orders.mkdir(parents=True)
    (site / "field-credentials").mkdir(mode=0o700)
    (site / "field-credentials/key").write_text("secret")
    monkeypatch.setenv("PYTHONPATH", str(TAKEOVER))
    monkeypatch.setenv("OTGATE_TEST_ORDERS", str(orders))
    return site


@pytest.fixture
def endpoints(site: Path) -> Iterator[Path]:
    with simulated(site) as found:
        yield found


@pytest.fixture
def gateway(site: Path, endpoints: Path) -> Iterator[Process]:
    with running(site, endpoints) as process:
        wait_until(lambda: published(site) > 0, process.log)
        yield process


def ordered(site: Path, pid: int, orders: Mapping[str, str]) -> dict[str, str]:
    """Let the side do each order; return what came of it."""
    folder = site / "state/bus/analytics"
    (folder / "found.json").unlink(missing_ok=True)
    (folder / "orders.json").write_text(json.dumps(orders))
    os.kill(pid, signal.SIGUSR2)
    wait_until((folder / "found.json").exists)
    found: dict[str, str] = json.loads((folder / "found.json").read_text())
    return found


def on_processes(name: str, pid: int) -> dict[str, str]:
    """What is tried with another process."""
    return {
        f"signal {name}": f"os.kill({pid}, 9)",
        f"stop {name}": f"os.kill({pid}, 19)",
        f"trace {name}": libc(f"ptrace(0x4206, {pid}, None, None)"),
        f"read {name}'s memory": f"open('/proc/{pid}/mem', 'rb').read(1)",
        f"write {name}'s memory": f"open('/proc/{pid}/mem', 'r+b')",
        f"read {name}'s environment": f"open('/proc/{pid}/environ').read()",
        f"take {name}'s files": libc(f"syscall(438, libc.syscall(434, {pid}, 0), 3, 0)"),
    }


def on_files(site: Path) -> dict[str, str]:
    """What a bus side tries with files that are the field side's."""
    segment = next((site / "spool/analytics/data").glob("*.seg"))
    return {
        "append to the spool": f"open('{segment}', 'ab')",
        "cut the spool": f"os.truncate('{segment}', 0)",
        "remove from the spool": f"os.unlink('{segment}')",
        "add to the spool": f"open('{site}/spool/analytics/new', 'w')",
        "read field credentials": f"open('{site}/field-credentials/key').read()",
        "read the site": f"open('{site}/site.yaml').read()",
        "read the policy": f"open('{site}/policy.yaml').read()",
        "read the field side's state": f"os.listdir('{site}/state')",
        "write the policy": f"open('{site}/policy.yaml', 'a')",
        "write its own configuration": f"open('{site}/bus/analytics.yaml', 'a')",
        "remove the control socket": f"os.unlink('{site}/run/field.sock')",
        "leave a program behind": f"open('{TAKEOVER}/left.py', 'w')",
    }


def on_networks(port: int) -> dict[str, str]:
    """What a bus side tries to reach a device."""
    there = f"('127.0.0.1', {port})"
    return {
        "connect to a device": f"{SOCKET}.create_connection({there}, 5)",
        "connect by Multipath TCP": f"{SOCKET}.socket(2, 1, 262).connect({there})",
        "connect by sending": f"{SOCKET}.socket().sendto(b'x', 0x20000000, {there})",
        "send datagrams to a device": f"{SOCKET}.socket(2, 2).sendto(b'x', {there})",
        "speak Ethernet": f"{SOCKET}.socket(socket.AF_PACKET, socket.SOCK_RAW)",
        "be connected to": f"{SOCKET}.create_server(('127.0.0.1', 0))",
    }


def on_itself(site: Path) -> dict[str, str]:
    """What a bus side tries beyond that."""
    path = f"{site}/run/field.sock"
    return {
        "reach the control socket": f"{SOCKET}.socket(socket.AF_UNIX).connect('{path}')",
        "execute": "os.execv('/bin/sh', ['sh', '-c', 'true'])",
        "execute in a child": "import subprocess; subprocess.run(['/bin/true'])",
        "mount": libc(f"mount(b'none', b'{site}', b'tmpfs', 0, None)"),
        "have a user namespace": libc("unshare(0x10000000)"),
        "ring": libc("syscall(425, 1, ctypes.create_string_buffer(128))"),
    }


def port_of(endpoints: Path) -> int:
    url: str = json.loads(endpoints.read_text())["f1"]["url"]
    return int(url.rpartition(":")[2])


def test_a_taken_over_bus_side_reaches_nothing_of_the_field_side_though_one_user_runs_both(
    site: Path, endpoints: Path, gateway: Process
) -> None:
    sides = gateway.children
    orders = {
        **on_processes("the field side", sides["run"]),
        **on_processes("the parent", gateway.pid),
        **on_files(site),
        **on_networks(port_of(endpoints)),
        **on_itself(site),
    }
    found = ordered(site, sides["bus"], orders)
    assert {name: what for name, what in found.items() if what not in {"EPERM", "EACCES"}} == {}
    before = published(site)
    wait_until(lambda: published(site) > before + 10, gateway.log)
    assert gateway.children == sides


def test_a_taken_over_bus_side_keeps_what_it_needs(
    site: Path, gateway: Process, broker: Mosquitto
) -> None:
    state = site / "state/bus/analytics"
    found = ordered(
        site,
        gateway.children["bus"],
        {
            "read the spool": f"os.listdir('{site}/spool/analytics/data')",
            "write its cursor's folder": f"open('{state}/new', 'w')",
            "connect to its broker": "import socket; "
            f"socket.create_connection(('127.0.0.1', {broker.port}), 5)",
        },
    )
    assert {*found.values()} == {"done"}


def test_a_taken_over_field_side_leaves_the_bus_side_alone(
    site: Path, endpoints: Path, gateway: Process, broker: Mosquitto
) -> None:
    sides = gateway.children
    orders = {
        **on_processes("the bus side", sides["bus"]),
        "connect to the broker": "import socket; "
        f"socket.create_connection(('127.0.0.1', {broker.port}), 5)",
        "write the policy": f"open('{site}/policy.yaml', 'a')",
        "write a point map": f"open('{site}/points/f1.csv', 'a')",
        "be connected to": f"{SOCKET}.create_server(('127.0.0.1', 0))",
        "execute": "os.execv('/bin/sh', ['sh', '-c', 'true'])",
    }
    found = ordered(site, sides["run"], orders)
    assert {name: what for name, what in found.items() if what not in {"EPERM", "EACCES"}} == {}
    assert gateway.children == sides

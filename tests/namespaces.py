"""A broker behind a router, in network namespaces: packets vanish there and no end knows."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

ADDRESSES = range(1, 7)
NAMESPACES = Path(__file__).parents[1] / "config" / "namespaces"
OT, IT, DEVICES, BROKERS = range(4)
"""Among the namespaces of `TwoNetworks`."""

REACH = "import socket, sys; socket.create_connection((sys.argv[1], int(sys.argv[2])), 2)"


def needs_namespaces() -> None:
    """Skip the test where this user cannot have network namespaces."""
    if os.geteuid() != 0 or shutil.which("ip") is None:
        pytest.skip("network namespaces need root and `ip` (apt-get install iproute2)")


class Router:
    """Between us and a namespace in which brokers listen on several addresses."""

    def __init__(self, number: int) -> None:
        self.router, self.far = f"otgr{number}", f"otgb{number}"
        self.net = f"10.{213 + number // 250}.{number % 250}"
        self._ours = f"otga{number}"

    def host(self, which: int) -> str:
        """An address of the far namespace."""
        return f"{self.net}.{128 + which}"

    @property
    def inside(self) -> list[str]:
        """The command that runs another one beside the brokers."""
        return ["ip", "netns", "exec", self.far]

    def swallow(self, direction: str, which: int) -> None:
        """Drop every packet `from` or `to` an address, without a word to anybody."""
        ip("-n", self.router, "rule", "add", direction, self.host(which), "blackhole")

    def pass_all(self) -> None:
        """Carry everything again."""
        shown = subprocess.run(
            ["ip", "-n", self.router, "rule"], capture_output=True, text=True, check=True
        ).stdout
        for line in shown.splitlines():
            if "blackhole" in line:
                ip("-n", self.router, "rule", "del", "pref", line.partition(":")[0])

    def build(self) -> None:
        near = f"{self.net}.1"
        for name in (self.router, self.far):
            ip("netns", "add", name)
        ip("link", "add", self._ours, "type", "veth", "peer", "name", "near0", "netns", self.router)
        veth = ("type", "veth", "peer", "name", "far0", "netns", self.router)
        ip("-n", self.far, "link", "add", "far0", *veth)
        ip("addr", "add", f"{near}/26", "dev", self._ours)
        ip("link", "set", self._ours, "up")
        for namespace, address, device in (
            (self.router, f"{self.net}.2/26", "near0"),
            (self.router, f"{self.net}.190/25", "far0"),
            *((self.far, f"{self.host(n)}/25", "far0") for n in ADDRESSES),
        ):
            ip("-n", namespace, "addr", "add", address, "dev", device)
            ip("-n", namespace, "link", "set", device, "up")
        ip("-n", self.far, "route", "add", "default", "via", f"{self.net}.190")
        ip("route", "add", f"{self.net}.128/25", "via", f"{self.net}.2")
        forward = "echo 1 > /proc/sys/net/ipv4/ip_forward"
        ip("netns", "exec", self.router, "sh", "-c", forward)

    def remove(self) -> None:
        for name in (self.far, self.router):
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
        subprocess.run(["ip", "link", "del", self._ours], capture_output=True, check=False)


def ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, timeout=20)


@contextmanager
def routed() -> Iterator[Router]:
    """A router for the length of the block."""
    needs_namespaces()
    router = Router(os.getpid() % 250)
    try:
        router.build()
    except subprocess.CalledProcessError as error:
        router.remove()
        pytest.skip(f"no network namespaces here: {error.stderr.decode().strip()}")
    try:
        yield router
    finally:
        router.remove()


@dataclass
class TwoNetworks:
    """Two networks that share a box and nothing else: devices on one, a broker on the other."""

    number: int
    folder: Path
    subnet: int = 0
    near: int = 1
    """The box's host number on both networks."""
    far: int = 2
    """The other end's."""

    @property
    def names(self) -> list[str]:
        """The namespaces of the field side, the bus side, the devices, the broker."""
        return [f"{name}{self.number}" for name in ("otgT-ot", "otgT-it", "otgT-dev", "otgT-brk")]

    @property
    def config(self) -> Path:
        return self.folder / "namespaces.conf"

    def address(self, network: str, host: int) -> str:
        return f"10.{ {'ot': 77, 'it': 78}[network] }.{self.subnet or self.number}.{host}"

    def build(self) -> None:
        """Lay a cable from the box to each network, and write what is to become of its ends."""
        _, _, devices, brokers = self.names
        for namespace, network in ((devices, "ot"), (brokers, "it")):
            ip("netns", "add", namespace)
            far = ("type", "veth", "peer", "name", "far0", "netns", namespace)
            ip("link", "add", f"{network}{self.number}", *far)
            address = f"{self.address(network, self.far)}/24"
            ip("-n", namespace, "addr", "add", address, "dev", "far0")
            for device in ("far0", "lo"):
                ip("-n", namespace, "link", "set", device, "up")
        ours = {network: f"{self.address(network, self.near)}/24" for network in ("ot", "it")}
        self.config.write_text(
            f"OT_NAMESPACE={self.names[0]} IT_NAMESPACE={self.names[1]}\n"
            f"OT_INTERFACE=ot{self.number} OT_ADDRESS={ours['ot']}\n"
            f"IT_INTERFACE=it{self.number} IT_ADDRESS={ours['it']}\n"
        )

    def script(self, verb: str) -> subprocess.CompletedProcess[str]:
        """Run what ships."""
        command = ["sh", str(NAMESPACES / "otgate-namespaces"), verb, str(self.config)]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)

    def remove(self) -> None:
        self.script("down")
        for name in self.names:
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
        for network in ("ot", "it"):
            link = f"{network}{self.number}"
            subprocess.run(["ip", "link", "del", link], capture_output=True, check=False)

    def inside(self, which: int) -> list[str]:
        return ["ip", "netns", "exec", self.names[which]]

    def reaches(self, which: int, host: str, port: int) -> bool:
        """Tell whether a program in a namespace reaches a server."""
        command = [*self.inside(which), sys.executable, "-c", REACH, host, str(port)]
        done = subprocess.run(command, capture_output=True, check=False, timeout=20)
        return done.returncode == 0


@contextmanager
def two_networks(folder: Path, **numbers: int) -> Iterator[TwoNetworks]:
    """Two networks for the length of the block."""
    needs_namespaces()
    made = TwoNetworks(os.getpid() % 250, folder, **numbers)
    try:
        made.build()
    except subprocess.CalledProcessError as error:
        made.remove()
        pytest.skip(f"no network namespaces here: {error.stderr.decode().strip()}")
    try:
        yield made
    finally:
        made.remove()

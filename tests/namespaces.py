"""A broker behind a router, in network namespaces: packets vanish there and no end knows."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

ADDRESSES = range(1, 7)


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

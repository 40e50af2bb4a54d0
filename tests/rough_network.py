"""A gateway between two networks that fail: a plant with its devices, an office with its broker.

Three network namespaces and ours. The gateway's has an interface to each network; between it and
the others lies a namespace with a `rough_bridge` for each. Ours is the office.
"""

import ctypes
import fcntl
import json
import os
import socket
import struct
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from namespaces import ip, needs_namespaces

SIOCETHTOOL = 0x8946
OFFLOADS = (0x15, 0x17, 0x1F, 0x24, 0x2C)
"""ETHTOOL_SRXCSUM, STXCSUM, STSO, SGSO, SGRO (linux/ethtool.h): frames are as on a wire without."""
BRIDGE = Path(__file__).with_name("rough_bridge.py")

Told = Mapping[str, float]
FAITHFUL: Told = {}
ROUGH: Told = {"delay": 0.02, "jitter": 0.03, "loss": 0.03, "duplicate": 0.03, "reorder": 0.05}
DARK: Told = {"loss": 1.0}


class Bridge:
    """One network between two interfaces."""

    def __init__(self, namespace: str, near: str, far: str) -> None:
        words = ["ip", "netns", "exec", namespace, sys.executable, str(BRIDGE), near, far, "1"]
        self._process = subprocess.Popen(
            words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self._answer() == "ready"

    def carries(self, to_far: Told = FAITHFUL, to_near: Told = FAITHFUL) -> Any:
        """Carry frames so from now on; return what became of those so far."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"to_far": to_far, "to_near": to_near}) + "\n")
        self._process.stdin.flush()
        return json.loads(self._answer())

    def end(self) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(10)
        self._process.stdout.close()

    def _answer(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()


@dataclass
class Network:
    """Where everybody is."""

    number: int
    plant_side: Bridge | None = None
    office_side: Bridge | None = None

    @property
    def gateway(self) -> str:
        return f"otgg{self.number}"

    @property
    def plant(self) -> str:
        return f"otgp{self.number}"

    @property
    def middle(self) -> str:
        return f"otgm{self.number}"

    @property
    def ours(self) -> str:
        """The office's interface, in our own namespace."""
        return f"otgo{self.number}"

    def address(self, net: str, host: int) -> str:
        """An address: the ``net`` is `ot` or `it`."""
        return f"10.{216 if net == 'ot' else 217}.{self.number}.{host}"

    @property
    def device(self) -> str:
        return self.address("ot", 2)

    @property
    def broker(self) -> str:
        return self.address("it", 2)

    def inside(self, namespace: str) -> list[str]:
        """The command that runs another one in a namespace."""
        return ["ip", "netns", "exec", namespace]

    @property
    def ot(self) -> Bridge:
        """The network between the gateway (near) and its devices (far)."""
        assert self.plant_side is not None
        return self.plant_side

    @property
    def it(self) -> Bridge:
        """The network between the gateway (near) and the broker (far)."""
        assert self.office_side is not None
        return self.office_side

    def build(self) -> None:
        for name in (self.gateway, self.plant, self.middle):
            ip("netns", "add", name)
            ip("-n", name, "link", "set", "lo", "up")
        self._joined(self.gateway, "ot0", "near-ot", self.address("ot", 1))
        self._joined(self.plant, "dev0", "far-ot", self.device)
        self._joined(self.gateway, "it0", "near-it", self.address("it", 1))
        self._joined("", self.ours, "far-it", self.broker)

    def _joined(self, namespace: str, name: str, middle: str, address: str) -> None:
        """Lay a cable from an interface of ``namespace`` to the middle."""
        where = ["-n", namespace] if namespace else []
        cable = ["type", "veth", "peer", "name", middle, "netns", self.middle]
        ip(*where, "link", "add", name, *cable)
        ip(*where, "addr", "add", f"{address}/24", "dev", name)
        ip(*where, "link", "set", name, "up")
        ip("-n", self.middle, "link", "set", middle, "promisc", "on", "up")
        with entered(namespace):
            as_on_a_wire(name)
        with entered(self.middle):
            as_on_a_wire(middle)

    def remove(self) -> None:
        for name in (self.gateway, self.plant, self.middle):
            subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
        subprocess.run(["ip", "link", "del", self.ours], capture_output=True, check=False)


@contextmanager
def entered(namespace: str) -> Iterator[None]:
    """Be in a network namespace: this thread alone."""
    if not namespace:
        yield
        return
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        other = os.open(f"/run/netns/{namespace}", os.O_RDONLY | os.O_CLOEXEC)
        setns(other)
        os.close(other)
        yield
    finally:
        setns(home)
        os.close(home)


def setns(descriptor: int) -> None:
    """Enter a namespace; Python has `os.setns` from 3.12 on."""
    if ctypes.CDLL(None, use_errno=True).setns(descriptor, 0):
        raise OSError(ctypes.get_errno(), "setns")


def as_on_a_wire(interface: str) -> None:
    """Switch off what lets the kernel pass frames of 64 kB, or without a checksum."""
    with socket.socket() as asking:
        for command in OFFLOADS:
            value = ctypes.create_string_buffer(struct.pack("II", command, 0))
            request = struct.pack("16sQ", interface.encode(), ctypes.addressof(value))
            with suppress(OSError):  # fixed for this kind of interface
                fcntl.ioctl(asking, SIOCETHTOOL, request)


@contextmanager
def rough_network() -> Iterator[Network]:
    """Both networks, faithful to begin with, for the length of the block."""
    needs_namespaces()
    network = Network(os.getpid() % 250)
    with ExitStack() as stack:
        stack.callback(network.remove)
        try:
            network.build()
        except subprocess.CalledProcessError as error:
            pytest.skip(f"no network namespaces here: {error.stderr.decode().strip()}")
        network.plant_side = Bridge(network.middle, "near-ot", "far-ot")
        stack.callback(network.plant_side.end)
        network.office_side = Bridge(network.middle, "near-it", "far-it")
        stack.callback(network.office_side.end)
        yield network

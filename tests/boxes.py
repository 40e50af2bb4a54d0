"""A whole box: the least Debian with a bundle installed, run by its own systemd in a container.

The tree comes from `tools/debian_tree.sh`. A box has no network but its own loopback, on which it
has a broker and a simulated device; what it writes is gone when it stops.
"""

import fcntl
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TREE = ROOT / "build/debian-tree"
NSPAWN = shutil.which("systemd-nspawn")
READY_WITHIN_S = 60.0
PASSWORD = "first"
TOPIC = "otgate/v1/sub7/gw1/analytics/modbus-1/data"

SIMULATOR = """\
[Service]
ExecStart=/opt/otgate/bin/otgate sim /etc/otgate/field --port-base 5502
[Install]
WantedBy=multi-user.target
"""
BROKER = "listener 1883 127.0.0.1\nallow_anonymous false\npassword_file /etc/mosquitto/users\n"
WATCHDOG_S = 4
LANDLOCK = "landlock_create_ruleset landlock_add_rule landlock_restrict_self"
"""Calls of our sides that a container withholds from everybody, unlike a machine."""
SET_UP = f"""
set -eu
cd /bundle
./install.sh --lab
/opt/otgate/bin/otgate install --driver modbus
sed -i 's,tcp://10.0.0.5:502,tcp://127.0.0.1:5502,' /etc/otgate/field/site.yaml
sed -i 's,^# username:.*,username: gw1,; s,^# password:,password:,' /etc/otgate/bus/analytics.yaml
printf {PASSWORD} > /etc/otgate/bus-credentials/analytics/broker-password
touch /etc/mosquitto/users
mosquitto_passwd -b /etc/mosquitto/users gw1 {PASSWORD}
mosquitto_passwd -b /etc/mosquitto/users reader reader
printf '%s' '{BROKER}' > /etc/mosquitto/conf.d/box.conf
printf '%s' '{SIMULATOR}' > /etc/systemd/system/sim.service
mkdir -p /etc/systemd/system/otgate-field.service.d
cd /etc/systemd/system/otgate-field.service.d
printf '[Service]\\nWatchdogSec={WATCHDOG_S}\\n' > test.conf
useradd -G otgate-admin ann
useradd bob
systemctl enable mosquitto sim otgate.target otgate-field otgate-bus@analytics
"""


def needs_boxes() -> None:
    """Skip the test where this user cannot run a box."""
    if os.geteuid() != 0 or NSPAWN is None or not TREE.is_dir():
        pytest.skip("a box needs root, systemd-nspawn and sh tools/debian_tree.sh")
    tried = once(TREE, ["/bin/true"], 60)
    if tried.returncode:
        pytest.skip(f"no container runs here: {tried.stderr.strip()}")


def contained(tree: Path, *words: str) -> list[str]:
    """Return the command that runs a container without a network."""
    known = ["--quiet", "--register=no", "--keep-unit", "--private-network", "--console=pipe"]
    return [
        str(NSPAWN),
        *known,
        f"--system-call-filter={LANDLOCK}",
        f"--machine=otgate-{os.getpid()}",
        "-D",
        str(tree),
        *words,
    ]


def bundle() -> Path:
    """Make the bundle for the tree's Python; return its path."""
    command = [sys.executable, str(ROOT / "tools/bundle.py"), "--python", "3.11"]
    command += ["--out", str(ROOT / "build/box-bundle")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return Path(done.stdout.strip())


@cache
def box_tree() -> Path:
    """Return a tree with the bundle installed, and `root/set-up.log`; made once per bundle."""
    needs_boxes()
    folder = ROOT / "build/boxes"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        packed = bundle()
        told = hashlib.sha256(packed.read_bytes() + SET_UP.encode()).hexdigest()
        tree = folder / told[:16]
        if not tree.is_dir():
            for old in folder.glob("*/"):
                shutil.rmtree(old)
            _set_up(packed, tree)
    return tree


def _set_up(packed: Path, tree: Path) -> None:
    new = tree.with_suffix(".new")
    subprocess.run(["cp", "-a", str(TREE), str(new)], check=True, timeout=120)
    subprocess.run(["tar", "-C", str(new / "opt"), "-xf", str(packed)], check=True, timeout=60)
    command = contained(new, f"--bind-ro={new}/opt/{packed.stem}:/bundle", "/bin/sh", "-c", SET_UP)
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (new / "root/set-up.log").write_text(done.stdout + done.stderr)
    new.rename(tree)


class Box:
    """A running box."""

    def __init__(self, leader: int, log: Path) -> None:
        self._leader = leader
        self._log = log

    @property
    def root(self) -> Path:
        """Its files, as seen from outside."""
        return Path(f"/proc/{self._leader}/root")

    def run(
        self, *words: str, code: int | None = 0, limit_s: float = 60.0
    ) -> subprocess.CompletedProcess[str]:
        """Run a command in it as root; ``code`` is the exit status to be had, None for any."""
        done = subprocess.run(
            ["nsenter", "-t", str(self._leader), "--all", *words],
            capture_output=True, text=True, timeout=limit_s, check=False,
        )  # fmt: skip
        assert code in {None, done.returncode}, (words, done.stdout, done.stderr, self.journal())
        return done

    def show(self, unit: str, *names: str) -> dict[str, str]:
        """Return properties of a unit."""
        said = self.run("systemctl", "show", unit, "--property", ",".join(names)).stdout
        return dict(line.split("=", 1) for line in said.splitlines())

    def status(self, directory: str) -> dict[str, dict[str, object]]:
        """Return what `otgate status` says of the side in ``directory``."""
        words = ("/opt/otgate/bin/otgate", "status", "--control", directory, "--format", "json")
        found: dict[str, dict[str, object]] = json.loads(self.run(*words, code=None).stdout or "{}")
        return found

    def journal(self, unit: str = "otgate-*") -> str:
        """Return what units said."""
        return subprocess.run(
            ["nsenter", "-t", str(self._leader), "--all", "journalctl", "--no-pager", "-u", unit],
            capture_output=True, text=True, timeout=60, check=False,
        ).stdout[-6000:]  # fmt: skip

    def until(self, condition: Callable[[], object], limit_s: float = READY_WITHIN_S) -> None:
        """Wait for a condition."""
        end_s = time.monotonic() + limit_s
        while not condition():
            assert time.monotonic() < end_s, self.journal() + self._log.read_text()
            time.sleep(0.2)

    def messages(self, count: int) -> list[str]:
        """Return the next messages with values that reach a subscriber."""
        words = ["mosquitto_sub", "-h", "127.0.0.1", "-u", "reader", "-P", "reader", "-W", "60"]
        return self.run(*words, "-t", TOPIC, "-C", str(count), limit_s=90).stdout.splitlines()


@contextmanager
def booted(log: Path) -> Iterator[Box]:
    """Boot a box; yield it once its systemd has started all it is to start."""
    tree = box_tree()
    with log.open("wb") as stream:
        manager = subprocess.Popen(
            contained(tree, "--boot", "--volatile=overlay"),
            stdin=subprocess.DEVNULL, stdout=stream, stderr=stream,
            env={**os.environ, "SYSTEMD_NSPAWN_LOCK": "0"},
        )  # fmt: skip
    leader = 0
    try:
        leader = _leader(manager, log)
        box = Box(leader, log)
        box.until(lambda: "running" in box.run("systemctl", "is-system-running", code=None).stdout)
        yield box
    finally:
        _end(manager, leader)


def _leader(manager: subprocess.Popen[bytes], log: Path) -> int:
    """Return the first process of the container, as seen from outside."""
    end_s = time.monotonic() + READY_WITHIN_S
    children = Path(f"/proc/{manager.pid}/task/{manager.pid}/children")
    while manager.poll() is None and time.monotonic() < end_s:
        for pid in map(int, children.read_text().split()):
            with suppress(OSError):
                if b"systemd" in Path(f"/proc/{pid}/comm").read_bytes() and booting(pid):
                    return pid
        time.sleep(0.05)
    pytest.skip(f"no container boots here: {log.read_text()[-300:]}")


def booting(pid: int) -> bool:
    """Say whether a process is the init of a container whose manager answers already."""
    return Path(f"/proc/{pid}/root/run/systemd/private").exists()


def _end(manager: subprocess.Popen[bytes], leader: int) -> None:
    """Stop a box at once: what it has is to be forgotten."""
    with suppress(ProcessLookupError):
        if leader:
            os.kill(leader, signal.SIGKILL)
    try:
        manager.wait(20)
    except subprocess.TimeoutExpired:
        manager.kill()
        manager.wait()


def once(tree: Path, words: Sequence[str], limit_s: float) -> subprocess.CompletedProcess[str]:
    """Run a command in a box that is not booted."""
    command = contained(tree, "--volatile=overlay", *words)
    env = {**os.environ, "SYSTEMD_NSPAWN_LOCK": "0"}
    return subprocess.run(
        command, capture_output=True, text=True, timeout=limit_s, check=False, env=env
    )

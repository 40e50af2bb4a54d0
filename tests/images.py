"""The image, built without a registry, and services of compose.yaml run from it without an engine.

What Docker would do is done by hand: the image's tree read-only, volumes and tmpfs mounted over it,
a network namespace, the user, no capabilities, no new privileges.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import pytest
import yaml

ROOT = Path(__file__).parents[1]
COMPOSE = ROOT / "compose.yaml"
BASE, IMAGE = "localhost/otgate-base", "localhost/otgate-test"

ENTER = """\
set -e
root=$1; shift
mount --bind "$root" "$root"
mount --rbind /proc "$root/proc"
mount --rbind /dev "$root/dev"
while [ "$1" != -- ]; do
    case $1 in
    tmpfs) mount -t tmpfs -o "$3" tmpfs "$root$2" ;;
    *) mount --bind "$1" "$root$2"; [ "$3" != ro ] || mount -o remount,bind,ro "$root$2" ;;
    esac
    shift 3
done
shift
mount -o remount,bind,ro "$root"
exec chroot "$root" "$@"
"""


def buildah(*words: str, limit_s: float = 60) -> str:
    """Run buildah, where commands of the image run in a chroot."""
    done = subprocess.run(
        ["buildah", *words],
        capture_output=True,
        text=True,
        timeout=limit_s,
        check=False,
        env={**os.environ, "BUILDAH_ISOLATION": "chroot"},
    )
    assert done.returncode == 0, f"buildah {' '.join(words)}\n{done.stdout}{done.stderr}"
    return done.stdout.strip()


def needs_base() -> None:
    """Skip the test where there is nothing to build the image on."""
    told = "an image needs root, and `sh tools/image_base.sh` before"
    if os.geteuid() != 0 or shutil.which("buildah") is None:
        pytest.skip(told)
    if not any(BASE in line for line in buildah("images", "--noheading").splitlines()):
        pytest.skip(told)


@contextmanager
def built(extra: str) -> Iterator["Image"]:
    """Build the image, and make its tree a directory for the length of the block."""
    needs_base()
    words = ["--build-arg", f"PYTHON={BASE}", "--build-arg", f"EXTRA={extra}"]
    network = ["--network", "host", "--format", "docker", "--layers", "--quiet"]
    buildah("build", *network, *words, "-t", IMAGE, str(ROOT), limit_s=400)
    container = buildah("from", IMAGE)
    try:
        config = json.loads(buildah("inspect", container))["Docker"]["config"]
        yield Image(Path(buildah("mount", container)), config)
    finally:
        buildah("rm", container)


@dataclass
class Image:
    """A tree, and what is to be done with it."""

    tree: Path
    config: Mapping[str, Any]


def services() -> Mapping[str, Any]:
    """Return the services of compose.yaml, its anchors resolved."""
    found: Mapping[str, Any] = yaml.safe_load(COMPOSE.read_text())["services"]
    return found


@dataclass
class Service:
    """One service of compose.yaml, as a process."""

    name: str
    image: Image
    volumes: Path
    """Where named volumes are, one directory each."""
    namespace: str
    log: Path
    hosts: Path
    said: Mapping[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        self.said = services()[self.name]

    @property
    def user(self) -> tuple[str, str]:
        uid, _, gid = self.said.get("user", self.image.config["User"]).partition(":")
        return uid, gid

    def __enter__(self) -> Self:
        words = [str(self.image.tree), *self._mounts(), "--", *self._dropping()]
        words += ["env", "-i", *self.image.config["Env"], *self.image.config["Entrypoint"]]
        words += self.said["command"]
        entered = ["nsenter", f"--net=/run/netns/{self.namespace}", "unshare", "--mount"]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*entered, "sh", "-c", ENTER, "sh", *words],
                stdout=log,
                stderr=log,
            )
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run a command beside it: in its tree, on its network, as its user."""
        target = ["-t", str(self.process.pid), "--mount", "--net", "--root"]
        words = [*self._dropping(), "env", "-i", *self.image.config["Env"], *command]
        return subprocess.run(
            ["nsenter", *target, *words], capture_output=True, text=True, timeout=30, check=False
        )

    def _dropping(self) -> Sequence[str]:
        uid, gid = self.user
        dropped = ["--clear-groups", "--bounding-set=-all", "--inh-caps=-all", "--no-new-privs"]
        return ["setpriv", f"--reuid={uid}", f"--regid={gid}", *dropped]

    def _mounts(self) -> Iterator[str]:
        for entry in self.said["tmpfs"]:
            place, _, options = entry.partition(":")
            yield from self._mounted("tmpfs", place, options or "mode=1777")
        for entry in self.said["volumes"]:
            source, place, mode = (*entry.split(":"), "rw")[:3]
            named = not source.startswith(".")
            path = self._volume(source, place) if named else ROOT / source
            yield from self._mounted(str(path), place, mode)
        (self.image.tree / "etc/hosts").touch()
        yield from (str(self.hosts), "/etc/hosts", "ro")

    def _mounted(self, what: str, place: str, how: str) -> Sequence[str]:
        (self.image.tree / place.removeprefix("/")).mkdir(parents=True, exist_ok=True)
        return what, place, how

    def _volume(self, name: str, place: str) -> Path:
        """Return a volume; as an engine does, a new one is like what it is mounted over."""
        path, like = self.volumes / name, (self.image.tree / place.removeprefix("/")).stat()
        if not path.exists():
            path.mkdir(parents=True)
            os.chown(path, like.st_uid, like.st_gid)
            path.chmod(like.st_mode & 0o7777)
        return path

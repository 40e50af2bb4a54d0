"""Small file systems for tests, which only root may make, and filling them."""

import errno
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest


def tmpfs(folder: Path) -> list[list[str]]:
    return [["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]]


def ext4(folder: Path) -> list[list[str]]:
    image = folder.with_suffix(".img")
    return [
        ["truncate", "--size=8M", str(image)],
        ["mkfs.ext4", "-q", "-m", "0", str(image)],
        ["mount", "-o", "loop", str(image), str(folder)],
    ]


Making = Callable[[Path], list[list[str]]]


@pytest.fixture(params=[tmpfs, ext4], ids=["tmpfs", "ext4"])
def small_disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A small file system of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    making: Making = request.param
    for command in making(folder):
        if os.geteuid() != 0 or shutil.which(command[0]) is None:
            pytest.skip(f"only root may make a file system, with {command[0]}")
        done = subprocess.run(command, check=False, capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"no file system can be made here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(path: Path) -> None:
    """Write until not one byte more is taken."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        for size in (1 << 20, 4096, 1):
            while not_full(descriptor, size):
                pass
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def not_full(descriptor: int, size: int) -> bool:
    try:
        return os.write(descriptor, bytes(size)) == size
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        return False

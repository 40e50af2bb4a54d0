"""Durable state of each device: a JSON file, replaced as a whole, written off the event loop."""

import asyncio
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from threading import Lock
from typing import Any

import structlog

AGAIN_S = 10.0
"""How long to wait after a file could not be written."""

log = structlog.get_logger()


class Kept:
    """The state of one device; values are kept as JSON text, so that nobody shares them."""

    def __init__(self, changed: asyncio.Event) -> None:
        self.texts: dict[str, str] = {}
        self.unsaved = False
        self._changed = changed

    def get(self, key: str) -> Any:
        """Return what was put under ``key``, or None."""
        text = self.texts.get(key)
        return None if text is None else json.loads(text)

    def put(self, key: str, value: Any) -> None:
        """Keep ``value`` under ``key``; the file follows soon.

        Raises:
            TypeError: ``value`` is not JSON.
        """
        text = json.dumps(value)
        if self.texts.get(key) != text:
            self.texts[key] = text
            self.unsaved = True
            self._changed.set()


class States:
    """The states of all devices, under ``directory``, or in memory only where that is None."""

    def __init__(self, directory: Path | None, devices: Iterable[str]) -> None:
        self._directory = directory
        self._changed = asyncio.Event()
        self._writing = Lock()
        self.of: Mapping[str, Kept] = {device: Kept(self._changed) for device in devices}

    async def load(self) -> None:
        """Read what earlier runs kept; an unreadable file is an empty one, and logged."""
        if self._directory is not None:
            await asyncio.to_thread(self._load, self._directory)

    async def keep(self) -> None:
        """Write what changes, until cancelled."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                await self.save()
            except OSError as error:
                log.warning("device_state_unwritten", error=str(error), retry_in_s=AGAIN_S)
                await asyncio.sleep(AGAIN_S)
                self._changed.set()

    async def save(self) -> None:
        """Write every state that changed.

        Raises:
            OSError: a file could not be written; its state stays unsaved.
        """
        if self._directory is None:
            return
        for device, kept in self.of.items():
            if kept.unsaved:
                kept.unsaved = False
                try:
                    await asyncio.to_thread(self._write, self._path(device), encoded(kept))
                except BaseException:  # a cancelled save is no save
                    kept.unsaved = True
                    raise

    def _write(self, path: Path, content: bytes) -> None:
        with self._writing:  # a cancelled save leaves its thread writing
            replace(path, content)

    def _path(self, device: str) -> Path:
        return (self._directory or Path()) / f"{device}.json"

    def _load(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        for device, kept in self.of.items():
            path = self._path(device)
            try:
                found = json.loads(path.read_bytes())
                kept.texts = {key: json.dumps(value) for key, value in found.items()}
            except FileNotFoundError:
                continue
            except (OSError, ValueError, AttributeError) as error:
                log.warning("device_state_unreadable", device=device, error=str(error))


def encoded(kept: Kept) -> bytes:
    """Spell a state as a JSON object."""
    members = (f"{json.dumps(key)}: {text}" for key, text in kept.texts.items())
    return ("{" + ",\n ".join(members) + "}\n").encode()


def replace(path: Path, content: bytes) -> None:
    """Put ``content`` at ``path`` so that a crash leaves the old file or the new one."""
    beside = path.with_suffix(".new")
    with beside.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)

"""Durable state of each device: a JSON file, written off the event loop."""

import asyncio
import json
from collections.abc import Iterable
from pathlib import Path
from threading import Lock
from typing import Any

import structlog

from otgate.spool.files import OS
from otgate.spool.state_file import StateFile

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
        self._unwritten = ""
        """Why the last save failed, or nothing."""
        self.of: dict[str, Kept] = {}
        self._files: dict[str, StateFile] = {}
        self._add(devices)

    def _add(self, devices: Iterable[str]) -> list[str]:
        """Make room for the states of ``devices``; return those that are new."""
        new = [device for device in devices if device not in self.of]
        for device in new:
            self.of[device] = Kept(self._changed)
            path = (self._directory or Path()) / f"{device}.json"
            self._files[device] = StateFile(path, OS)
        return new

    async def load(self) -> None:
        """Read what earlier runs kept; an unreadable file is an empty one, and logged."""
        if self._directory is not None:
            await asyncio.to_thread(self._load, list(self.of))

    async def add(self, devices: Iterable[str]) -> None:
        """Read what earlier runs kept of devices that come while it runs."""
        new = self._add(devices)
        if new and self._directory is not None:
            await asyncio.to_thread(self._load, new)

    async def keep(self) -> None:
        """Write what changes, until cancelled."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            try:
                await self.save()
            except OSError as error:
                self._say_unwritten(str(error))
                await asyncio.sleep(AGAIN_S)
                self._changed.set()
            else:
                self._say_written()

    def _say_unwritten(self, why: str) -> None:
        if not self._unwritten:
            log.warning("device_state_unwritten", error=why, retry_in_s=AGAIN_S)
        self._unwritten = why

    def _say_written(self) -> None:
        if self._unwritten:
            log.info("device_state_written")
        self._unwritten = ""

    async def save(self) -> None:
        """Write every state that changed.

        Raises:
            OSError: a file could not be written; its state stays unsaved.
        """
        if self._directory is None:
            return
        for device, kept in list(self.of.items()):
            if kept.unsaved:
                kept.unsaved = False
                try:
                    await asyncio.to_thread(self._write, self._files[device], encoded(kept))
                except BaseException:  # a cancelled save is no save
                    kept.unsaved = True
                    raise

    def _write(self, file: StateFile, content: bytes) -> None:
        with self._writing:  # a cancelled save leaves its thread writing
            file.write(content)

    def _load(self, devices: Iterable[str]) -> None:
        for device in devices:
            kept = self.of[device]
            try:
                found = json.loads(self._files[device].read())
                kept.texts = {key: json.dumps(value) for key, value in found.items()}
            except FileNotFoundError:
                continue
            except (OSError, ValueError, AttributeError, RecursionError) as error:
                log.warning("device_state_unreadable", device=device, error=str(error))


def encoded(kept: Kept) -> bytes:
    """Spell a state as a JSON object."""
    members = (f"{json.dumps(key)}: {text}" for key, text in kept.texts.items())
    return ("{" + ",\n ".join(members) + "}\n").encode()

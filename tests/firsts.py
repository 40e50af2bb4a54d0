"""A site without devices on the line, its egress, and what it tells of firsts."""

import asyncio
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from daemons import eventually, write_site
from otgate.app.egress import Egress
from otgate.app.firsts import Firsts
from otgate.config.site import Site, load_site
from otgate.driver import installed
from otgate.model import Batch, Origin, ValueType
from otgate.spool.files import OS
from otgate.spool.state_file import StateFile


class Outside:
    """A site, its egress, and what it tells of firsts."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder if (folder / "site.yaml").exists() else write_site(folder, 1883)
        self.shut: dict[str, str] = {}
        self.told: list[tuple[str, str, list[str]]] = []
        self.egress = Egress(self.site(), lambda: 1, lambda _, conduit: self.shut.get(conduit, ""))
        self.egress.swap(self.egress.site)
        self.firsts = Firsts(StateFile(folder / "state" / "firsts.json", OS), self._tell)
        self.egress.show(self.firsts)

    def site(self) -> Site:
        loaded = load_site(self.folder / "site.yaml", installed())
        assert loaded.site is not None, loaded.diagnostics
        return loaded.site

    def _tell(self, event: str, what: Any) -> None:
        self.told.append((event, what["device"], what["points"]))

    def measure(self, *points: int, device: str = "f1") -> None:
        self.emit(np.array(points, np.int32), device)

    def emit(self, index: Any, device: str = "f1") -> None:
        zeros = np.zeros(len(index), np.uint32)
        self.egress.outlet(Batch(device, ValueType.F64, Origin.POLL, index, index * 1.0, zeros, 1))

    def news(self) -> list[tuple[str, str, list[str]]]:
        told, self.told = self.told, []
        return told

    async def keep(self) -> None:
        """Let what was told be written down."""
        keeping = asyncio.ensure_future(self.firsts.keeping())
        await eventually((self.folder / "state" / "firsts.json").exists)
        keeping.cancel()
        with suppress(asyncio.CancelledError):
            await keeping

"""A bus side that is to take up its file: it ends in good order, and is started again.

It cannot read the file itself: its sandbox keeps all from it that it was not told as it started,
and a broker may need a port that it gave up.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, NoReturn

import structlog

from otgate.app.confinement import Outgrown
from otgate.config.bus_compared import described
from otgate.config.bus_side import BusFile
from otgate.errors import Refused
from otgate.observe.control import Request, Verbs

log = structlog.get_logger()


class Renewal:
    """The verbs by which an administrator has a bus side take up its file."""

    def __init__(self, bus: BusFile, *, attended: bool) -> None:
        """``attended``: whether somebody starts the side again once it has ended."""
        self._told = described(bus)
        self._attended = attended
        self._wanted = asyncio.Event()
        self.verbs: Verbs = {"config": self.config, "renew": self.renew}

    def config(self, _: Request) -> Mapping[str, Any]:
        """Return what the file said as the side started."""
        return self._told

    def renew(self, request: Request) -> Mapping[str, Any]:
        """End in good order, to be started by the file as it is now.

        Raises:
            Refused: nobody would start this side again.
        """
        if not self._attended:
            raise Refused("nobody starts this bus side again: stop it, and start it by hand")
        log.warning("renewal_asked", by=request.by)
        self._wanted.set()
        return {}

    async def wanted(self) -> NoReturn:
        """Wait for ever.

        Raises:
            Outgrown: the side is to be started again.
        """
        await self._wanted.wait()
        raise Outgrown("the bus file is to be read again")

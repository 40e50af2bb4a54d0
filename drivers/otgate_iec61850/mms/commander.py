"""Commands over a client: select, operate, cancel, and the wait for a command's end.

Part of a whole client; no configuration of this project reaches it.
"""

import asyncio
import contextlib
from dataclasses import dataclass

from otgate_iec61850.mms.client import Client
from otgate_iec61850.mms.control import (
    CANCEL,
    OPERATE,
    ApplicationError,
    Command,
    CommandRefused,
    ControlModel,
    Notice,
    part,
    structure,
)
from otgate_iec61850.mms.errors import AccessFailed
from otgate_iec61850.mms.naming import Name
from otgate_iec61850.mms.values import Failure


@dataclass(frozen=True, slots=True)
class Controlled:
    """An object that can be commanded, ``LN$CO$DO``, and how."""

    name: Name
    model: ControlModel
    operate: tuple[str, ...] = OPERATE
    """Components of its Oper and SBOw."""
    cancel: tuple[str, ...] = CANCEL


class Commander:
    """Issues commands, each once. Hand it every notice (`control.read_notice`) that comes."""

    def __init__(self, client: Client, termination_s: float = 30.0) -> None:
        self._client = client
        self._termination_s = termination_s
        self._causes: dict[str, ApplicationError] = {}
        self._ends: dict[Name, asyncio.Future[ApplicationError | None]] = {}

    def notice(self, notice: Notice) -> None:
        """Take what the server says of a command."""
        if notice.error is not None:
            self._causes = {notice.error.control: notice.error}
        if notice.control is not None:
            waiter = self._ends.get(notice.control)
            if waiter is not None and not waiter.done():
                waiter.set_result(notice.error)

    async def select(self, controlled: Controlled, command: Command) -> None:
        """Select an object, by reading SBO or writing SBOw.

        Raises:
            CommandRefused: it is not selected.
        """
        if controlled.model is ControlModel.SBO_ENHANCED:
            await self._write(controlled, "SBOw", command, controlled.operate)
            return
        (said,) = await self._client.read([part(controlled.name, "SBO")])
        if isinstance(said, Failure) or not said:
            raise CommandRefused("not selected", self._cause(controlled))

    async def operate(self, controlled: Controlled, command: Command) -> None:
        """Operate an object, selecting it first where its model says so; wait for the end.

        Raises:
            CommandRefused: it was not operated, or ended without success.
            TimeoutError: the server did not say how it ended.
        """
        if controlled.model.selects:
            await self.select(controlled, command)
        if not controlled.model.terminates:
            await self._write(controlled, "Oper", command, controlled.operate)
            return
        waiter = self._ends[controlled.name] = asyncio.get_running_loop().create_future()
        try:
            await self._write(controlled, "Oper", command, controlled.operate)
            async with asyncio.timeout(self._termination_s):
                error = await waiter
        finally:
            with contextlib.suppress(KeyError):
                del self._ends[controlled.name]
        if error is not None:
            raise CommandRefused("ended without success", error)

    async def cancel(self, controlled: Controlled, command: Command) -> None:
        """Cancel a selection or a command under way.

        Raises:
            CommandRefused: it is not cancelled.
        """
        await self._write(controlled, "Cancel", command, controlled.cancel)

    async def _write(
        self, controlled: Controlled, name: str, command: Command, components: tuple[str, ...]
    ) -> None:
        self._causes.clear()
        try:
            await self._client.write(part(controlled.name, name), structure(command, components))
        except AccessFailed as refused:
            raise CommandRefused(f"{name} {refused}", self._cause(controlled)) from refused

    def _cause(self, controlled: Controlled) -> ApplicationError | None:
        """Return the newest cause told about this object (a server may name Oper or the object)."""
        for control, error in self._causes.items():
            if controlled.name.item in control.replace(".", "$"):
                return error
        return None

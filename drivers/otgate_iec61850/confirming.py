"""Entries of buffered reports, kept once everything that they brought is durable, in order."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from otgate.driver import Receipt
from otgate.errors import NotDurable
from otgate.together import cancelled
from otgate_iec61850.subscription import Subscription

TRIES = 12
"""How often a sync is waited for, five seconds each time: the disk may be busy."""

DRAIN_S = 2.0
"""How long the disk is waited for when an association has ended."""


@dataclass(frozen=True, slots=True)
class Owed:
    """An entry that waits for what it brought to be durable."""

    subscription: Subscription
    entry: bytes
    receipts: Sequence[Receipt]


class Confirming:
    """Keeps entries for one session.

    An entry that does not become durable for a minute is not kept, and none after it either on
    this association: with the next one the server sends them again.
    """

    def __init__(self) -> None:
        self.undurable = 0
        self._owed: asyncio.Queue[Owed] = asyncio.Queue()
        self._stopped: set[str] = set()
        self._task = asyncio.ensure_future(self._for_ever())

    def owe(self, owed: Owed) -> None:
        """Keep an entry in its turn."""
        self._owed.put_nowait(owed)

    async def close(self) -> None:
        """Keep what becomes durable soon, then end."""
        try:
            async with asyncio.timeout(DRAIN_S):
                await self._owed.join()
        except TimeoutError:
            self.undurable += 1
        finally:
            await cancelled([self._task])

    async def _for_ever(self) -> None:
        while True:
            owed = [await self._owed.get()]
            while not self._owed.empty():
                owed.append(self._owed.get_nowait())
            newest: dict[str, Owed] = {}
            for each in owed:
                if await self._durable(each):
                    newest[each.subscription.name] = each
            for each in newest.values():
                each.subscription.keep_entry(each.entry)
            for _ in owed:
                self._owed.task_done()

    async def _durable(self, owed: Owed) -> bool:
        name = owed.subscription.name
        if name in self._stopped:
            return False
        for receipt in owed.receipts:
            if not await self._synced(receipt):
                self._stopped.add(name)
                return False
        return True

    async def _synced(self, receipt: Receipt) -> bool:
        for _ in range(TRIES):
            try:
                await receipt.durable()
            except NotDurable:
                self.undurable += 1
            else:
                return True
        return False

"""An event loop whose clock jumps to the next timer: no socket, no thread, no waiting.

Nothing outside the loop can overtake or be overtaken, since there is nothing outside: peers, links
and disks live on it too. What other code runs in a thread runs here at once.
"""

import asyncio
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, NoReturn

START_S = 5_000.0
"""How long the machine has run when a simulation begins; not 0, which some take for never."""
GRAIN_S = 1e-9
TURN_S = 1e-6
"""What a turn of the loop takes at least: what waits for a time too short to count gets on too."""


class Deadlock(RuntimeError):
    """Nothing is ready and nothing ever will be."""


class Jumps:
    """Stands where the selector of a loop is: instead of waiting it moves the clock."""

    def __init__(self, loop: "VirtualLoop") -> None:
        self._loop = loop

    def select(self, timeout: float | None) -> list[Any]:
        if timeout is None:
            raise Deadlock
        self._loop.now_s += max(timeout, TURN_S)
        return []


class VirtualLoop(asyncio.BaseEventLoop):
    """Runs callbacks in order of their time; two of one time in the order they were asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = START_S
        self._clock_resolution = GRAIN_S
        self._selector = Jumps(self)

    def time(self) -> float:
        return self.now_s

    def run_in_executor(
        self, executor: object, func: Callable[..., Any], *args: Any
    ) -> "asyncio.Future[Any]":
        del executor
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001  it is the caller's, as from a thread
            future.set_exception(error)
        return future

    async def create_connection(  # type: ignore[override]
        self, protocol_factory: Callable[[], asyncio.Protocol], *args: Any, **named: Any
    ) -> Any:
        """Give a protocol to an end of a simulated connection."""
        del args
        protocol = protocol_factory()
        return named["sock"].carried(protocol), protocol

    async def create_unix_server(self, *args: Any, **named: Any) -> Any:  # type: ignore[override]
        """Let nobody in: a simulation asks the objects themselves."""
        del args, named
        return SimpleNamespace(close=lambda: None)

    def add_reader(self, fd: Any, callback: Callable[..., Any], *args: Any) -> None:
        self._end(fd).tells(lambda: callback(*args))

    def remove_reader(self, fd: Any) -> bool:
        self._end(fd).tells(None)
        return True

    def add_writer(self, fd: Any, callback: Callable[..., Any], *args: Any) -> NoReturn:
        raise AssertionError("a simulated connection takes everything at once")

    def remove_writer(self, fd: Any) -> bool:
        del fd
        return False

    def add_signal_handler(self, sig: int, callback: Callable[..., Any], *args: Any) -> None:
        pass

    def remove_signal_handler(self, sig: int) -> bool:
        del sig
        return False

    @staticmethod
    def _end(descriptor: Any) -> Any:
        return descriptor.end

    def _process_events(self, event_list: list[Any]) -> None:
        pass

    def _write_to_self(self) -> None:
        pass

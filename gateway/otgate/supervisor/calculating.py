"""Calculated points between the watches that hear of their inputs and the watches of their own."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

from otgate.calc.calculation import CALC
from otgate.calc.engine import Engine, Result
from otgate.driver import Receipt
from otgate.model import Batch, Device

Results = Callable[[Result], Receipt]
"""Takes what was calculated to the watch of its device."""


class Calculating:
    """What is calculated from what is read; nothing where a site calculates nothing."""

    def __init__(self, clock: Callable[[], int], results: Results) -> None:
        self._clock = clock
        self._results = results
        self._engine: Engine | None = None

    @property
    def active(self) -> bool:
        """Whether anything is calculated."""
        return self._engine is not None

    def run_by(self, devices: Sequence[Device], kept: Collection[str]) -> None:
        """Calculate for ``devices`` from now on; those ``kept`` go on as they were."""
        before, self._engine = self._engine, None
        if any(device.driver == CALC for device in devices):
            self._engine = Engine(devices, self._clock())
            if before is not None:
                self._engine.inherit(before, kept)

    def begin(self, known: Iterable[Batch]) -> None:
        """Begin with what is known of inputs, also of those that nothing followed from so far."""
        if self._engine is not None:
            for batch in known:
                self._engine.seed(batch)
            self._pass_on(self._engine.recalculate(self._clock()))

    def take(self, batch: Batch) -> list[Receipt]:
        """Take samples; return the receipts of what follows from them at once."""
        return [] if self._engine is None else self._pass_on(self._engine.take(batch))

    def flush(self, device: str) -> None:
        """Pass on what follows from a scan of ``device``."""
        if self._engine is not None:
            self._pass_on(self._engine.flush(device, self._clock()))

    def mark(self, batch: Batch) -> None:
        """Pass on what follows from what the gateway found of points."""
        if self._engine is not None:
            self._pass_on(self._engine.mark(batch))

    def tick(self) -> None:
        """Pass on the windows that are over."""
        if self._engine is not None:
            self._pass_on(self._engine.tick(self._clock()))

    def _pass_on(self, results: Iterable[Result]) -> list[Receipt]:
        return [self._results(result) for result in results]


@dataclass(frozen=True, slots=True)
class Together:
    """The receipt of samples and of what was calculated from them."""

    receipts: Sequence[Receipt]

    async def durable(self, limit_s: float = 5.0) -> None:
        """Return once all of them are durable.

        Raises:
            NotDurable: one of them is not within ``limit_s`` seconds.
        """
        for receipt in self.receipts:
            await receipt.durable(limit_s)

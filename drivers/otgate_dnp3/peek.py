"""The static data of an outstation read once: no event is read, confirmed or enabled."""

from collections.abc import Callable

from otgate.driver import Emit
from otgate.errors import Refused
from otgate.model import Device
from otgate.peeking import Forgotten
from otgate_dnp3.batches import Fragments
from otgate_dnp3.browse import Reader, Target
from otgate_dnp3.layout import Layout
from otgate_dnp3.link import opened
from otgate_dnp3.reading import readings_of
from otgate_dnp3.settings import settings_of
from otgate_dnp3.stack.decode import decoded
from otgate_dnp3.stack.objects import walk
from otgate_dnp3.stack.outputs import Asked, Delivery
from otgate_dnp3.standing import Standing


class Peek:
    """What class 0 brings, emitted as it comes; a survey, for `Reader`."""

    def __init__(self, device: Device, emit: Emit, clock: Callable[[], int]) -> None:
        readings = readings_of(device, [])
        layout = Layout(readings, device.time_zone)
        self._device = device
        self._fragments = Fragments(device.id, layout, layout)
        self._standing = Standing(device.id, [reading.value_type for reading in readings])
        self._emit = emit
        self._clock = clock

    def take(self, objects: bytes, event_class: int = 0) -> bool:  # noqa: ARG002  of a survey
        """Emit what a fragment brings; there are no events in class 0."""
        blocks = walk(objects)
        found = decoded(blocks.blocks)
        delivery = Delivery(Asked.POLL, None, found.columns, found.skipped, b"", "", 0, None)
        for batch in self._fragments.batches(delivery, self._clock()):
            self._standing.note(batch)
            self._emit(batch)
        return False

    def end(self) -> None:
        """Say of the points that were left out that they are not there."""
        for batch in self._standing.said_again(range(len(self._device.points)), self._clock()):
            self._emit(batch)


async def peek(device: Device, emit: Emit, clock: Callable[[], int]) -> None:
    """Read a device's points once.

    Raises:
        LinkLost: no connection.
        TimeoutError: no answer.
    """
    settings = settings_of(device.settings)
    looking = Peek(device, emit, clock)
    async with opened(settings, Forgotten(), device.via) as (line, _):
        try:
            where = Target("", 0, settings.outstation, settings.master)
            await Reader(line, where, settings.timeout_s).read(0, looking)
        except Refused as silent:
            raise TimeoutError(str(silent)) from silent
        finally:
            line.close()
    looking.end()

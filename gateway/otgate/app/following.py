"""The verb `trace` of a bus side: how far one sample is on its way."""

from collections.abc import Callable, Mapping

from otgate.errors import Refused
from otgate.model import Lane
from otgate.observe.control import Request
from otgate.spool.epoch import epoch_number


def trace_sample(
    traced: Callable[[Lane, int, int], Mapping[str, bool]], request: Request
) -> Mapping[str, bool]:
    """Say of one sample whether it is under way or acknowledged.

    Raises:
        Refused: it is not named by lane, epoch and number.
    """
    given = request.arguments
    try:
        lane, epoch, seq = Lane(given["lane"]), epoch_number(given["epoch"]), given["seq"]
    except (KeyError, ValueError, TypeError):
        raise Refused("trace takes a lane, an epoch and a seq, as payloads have them") from None
    if not isinstance(seq, int) or seq < 0:
        raise Refused("seq is a whole number from 0 on")
    return traced(lane, epoch, seq)

"""Fragments read into deliveries, each with a token where the outstation wants it confirmed."""

from dataclasses import dataclass

from otgate_dnp3.stack.application import CON, Response
from otgate_dnp3.stack.decode import decoded
from otgate_dnp3.stack.indications import Indications
from otgate_dnp3.stack.objects import walk
from otgate_dnp3.stack.outputs import Asked, Delivery


@dataclass(slots=True)
class MasterCounts:
    """What a session has seen since it was made."""

    requests: int = 0
    responses: int = 0
    timeouts: int = 0
    no_response: int = 0
    """Dropped: fragments that are no response."""
    unexpected: int = 0
    """Dropped: responses that no request waits for."""
    unreadable: int = 0
    """Fragments whose end could not be read."""
    stale_tokens: int = 0
    """Confirmations that came after the fragment had been given up."""


class Deliveries:
    """Reads the fragments of one session."""

    def __init__(self, counts: MasterCounts, indications: Indications) -> None:
        self._counts = counts
        self._indications = indications
        self._tokens = 0

    def read(
        self, response: Response, asked: Asked, now: float, ticket: int | None = None
    ) -> Delivery:
        """Return what a response carries; an unreadable rest makes an integrity poll due."""
        walked = walk(response.objects)
        found = decoded(walked.blocks)
        if walked.rest:
            self._counts.unreadable += 1
            self._indications.doubt(now)
        token = None
        if response.control & CON:
            self._tokens += 1
            token = self._tokens
        return Delivery(
            asked,
            token,
            found.columns,
            found.skipped,
            walked.rest,
            walked.why,
            response.iin,
            ticket,
        )

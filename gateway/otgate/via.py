"""Which way out of this machine connections take."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Via:
    """What of this machine connections leave by; empty is whatever its routes say."""

    interface: str = ""
    address: str = ""


ANY_WAY = Via()

"""What is asked of a server at CONNECT, and how to ask less of it."""

from dataclasses import dataclass, replace

from otgate.publish.message import Retain
from otgate.publish.settings import Protocol

UNSUPPORTED_VERSION = 0x84
RETAIN_NOT_SUPPORTED = 0x9A
QOS_NOT_SUPPORTED = 0x9B
"""CONNACK reason codes of MQTT 5.0, §3.2.2.2."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """A protocol version, and whether the will may be retained and acknowledged."""

    protocol: Protocol = Protocol.V5
    retain: Retain = Retain.YES
    will_qos: int = 1

    @staticmethod
    def speaks_of(code: int) -> bool:
        """Tell whether a CONNACK reason code asks for another dialect."""
        return code in {UNSUPPORTED_VERSION, RETAIN_NOT_SUPPORTED, QOS_NOT_SUPPORTED}

    def after(self, code: int | None, wanted: Protocol) -> "Dialect | None":
        """Return what to try after a refusal; None if nothing less can be asked.

        ``code`` is None for a server that closed the connection instead of answering, or said
        nothing: some that speak only 3.1.1 do that.
        """
        if code == RETAIN_NOT_SUPPORTED and self.retain is Retain.YES:
            return replace(self, retain=Retain.NO)
        if code == QOS_NOT_SUPPORTED and self.will_qos:
            return replace(self, will_qos=0)
        if code in {None, UNSUPPORTED_VERSION} and self.protocol is Protocol.V5:
            return replace(self, protocol=Protocol.V311) if wanted is Protocol.AUTO else None
        return None


def first_dialect(wanted: Protocol) -> Dialect:
    """Return what to try first."""
    return Dialect(Protocol.V311 if wanted is Protocol.V311 else Protocol.V5)

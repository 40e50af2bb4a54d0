"""Conditions of the connection to a broker, each one reaction."""

from otgate.errors import OtgateError


class BrokerLost(OtgateError):
    """No connection, or no longer: try again with back-off."""


class BrokerClosed(BrokerLost):
    """The broker closed the connection, perhaps upon a message."""


class BrokerDismissed(BrokerClosed):
    """It said why, and that may be one of our messages."""


class BrokerRefused(BrokerLost):
    """The broker or TLS says no; it may go on saying so until a person acts."""


class NotMqtt(BrokerLost):
    """What the broker sent is malformed, or nothing that it may send us."""

    def __init__(self, what: str) -> None:
        super().__init__(f"the broker sent what is not MQTT: {what}")


class SessionTakenOver(BrokerLost):
    """Another client came with our id: do not fight for it."""


class DialectRefused(BrokerLost):
    """The server does not speak what was asked of it; ask less."""

    def __init__(self, message: str, code: int | None) -> None:
        super().__init__(message)
        self.code = code
        """The CONNACK reason code; None where it closed the connection without one."""

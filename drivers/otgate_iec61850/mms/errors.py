"""Conditions of an association; each class is one reaction of the caller."""

from enum import Enum, IntEnum


class MmsError(Exception):
    """Anything this package raises on purpose."""


class Malformed(MmsError):
    """What was received is not what it claims to be: the association cannot go on."""


class IndefiniteLength(Malformed):
    """An element of indefinite length stands where only definite ones are read."""


class AssociationLost(MmsError):
    """The association is gone; what was asked of it is not answered any more."""


class Layer(Enum):
    """Who refused or ended an association."""

    TRANSPORT = "transport"
    SESSION = "session"
    PRESENTATION = "presentation"
    ACSE = "ACSE"
    MMS = "MMS"


class AssociationRefused(AssociationLost):
    """The peer does not accept the association as it was asked for."""

    def __init__(self, layer: Layer, reason: str) -> None:
        super().__init__(f"{layer.value} refused: {reason}")
        self.layer = layer


class ErrorClass(IntEnum):
    """Classes of a service error: ISO 9506-2, ServiceError."""

    VMD_STATE = 0
    APPLICATION_REFERENCE = 1
    DEFINITION = 2
    RESOURCE = 3
    SERVICE = 4
    SERVICE_PREEMPT = 5
    TIME_RESOLUTION = 6
    ACCESS = 7
    INITIATE = 8
    CONCLUDE = 9
    CANCEL = 10
    FILE = 11
    OTHERS = 12


class ServiceFailed(MmsError):
    """The server answered a request with an error instead of a result."""

    def __init__(self, error_class: int, code: int, description: str = "") -> None:
        known = error_class in ErrorClass.__members__.values()
        name = ErrorClass(error_class).name.lower() if known else str(error_class)
        super().__init__(f"{name} {code}" + (f": {description}" if description else ""))
        self.error_class = error_class
        self.code = code
        self.description = description


class Rejected(MmsError):
    """The peer could make nothing of a PDU."""

    def __init__(self, kind: int, code: int) -> None:
        super().__init__(f"rejected: kind {kind}, code {code}")
        self.kind = kind
        self.code = code


class AccessError(IntEnum):
    """Why one variable was not read or written: ISO 9506-2, DataAccessError."""

    OBJECT_INVALIDATED = 0
    HARDWARE_FAULT = 1
    TEMPORARILY_UNAVAILABLE = 2
    OBJECT_ACCESS_DENIED = 3
    OBJECT_UNDEFINED = 4
    INVALID_ADDRESS = 5
    TYPE_UNSUPPORTED = 6
    TYPE_INCONSISTENT = 7
    OBJECT_ATTRIBUTE_INCONSISTENT = 8
    OBJECT_ACCESS_UNSUPPORTED = 9
    OBJECT_NON_EXISTENT = 10
    OBJECT_VALUE_INVALID = 11


class AccessFailed(MmsError):
    """One variable was refused."""

    def __init__(self, error: int) -> None:
        known = error in AccessError.__members__.values()
        super().__init__(AccessError(error).name.lower() if known else f"access error {error}")
        self.error = error


class TooLarge(MmsError):
    """A request does not fit into the PDU that both ends agreed upon."""

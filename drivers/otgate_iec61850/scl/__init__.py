"""SCL, the configuration language of IEC 61850-6: files in, a resolved model out."""

from otgate_iec61850.scl.document import Scl, read_scl
from otgate_iec61850.scl.notes import SclRefused

__all__ = ["Scl", "SclRefused", "read_scl"]

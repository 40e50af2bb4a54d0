"""Common data classes: which attributes of each are points, and what kind they are."""

from collections.abc import Mapping
from dataclasses import dataclass

from otgate.model import Kind


@dataclass(frozen=True, slots=True)
class Class:
    """A common data class: its kind, and the paths of its values, best first.

    Of alternatives, written ``mag.f|mag.i``, the first that a type has is the point.
    """

    kind: Kind
    values: tuple[str, ...]


STATUS = Class(Kind.STATUS, ("stVal",))
SETTING = Class(Kind.SETTING, ("setVal",))
CLASSES: Mapping[str, Class] = {
    "MV": Class(Kind.MEASUREMENT, ("mag.f|mag.i",)),
    "CMV": Class(Kind.MEASUREMENT, ("cVal.mag.f|cVal.mag.i", "cVal.ang.f|cVal.ang.i")),
    "SAV": Class(Kind.MEASUREMENT, ("instMag.f|instMag.i",)),
    "APC": Class(Kind.MEASUREMENT, ("mxVal.f|mxVal.i",)),
    "BAC": Class(Kind.MEASUREMENT, ("mxVal.f|mxVal.i",)),
    **dict.fromkeys(("SPS", "DPS", "INS", "ENS", "SPC", "DPC", "INC", "ENC"), STATUS),
    **dict.fromkeys(("BSC", "ISC"), Class(Kind.STATUS, ("valWTr.posVal", "valWTr.transInd"))),
    "ACT": Class(Kind.EVENT, ("general", "phsA", "phsB", "phsC", "neut")),
    "ACD": Class(
        Kind.EVENT,
        (
            *("general", "dirGeneral", "phsA", "dirPhsA", "phsB", "dirPhsB", "phsC", "dirPhsC"),
            *("neut", "dirNeut"),
        ),
    ),
    "BCR": Class(Kind.COUNTER, ("actVal",)),
    "SEC": Class(Kind.COUNTER, ("cnt",)),
    "VSS": Class(Kind.TEXT, ("stVal",)),
    **dict.fromkeys(("SPG", "ING", "ENG", "VSG"), SETTING),
    "ASG": Class(Kind.SETTING, ("setMag.f|setMag.i",)),
    "ORG": Class(Kind.SETTING, ("setSrcRef",)),
}
"""Classes of IEC 61850-7-3 whose values are points."""


DESCRIBING = frozenset({"LPL", "DPL", "CSD"})
"""Classes that describe the device and never change."""

ARRAYS = frozenset({"HMV", "HWYE", "HDEL", "HST", "CSG", "CURVE"})

BESIDES = frozenset(
    {
        *("q", "t", "origin", "ctlNum", "stSeld", "opRcvd", "opOk", "tOpOk", "ctlModel", "subEna"),
        *("subVal", "subQ", "subID", "blkEna", "orIdent", "orCat"),
    }
)
"""Attributes that accompany a value and are no points of their own."""

TYPES = frozenset(
    {
        *("BOOLEAN", "INT8", "INT16", "INT24", "INT32", "INT64", "INT8U", "INT16U", "INT24U"),
        *("INT32U", "INT64U", "FLOAT32", "FLOAT64", "Enum", "Dbpos", "Tcmd", "ObjRef"),
        *("VisString32", "VisString64", "VisString65", "VisString129", "VisString255"),
        *("Unicode255", "Currency"),
    }
)
"""Basic types whose values are points; Quality, Timestamp and octet strings are not."""

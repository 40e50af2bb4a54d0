"""What running sides say of themselves, for tests of what shows it."""

from collections.abc import Mapping
from typing import Any


def device(state: str = "good", scans: int = 10, **other: Any) -> dict[str, Any]:
    told = {
        "state": state, "last_good_ns": 98 * 10**9, "scans": scans, "failures": 0, "overruns": 0,
        "passed": 25, "suppressed": 75, "error": "",
    }  # fmt: skip
    return told | other


def field(devices: Mapping[str, Any], samples: int = 100, **other: Any) -> dict[str, Any]:
    spool = {
        "samples": {"data": samples, "event": 1}, "dropped": {"data": 0, "event": 0},
        "disk_bytes": 2_500_000, "state": "writing", "error": "",
    }  # fmt: skip
    conduit = {"shut": "", "crossing_points": 8, "withheld": 3, "spool": spool} | other
    return {"side": "field", "devices": devices, "conduits": {"analytics": conduit}}


def bus(samples: int = 50, **other: Any) -> dict[str, Any]:
    lane = {"unread_bytes": 0, "behind_s": 0.0}
    told = {
        "side": "bus", "conduit": "analytics", "connected": True, "samples": samples,
        "messages": 5, "in_flight": 0, "lanes": {"data": lane, "event": lane}, "error": None,
        "held": "",
    }  # fmt: skip
    return told | other

"""What two readings of a bus file differ in, and what of it a running side can take up."""

import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from otgate.config.bus_side import BusFile

FIXED = ("conduit", "spool", "state", "sandbox", "audit", "metrics_listen")
"""What a side does not take up by itself: where it reads and writes, and what confines it."""

SECRET = ("username", "password", "credentials", "tls")
"""What a side shows its broker: if it is not to be had, a side does not start."""


def described(bus: BusFile) -> Mapping[str, Any]:
    """Return what a bus file says as plain values that JSON keeps; of secrets only their names."""
    said = asdict(bus)
    del said["path"]
    return {key: plain(value) for key, value in said.items()}


def plain(value: Any) -> Any:
    """Return a value as JSON has it; paths are absolute, so that it matters not who read them."""
    match value:
        case Path():
            return os.path.abspath(value)  # noqa: PTH100  resolve() would follow links
        case Mapping():
            return {key: plain(one) for key, one in value.items()}
        case tuple() | list():
            return [plain(one) for one in value]
        case None | str() | int() | float():
            return value
    return str(value)


def differing(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[str]:
    """Return the keys that say something else."""
    return sorted(key for key in {*old, *new} if old.get(key) != new.get(key))

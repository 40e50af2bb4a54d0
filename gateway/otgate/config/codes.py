"""The registry of diagnostic codes: what each means, with a wrong and a right example."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Code:
    """One stable code. ``about`` is a sentence, ``why`` says what to do about it."""

    code: str
    severity: str
    about: str
    why: str
    wrong: str
    right: str


@cache
def registry() -> Mapping[str, Code]:
    """Return every code of the gateway and of its own drivers, by name."""
    written = tomllib.loads(files("otgate.config").joinpath("codes.toml").read_text("utf-8"))
    return {
        name: Code(
            name,
            entry.get("severity", "error"),
            entry["about"],
            entry.get("why", "").strip(),
            entry["wrong"].strip("\n"),
            entry["right"].strip("\n"),
        )
        for name, entry in sorted(written.items())
    }


def severity_of(code: str) -> str:
    """Return the severity of ``code``; what a third-party driver invented is an error."""
    known = registry().get(code)
    return known.severity if known else "error"

"""Load a site for a verb, or print what is wrong with it."""

import json
import sys
from pathlib import Path
from typing import Any

from otgate.cli.places import site_file
from otgate.cli.progress import progress
from otgate.config.render import rendered
from otgate.config.site import Site, load_site
from otgate.driver import installed
from otgate.errors import Refused


def loaded(given: Path, endpoints: Path | None = None) -> Site | None:
    """Load a site; print its diagnostics to standard error and return None where it has errors.

    Raises:
        Refused: ``endpoints`` is not a JSON object of objects.
    """
    told = overrides(endpoints)
    with progress("loading") as step:
        outcome = load_site(site_file(given), installed(), overrides=told, step=step)
    if outcome.site is None:
        print(rendered(outcome.diagnostics), file=sys.stderr)
    return outcome.site


def overrides(endpoints: Path | None) -> dict[str, dict[str, Any]] | None:
    """Read what `otgate sim --map` wrote: device ids to keys of their driver's block."""
    if endpoints is None:
        return None
    try:
        read = json.loads(endpoints.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise Refused(f"cannot read the endpoints file {endpoints}: {error}") from error
    if not isinstance(read, dict) or not all(isinstance(keys, dict) for keys in read.values()):
        raise Refused(f"{endpoints}: write one JSON object of objects, as `otgate sim --map` does")
    return read

"""What `otgate check` says of a site with IEC 61850 devices."""

from pathlib import Path

from otgate.config.diagnostic import Diagnostic
from otgate.config.site import check_sites
from otgate_iec61850 import Iec61850


def checked(site: Path) -> list[Diagnostic]:
    """Return everything that is said of a site."""
    (outcome,) = check_sites([site], {"iec61850": Iec61850()})
    return list(outcome.diagnostics)

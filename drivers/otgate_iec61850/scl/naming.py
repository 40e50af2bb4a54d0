"""Names of imported points, from where they stand and what the file says of them."""

import re

from otgate.foreign.names import prose
from otgate_iec61850.scl.model import LogicalNode

VALUE_TAILS = (".stVal", ".general", ".actVal", ".cnt", ".setVal", ".setSrcRef")
MAGNITUDES = re.compile(r"\.(cVal\.mag|mag|mxVal|setMag|instMag)\.[fi]$|\.valWTr\.posVal$")
PHASE = re.compile(r"\.(?:phs|dirPhs)(A|B|C|AB|BC|CA)\b|\.(neut|dirNeut)\b")


def short_path(path: str) -> str:
    """Return a path without the attribute that is meant anyway."""
    for tail in VALUE_TAILS:
        path = path.removesuffix(tail)
    path = MAGNITUDES.sub("", path)
    return re.sub(r"\.cVal\.ang\.[fi]$", ".ang", path)


def phase_of(path: str, placed: str) -> str:
    """Return the phase that a path names, else that of its equipment."""
    found = PHASE.search(f".{path}")
    if found is None:
        return prose(placed)
    return found[1] or "N"


def described(node: LogicalNode, path: str) -> str:
    """Return the most exact description that the instance gives on the way to ``path``."""
    names = path.split(".")
    for length in range(len(names), 0, -1):
        said = node.descriptions.get(".".join(names[:length]))
        if said:
            return prose(said)
    return ""


def name_of(node: LogicalNode, device: str, short: str, said: str) -> str:
    """Return what people call a point: where it is, and what it is."""
    _, _, bay, equipment, _ = map(prose, node.place)
    what = f"{said} ({short})" if said else f"{node.name}.{short}"
    where = [bay, equipment] if bay or equipment else [device]
    return " ".join(part for part in (*where, what) if part)

"""The bus files beside a site file, against the site's policy."""

from collections.abc import Collection
from pathlib import Path

from otgate.config.bus import read_bus
from otgate.config.bus_side import BusFile
from otgate.config.diagnostic import Diagnostics
from otgate.config.nearest import did_you_mean
from otgate.config.policy import PolicyReading
from otgate.config.validate import value_at
from otgate.config.yaml_text import Tree


def check_buses(
    directory: Path, policy: PolicyReading | None, found: Diagnostics
) -> list[tuple[Tree, BusFile]]:
    """Check every bus file; where there are some, every conduit should have one.

    Returns those that are right.
    """
    right: list[tuple[Tree, BusFile]] = []
    served: dict[tuple[str, str], str] = {}
    named: list[object] = []
    conduits = policy.conduits if policy else None
    files = sorted((directory / "bus").glob("*.yaml"))
    for path in files:
        tree, bus = read_bus(path, found)
        if tree is None:
            return right
        named.append(value_at(tree, ("conduit",)) if ("conduit",) in tree.values else None)
        if bus is None:
            continue
        right.append((tree, bus))
        place = tree.at("conduit")
        if conduits is not None and bus.conduit not in conduits:
            help_ = did_you_mean(bus.conduit, conduits, otherwise="the policy has")
            message = f"the policy has no conduit `{bus.conduit}`"
            found.say("unknown-conduit", place, message, help_)
        first = served.setdefault((bus.root, bus.conduit), path.name)
        if first != path.name:
            message = f"publishes the same topics as `{first}`"
            found.say("topic-collision", place, message, "one conduit, one bus file")
    if files and policy is not None:
        say_unserved(policy, named, found)
    return right


def say_unserved(policy: PolicyReading, named: Collection[object], found: Diagnostics) -> None:
    """Warn of conduits that no bus file publishes."""
    for conduit in policy.conduits or ():
        if conduit not in named:
            place = policy.tree.key("conduits", conduit)
            message = f"no bus file publishes conduit `{conduit}`"
            found.say("missing-bus-file", place, message, f"write `bus/{conduit}.yaml`")

"""What a policy verb is asked about: a site with its points, or a policy file alone."""

import sys
from argparse import ArgumentParser
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from otgate.cli.loading import loaded
from otgate.cli.places import site_file
from otgate.config.diagnostic import Diagnostics, Place
from otgate.config.policy import read_policy
from otgate.config.render import rendered
from otgate.config.source import MAX_YAML_BYTES, read_source
from otgate.config.yaml_text import read_yaml
from otgate.driver import planned_types
from otgate.model import Device, ValueType
from otgate.policy.language import Policy


@dataclass(frozen=True, slots=True)
class Subject:
    """A policy, and the points of its site if it came with one."""

    policy: Policy
    devices: Sequence[Device] | None = None
    types: Mapping[str, Sequence[ValueType]] = field(default_factory=dict)


def policy_argument(parser: ArgumentParser, name: str) -> None:
    """Add a positional argument that names a site or a policy."""
    about = "site.yaml, its folder, or a policy.yaml alone"
    parser.add_argument(name, metavar=name.upper(), type=Path, help=about)


def opened(given: Path) -> Subject | None:
    """Read a site or a policy; print what is wrong and return None where it has errors."""
    path = site_file(given)
    if is_policy(path):
        policy = policy_alone(path)
        return None if policy is None else Subject(policy)
    site = loaded(path)
    if site is None:
        return None
    types = {one.id: planned_types(one, site.plans[one.id]) for one in site.devices}
    return Subject(site.policy, site.devices, types)


def is_policy(path: Path) -> bool:
    """Tell whether a file is a policy: it has conduits and no site."""
    found = Diagnostics()
    source = read_source(path, MAX_YAML_BYTES, found)
    tree = None if source is None else read_yaml(source, found)
    return tree is not None and isinstance(tree.value, dict) and is_policys(tree.value)


def is_policys(keys: Mapping[str, object]) -> bool:
    """Tell whether these top-level keys are a policy's."""
    return "site" not in keys and not {"conduits", "rules", "zones"}.isdisjoint(keys)


def policy_alone(path: Path) -> Policy | None:
    """Read and judge a policy file without any points."""
    found = Diagnostics()
    reading = read_policy(path, Place(str(path)), found)
    if reading is not None:
        reading.judge((), {}, found)
    if found.errors or reading is None:
        print(rendered(found.sorted()), file=sys.stderr)
        return None
    return reading.policy

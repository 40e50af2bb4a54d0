"""A policy file read, with its places kept for what is found wrong with its meaning."""

import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path as FilePath

from otgate.config.diagnostic import Diagnostics, Place, Severity
from otgate.config.policy_file import PolicyFile, policy_of
from otgate.config.policy_names import unknown_names
from otgate.config.source import MAX_YAML_BYTES, Source, read_source
from otgate.config.validate import partial, value_at
from otgate.config.yaml_text import Path, Tree, read_yaml
from otgate.model import Device, ValueType
from otgate.policy.checks import findings
from otgate.policy.language import Policy
from otgate.policy.validity import warning_due


@dataclass(slots=True)
class PolicyReading:
    """A policy as far as it could be read. None stands for what could not."""

    tree: Tree
    policy: Policy | None = None
    tags: Collection[str] | None = None
    zones: Collection[str] | None = None
    conduits: Collection[str] | None = None
    hash: str = ""
    numbers: dict[Path, dict[str, int]] = field(default_factory=dict)
    """Where each word stands in the lists that were asked for."""

    def judge(
        self,
        devices: Sequence[Device],
        types: Mapping[str, Sequence[ValueType]],
        found: Diagnostics,
    ) -> None:
        """Say what the policy's meaning has wrong; with devices, what does nothing for them."""
        if self.policy is None:
            return
        self.say_end(self.policy, found)
        named = unknown_names(self.policy, devices) if devices else ()
        for finding in (*findings(self.policy, devices, types), *named):
            weight = Severity(str(finding.severity))
            if found.full(self.tree.source.name, weight):
                found.leave_out(self.tree.source.name, weight)
                continue
            place = self.place(finding.where)
            found.say(finding.code, place, finding.message, finding.help, weight)

    def say_end(self, policy: Policy, found: Diagnostics) -> None:
        """Warn where the policy ends soon, or has ended."""
        due = warning_due(policy, time.time_ns())
        if due is not None:
            ends = f"ends within {due} days" if due else "has ended: nothing crosses"
            help_ = "let its owners review it, and write a later day"
            place = self.tree.at("policy", "valid_until")
            found.say("policy-end", place, f"the policy {ends}", help_, Severity.WARNING)

    def place(self, where: Path) -> Place:
        """Return the place of an entry; a word below a list is the item of that value."""
        path: Path = ()
        for step in where:
            value = value_at(self.tree, path)
            if isinstance(value, list) and (at := self.number(path, value, step)) is not None:
                path = (*path, at)
            elif (*path, step) in self.tree.values:
                path = (*path, step)
            else:
                break
        inside = isinstance(value_at(self.tree, path), dict | list)
        return self.tree.key(*path) if inside else self.tree.at(*path)

    def number(self, path: Path, words: Sequence[object], step: str | int) -> int | None:
        """Return where a word stands first in the list at ``path``, gone through once."""
        if path not in self.numbers:
            said = enumerate(words)
            backwards = reversed([(word, at) for at, word in said if isinstance(word, str)])
            self.numbers[path] = dict(backwards)
        return self.numbers[path].get(step) if isinstance(step, str) else None


def read_policy(path: FilePath, named_at: Place, found: Diagnostics) -> PolicyReading | None:
    """Read a policy file, or say why it cannot be read."""
    source = read_source(path, MAX_YAML_BYTES, found, named_at)
    return None if source is None else read_policy_text(source, found)


def read_policy_text(source: Source, found: Diagnostics) -> PolicyReading | None:
    """Read what a policy file says, or say why it cannot be read."""
    tree = read_yaml(source, found)
    if tree is None:
        return None
    before = found.errors
    given = partial(PolicyFile, tree, (), found)
    reading = PolicyReading(
        tree,
        tags=frozenset(given["vocabulary"].tags) if "vocabulary" in given else None,
        zones=given.get("zones"),
        conduits=given.get("conduits"),
        hash=sha256(tree.source.text.encode()).hexdigest(),
    )
    if found.errors == before:
        reading.policy = policy_of(PolicyFile.model_construct(**given))
    return reading

"""A staged policy: judged beside the running one on what the devices send now. It carries nothing.

Its gates see every batch and only count; they have no spool, and the answer goes to whoever asked.
"""

import asyncio
from collections.abc import Iterator, Mapping
from typing import Any

from otgate.app.egress import Types, types_of
from otgate.app.outlet import Ways
from otgate.config.diagnostic import Diagnostics
from otgate.config.policy import read_policy_text
from otgate.config.render import rendered
from otgate.config.site import Site
from otgate.config.source import decode
from otgate.errors import Refused
from otgate.model import Batch
from otgate.policy.changes import Side, changes
from otgate.policy.gate import Gate, compile_gates
from otgate.policy.language import Policy

LONGEST_S = 60.0
SHOWN = 100
"""Points that an answer names."""


class Shadow:
    """The gates of a staged policy, and how many samples they would have let cross."""

    def __init__(self, policy: Policy, site: Site, types: Types) -> None:
        self.gates = compile_gates(policy, site.devices, types)
        self.samples = dict.fromkeys(self.gates, 0)
        self.seen = 0

    def __call__(self, batch: Batch, now_ns: int) -> None:
        """Count what of ``batch`` would cross."""
        self.seen += len(batch)
        for conduit, gate in self.gates.items():
            self.samples[conduit] += crossing(gate, batch, now_ns)


def crossing(gate: Gate, batch: Batch, now_ns: int) -> int:
    """Count what goes now: of the batch, and of what was held."""
    out = [*gate.pass_(batch, now_ns), *gate.release(now_ns)]
    return sum(len(part) for _, part in out)


class Staging:
    """One staged policy at a time."""

    def __init__(self, outlet: Ways) -> None:
        self._outlet = outlet
        self._busy = False

    async def stage(self, site: Site, name: str, text: str, for_s: float) -> Mapping[str, Any]:
        """Judge the policy in ``text`` for a while and say what it did.

        Raises:
            Refused: it has errors, another one is staged, the time is not within bounds, or the
                site was reloaded meanwhile.
        """
        if not 0 < for_s <= LONGEST_S:
            raise Refused(f"stage for more than 0 and at most {LONGEST_S:g} seconds")
        if self._busy:
            raise Refused("another policy is staged now")
        self._busy = True
        try:
            types = types_of(site)
            policy = await asyncio.to_thread(judged, site, types, name, text)
            shadow = await asyncio.to_thread(Shadow, policy, site, types)
            self._outlet.shadow = shadow
            await asyncio.sleep(for_s)
            if self._outlet.shadow is not shadow:
                raise Refused("the site was reloaded meanwhile: ask again")
        finally:
            self._outlet.shadow = None
            self._busy = False
        return {
            "for_s": for_s,
            "samples_seen": shadow.seen,
            "conduits": dict(conduits(site, types, policy, shadow)),
        }


def judged(site: Site, types: Types, name: str, text: str) -> Policy:
    """Read a policy and judge it by the points of ``site``.

    Raises:
        Refused: it has errors.
    """
    found = Diagnostics()
    source = decode(name, text.encode(), found)
    reading = None if source is None else read_policy_text(source, found)
    if reading is not None:
        reading.judge(site.devices, types, found)
    if found.errors or reading is None or reading.policy is None:
        raise Refused(rendered(found.sorted()))
    return reading.policy


def conduits(
    site: Site, types: Types, policy: Policy, shadow: Shadow
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield what each conduit would carry, and which points cross otherwise."""
    now = Side(site.policy, site.devices, types)
    found = changes(now, Side(policy, site.devices, types))
    for conduit in dict.fromkeys([*policy.conduits, *site.policy.conduits]):
        gate = shadow.gates.get(conduit)
        mine = [one for one in found if one.conduit == conduit]
        yield (
            conduit,
            {
                "points": 0 if gate is None else len(gate.crossing),
                "samples": shadow.samples.get(conduit, 0),
                "changes": len(mine),
                "named": [
                    {"path": one.path, "way": str(one.way), "why": one.why} for one in mine[:SHOWN]
                ],
            },
        )

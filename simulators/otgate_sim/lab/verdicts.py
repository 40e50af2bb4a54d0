"""What the policy says of a site's points, asked of the policy itself and not of its gates."""

from otgate.config.site import Site
from otgate.driver import planned_types
from otgate.policy.decide import Verdict, decide
from otgate_sim.lab.tally import Name


class Verdicts:
    """Every point's verdict on every conduit."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.conduits = list(site.policy.conduits)
        self.of: dict[tuple[str, Name], Verdict] = {}
        for device in site.devices:
            types = planned_types(device, site.plans[device.id])
            for point, value_type in zip(device.points, types, strict=True):
                for name, conduit in site.policy.conduits.items():
                    verdict = decide(site.policy, conduit, device, point, value_type)
                    self.of[name, Name(device.id, point.id)] = verdict

    def crosses(self, conduit: str, name: Name) -> bool:
        """Whether a point may leave through a conduit; what the site lacks may not."""
        verdict = self.of.get((conduit, name))
        return verdict is not None and verdict.crosses

    def holds(self, conduit: str, name: Name) -> bool:
        """Whether a limit holds a point's values back, so that their age is the policy's doing."""
        verdict = self.of.get((conduit, name))
        return verdict is not None and verdict.restriction.min_interval_s > 0


def denial(verdict: Verdict) -> str:
    """Say in a word or two what keeps a point from crossing."""
    if verdict.stopped_by:
        return ", ".join(verdict.stopped_by)
    if verdict.denies:
        return verdict.denies[0].name
    return str(verdict.reason)

"""Devices and points that a policy names outright, against those that there are.

A misspelt name in a deny rule would let out what it is there to keep, and in an assertion prove
what nobody asked, so it is an error. A pattern
with ``*`` or ``?`` may match nothing: a policy can be written for many sites.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from otgate.config.nearest import did_you_mean
from otgate.model import Device
from otgate.policy.finding import Finding, Where
from otgate.policy.language import Match, Policy


class Named(NamedTuple):
    """A name that nothing has: the key it stands under, and what it could have been."""

    key: str
    name: str
    code: str
    message: str
    help: str


def unknown_names(policy: Policy, devices: Sequence[Device]) -> Iterator[Finding]:
    """Find names in the policy's rules and assertions that no device and no point has."""
    points = {device.id: {point.id for point in device.points} for device in devices}
    for place, match in matches(policy):
        for key, name, code, message, help_ in unknown(match, points):
            yield Finding(code, (*place, key, name), message, help_)


def matches(policy: Policy) -> Iterator[tuple[Where, Match]]:
    """Return every match of ``policy`` with its place."""
    for number, rule in enumerate(policy.rules):
        yield ("rules", number, "match"), rule.match
    for number, assertion in enumerate(policy.assertions):
        yield ("assertions", number, "never"), assertion.never


def unknown(match: Match, points: Mapping[str, set[str]]) -> Iterator[Named]:
    """Find names in one match; ``points`` are those of each device."""
    for name in match.device or ():
        if literal(name) and name not in points:
            yield no_device("device", name, name, points)
    for name in match.point or ():
        device, _, point = name.partition("/")
        if not literal(device) or not point:
            continue
        if device not in points:
            yield no_device("point", name, device, points)
        elif literal(point) and point not in points[device]:
            message = f"device `{device}` has no point `{point}`"
            help_ = did_you_mean(point, points[device], otherwise="it has")
            yield Named("point", name, "unknown-point", message, help_)


def no_device(key: str, name: str, device: str, points: Mapping[str, set[str]]) -> Named:
    """Say that no device has an id."""
    help_ = did_you_mean(device, points, otherwise="devices")
    return Named(key, name, "unknown-device", f"the site has no device `{device}`", help_)


def literal(name: str) -> bool:
    """Tell whether a name is no pattern."""
    return "*" not in name and "?" not in name

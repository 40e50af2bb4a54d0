"""`otgate policy acl`: the broker's own fence, from the same policy."""

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping, Sequence

from otgate.cli.command import FAILED, OK, Command
from otgate.cli.loading import loaded
from otgate.cli.places import site_argument
from otgate.cli.policy.buses import buses_of
from otgate.config.bus_side import BusFile
from otgate.config.site import Site
from otgate.driver import planned_types
from otgate.model import EVENT_KINDS, Device
from otgate.policy.crossing import Judge
from otgate.publish.topics import GATEWAY, MessageClass, Topics

DESCRIPTION = """\
Print the broker's access list: each bus side may write the topics of what crosses its conduit,
and no other. A second fence, which holds where a bus side is taken over.

  otgate policy acl site.yaml --mosquitto > /etc/mosquitto/otgate.acl

In mosquitto.conf: `acl_file /etc/mosquitto/otgate.acl`. Each bus file needs a `username`, for the
broker knows clients by it. What may read is yours to add: `user historian`, `topic read otgate/#`.
After a policy was tightened, load the new list once the recall is through: it clears topics.

Exit: 0 printed; 1 the site or a bus file has errors, or a bus file names no user.
"""

ALWAYS = (MessageClass.REPLAY, MessageClass.META, MessageClass.STATUS)
GATEWAY_CLASSES = (MessageClass.STATUS, MessageClass.GAP)
"""What a bus side publishes of itself."""


def arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    site_argument(parser)
    parser.add_argument(
        "--mosquitto", action="store_true", required=True, help="as Mosquitto's acl_file"
    )


def execute(options: Namespace) -> int:
    """Print the list."""
    site = loaded(options.site)
    buses = buses_of(site) if site is not None else None
    if site is None or buses is None:
        return FAILED
    if nameless := [bus for bus in buses if bus.username is None]:
        for bus in nameless:
            said = "names no user: add `username`, for the broker tells clients apart by it"
            print(f"otgate: {bus.path} {said}", file=sys.stderr)
        return FAILED
    print("\n".join(access_list(site, buses)))
    return OK


def access_list(site: Site, buses: Sequence[BusFile]) -> Iterator[str]:
    """Yield the lines of Mosquitto's acl_file."""
    policy = site.policy
    yield f"# What each bus side of {site.id}/{site.gateway} may write, by otgate policy acl."
    yield f"# Policy {policy.name}, version {policy.version}, SHA-256 {site.policy_hash}"
    crossing = classes(site)
    for bus in buses:
        topics = Topics(bus.root, site.id, site.gateway, bus.conduit)
        yield f"\n# Conduit {bus.conduit}, {bus.path.name}\nuser {bus.username}"
        for message_class in GATEWAY_CLASSES:
            yield writes(topics.topic(GATEWAY, message_class))
        for device, kinds in crossing[bus.conduit].items():
            for message_class in (*kinds, *ALWAYS):
                yield writes(topics.topic(device, message_class))
            yield writes(topics.topic(device, MessageClass.META, "+"))
            if bus.last == "on":
                yield writes(topics.topic(device, MessageClass.LAST, "+"))


def writes(topic: str) -> str:
    """Allow publishing to a topic."""
    return f"topic write {topic}"


def classes(site: Site) -> Mapping[str, Mapping[str, Sequence[MessageClass]]]:
    """Return, by conduit and crossing device, the classes of its live samples."""
    found: dict[str, dict[str, Sequence[MessageClass]]] = {
        conduit: {} for conduit in site.policy.conduits
    }
    judge = Judge(site.policy)
    for device in site.devices:
        types = planned_types(device, site.plans[device.id])
        for conduit, crossings in judge.crossings(device, types).items():
            found[conduit][device.id] = live(device, [one.point for one in crossings])
    return found


def live(device: Device, points: Sequence[int]) -> list[MessageClass]:
    """Return the classes in which samples of ``points`` are published as they come."""
    events = {device.points[point].kind in EVENT_KINDS for point in points}
    lanes = {False: MessageClass.DATA, True: MessageClass.EVENT}
    return [lanes[event] for event in sorted(events)]


COMMAND = Command("acl", "the broker's access list", arguments, execute, DESCRIPTION)

"""`otgate policy evidence`: a report that an auditor can read."""

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime
from hashlib import sha256
from importlib.metadata import version
from typing import Any

from otgate.cli.command import FAILED, OK, Command
from otgate.cli.document import Block, Heading, Table, as_html, as_markdown
from otgate.cli.loading import loaded
from otgate.cli.places import site_argument
from otgate.cli.policy.buses import buses_of
from otgate.cli.policy.matrix import rows_of
from otgate.config.bus_side import BusFile
from otgate.config.site import Site
from otgate.policy.explain import in_force, names
from otgate.policy.language import Effect, Limits, Match, Rule
from otgate.policy.matrix import Row, cell

DESCRIPTION = """\
Write what leaves a site and by whose leave: conduits, every grant with its reason, owner, ticket,
approver and review date, what crosses today, ports, accounts and hashes. For people who audit
against NERC CIP-005, CIP-007 and CIP-010.

  otgate policy evidence site.yaml > evidence.md
  otgate policy evidence site.yaml --format html > evidence.html

It says what the files say. What the kernel and the broker enforce is theirs to show.

Exit: 0 written; 1 the site or a bus file has errors, or --fail-on overdue and a review is.
"""

REQUIREMENTS = Table(
    ("Requirement", "What it asks", "Here"),
    (
        ("CIP-005-7 R1.2", "routable traffic through identified access points", "Conduits"),
        ("CIP-005-7 R1.3", "access permissions with reasons, deny by default", "Grants, Denials"),
        ("CIP-007-6 R1.1", "only ports that are needed", "Ports"),
        ("CIP-010-4 R1.1", "a baseline of software and ports", "Files, Ports"),
    ),
)
MISSING = "-"
ENDPOINT_KEYS = ("url", "backup", "listen", "peers")
"""Keys of a driver's block that say where a device is, or where it comes to us."""
OPENED = {"listen": "the device", "peers": "the device"}


def arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    site_argument(parser)
    parser.add_argument("--format", choices=["markdown", "html"], default="markdown")
    parser.add_argument(
        "--fail-on", choices=["overdue"], help="exit 1 where a rule's review_by has passed"
    )


def execute(options: Namespace) -> int:
    """Print the report."""
    site = loaded(options.site)
    buses = buses_of(site) if site is not None else None
    if site is None or buses is None:
        return FAILED
    today = datetime.now(UTC).date()
    blocks = list(report(site, buses, today))
    print(as_html(blocks) if options.format == "html" else as_markdown(blocks), end="")
    late = any(is_overdue(rule, today) for rule in site.policy.rules)
    return FAILED if late and options.fail_on else OK


def report(site: Site, buses: Sequence[BusFile], today: date) -> Iterator[Block]:
    """Yield the parts of the report."""
    rows = rows_of(site)
    yield Heading(f"Segmentation evidence: {site.name or site.id}", 1)
    yield (
        f"Site {site.id}, gateway {site.gateway}. Made by otgate {version('otgate')}"
        f" on {today.isoformat()} (UTC) from the files below, without a device and a network."
    )
    yield REQUIREMENTS
    yield Heading("Files")
    yield Table(("File", "SHA-256"), list(hashes(site, buses)))
    yield Heading("Zones")
    yield Table(
        ("Zone", "Purdue level"), [(z.id, said(z.purdue)) for z in site.policy.zones.values()]
    )
    yield from conduits(site, buses, rows)
    yield from permissions(site, rows, today)
    yield from crossing(site, rows)
    yield from ports(site, buses)
    yield from accounts(buses)


def hashes(site: Site, buses: Sequence[BusFile]) -> Iterator[tuple[str, str]]:
    """Yield what the report was made of."""
    policy = site.policy
    yield f"policy: {policy.name}, version {policy.version}", site.policy_hash
    yield f"{site.path.name} with every point map", site.map_hash
    for bus in buses:
        yield f"bus/{bus.path.name}", sha256(bus.path.read_bytes()).hexdigest()


def conduits(site: Site, buses: Sequence[BusFile], rows: Sequence[Row]) -> Iterator[Block]:
    """Yield what each conduit joins, lets in at most, and carries today."""
    yield Heading("Conduits")
    yield (
        "The only ways between zones. Everything is denied by default. A point crosses if its zone"
        " is one of those named, its kind is neither control nor setting, its sensitivity is not"
        " above the ceiling, a grant matches and no denial does. No rule lifts the first three."
    )
    published = {bus.conduit: f"bus/{bus.path.name}" for bus in buses}
    lines = []
    for place, one in enumerate(site.policy.conduits.values()):
        count = sum(row.verdicts[place].crosses for row in rows)
        ends = (", ".join(sorted(one.from_zones)), one.to, one.direction)
        bound = (one.ceiling.name.lower(), limited(one.limits), one.test)
        lines.append(
            (one.id, *ends, *bound, f"{count} of {len(rows)}", published.get(one.id, MISSING))
        )
    columns = ("Conduit", "From", "To", "Direction", "Ceiling", "Limits", "Data under test")
    yield Table((*columns, "Points", "Published by"), lines)


def permissions(site: Site, rows: Sequence[Row], today: date) -> Iterator[Block]:
    """Yield every rule with its paperwork and how many points it decides today."""
    for effect, title in ((Effect.ALLOW, "Grants"), (Effect.DENY, "Denials")):
        rules = [rule for rule in site.policy.rules if rule.effect is effect]
        yield Heading(title)
        yield Table(
            ("Rule", "Conduits", "Points", "Today", "Limits", "Why", "Owner", "Ticket",
             "Approved by", "Review by"),
            [permission(rule, decided(rule, rows), today) for rule in rules],
        )  # fmt: skip
    late = [rule.name for rule in site.policy.rules if is_overdue(rule, today)]
    unsigned = [rule.name for rule in site.policy.rules if not rule.approved_by]
    yield f"Reviews overdue: {', '.join(late) or 'none'}."
    yield f"Rules that name no approver: {', '.join(unsigned) or 'none'}."


def permission(rule: Rule, count: int, today: date) -> tuple[str, ...]:
    """Return a rule's row."""
    review = f"{rule.review_by} (overdue)" if is_overdue(rule, today) else rule.review_by
    paperwork = (rule.why, rule.owner, rule.ticket, rule.approved_by, review)
    return (
        rule.name,
        "all" if rule.conduits is None else ", ".join(sorted(rule.conduits)),
        matched(rule.match),
        str(count),
        limited(rule.limits),
        *(one or MISSING for one in paperwork),
    )


def decided(rule: Rule, rows: Sequence[Row]) -> int:
    """Count the points that a rule lets cross somewhere, or keeps from crossing."""
    allows = rule.effect is Effect.ALLOW
    return sum(
        any(
            verdict.crosses and rule in verdict.allows if allows else rule in verdict.denies
            for verdict in row.verdicts
        )
        for row in rows
    )


def is_overdue(rule: Rule, today: date) -> bool:
    """Tell whether a rule should have been looked at again."""
    return bool(rule.review_by) and date.fromisoformat(rule.review_by) < today


def matched(match: Match) -> str:
    """Say which points a rule speaks of."""
    given = {key: value for key, value in asdict(match).items() if value}
    if match.sensitivity:
        given["sensitivity"] = [one.name.lower() for one in match.sensitivity]
    return (
        "; ".join(f"{key}: {', '.join(sorted(value))}" for key, value in given.items()) or "every"
    )


def limited(limits: Limits) -> str:
    """Say what restrictions there are."""
    return ", ".join(f"{key} {said(value)}" for key, value in in_force(limits).items()) or MISSING


def crossing(site: Site, rows: Sequence[Row]) -> Iterator[Block]:
    """Yield, per conduit, every point that crosses and by which grant."""
    for place, conduit in enumerate(site.policy.conduits):
        yield Heading(f"What crosses {conduit} today")
        lines = [granted(row, place) for row in rows if row.verdicts[place].crosses]
        yield Table(("Point", "Kind", "Sensitivity", "Limits", "Granted by"), lines)
        yield f"{len(lines)} of {len(rows)} points."


def granted(row: Row, place: int) -> tuple[str, ...]:
    """Return the row of a point that crosses the conduit at ``place``."""
    verdict = row.verdicts[place]
    sensitivity = row.seen.sensitivity.name.lower()
    return row.path, row.seen.kind, sensitivity, cell(verdict), names(verdict.allows)


def ports(site: Site, buses: Sequence[BusFile]) -> Iterator[Block]:
    """Yield every connection that the files ask for, and who opens it."""
    yield Heading("Ports")
    lines = [
        (f"device {device.id}", device.driver, OPENED.get(key, "the field side"), where)
        for device in site.devices
        for key, where in endpoints(device.settings)
    ]
    lines += [
        (f"conduit {bus.conduit}", "MQTT", "the bus side", url)
        for bus in buses
        for url in bus.brokers
    ]
    yield Table(("For", "Protocol", "Opened by", "Where"), lines)
    yield (
        "Each side also has a unix socket for its administration, in a directory of its own."
        " Neither side listens on the network, but for devices that are said to connect to it."
    )


def endpoints(settings: Any) -> Iterator[tuple[str, str]]:
    """Yield the keys of a driver's block that say where a device is."""
    given = settings if isinstance(settings, dict) else getattr(settings, "__dict__", {})
    for key in ENDPOINT_KEYS:
        value = given.get(key)
        if value:
            yield key, value if isinstance(value, str) else ", ".join(map(str, value))


def accounts(buses: Sequence[BusFile]) -> Iterator[Block]:
    """Yield who each bus side is to its broker, and by which secret; never the secret."""
    yield Heading("Accounts")
    lines = []
    for bus in buses:
        secret = f"credential {bus.password.name}" if bus.password else MISSING
        tls = "mutual" if bus.tls and bus.tls.certificate else "server only" if bus.tls else "none"
        lines.append(
            (
                bus.conduit,
                bus.client_id or "made from gateway and conduit",
                said(bus.username),
                secret,
                tls,
            )
        )
    yield Table(("Conduit", "MQTT client id", "User", "Password", "TLS"), lines)


def said(value: object) -> str:
    """Return a value as a person writes it."""
    if value is None or value == "":
        return MISSING
    if isinstance(value, float | int):
        return f"{value:g}"
    return value if isinstance(value, str) else ", ".join(map(str, value))  # type: ignore[call-overload]


COMMAND = Command("evidence", "a report for auditors", arguments, execute, DESCRIPTION)

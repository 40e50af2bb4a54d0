"""Starting files: what has to be there as YAML, what may be there as comments, each explained."""

from collections.abc import Iterator, Mapping, Sequence
from textwrap import wrap
from typing import Any

from otgate.config.schema import file_schemas
from otgate.config.written import WIDTH, written
from otgate.driver import Driver, Example, Exemplary

HEAD = """\
# {what}
# A line such as `# key: value` shows a key that may be left out: its default, or an example.
"""
SCHEMA_LINE = "# yaml-language-server: $schema={place}schema/{name}.json\n"
"""How language servers for YAML, thus most editors, are told of a file's schema."""

SITE = """\
config_version: 1
site:
  id: {site}  # The site, as topics name it.
  gateway: {gateway}  # This box, as topics name it; unique within the site.
  # name: Substation 7  # The site, as people name it.

devices:
{devices}
# What holds where a point or a device does not say otherwise.
defaults:
  sensitivity: internal  # of points that say nothing; without a default they are `bcsi` and stay
  tags: [feeder]  # words of the policy's vocabulary
  # max_age_s: 30  # Seconds without a read after which a point is stale; 0, the default, is never.

policy: policy.yaml  # the security people's file
"""

POLICY = """\
config_version: 1
policy:
  name: egress
  version: 1  # raise it with every change
  # valid_until: 2027-11-30  # after this day nothing crosses

# The only words that point maps and rules may use as tags.
vocabulary: {tags: [feeder, protection]}

# Every zone, the devices' and those that conduits lead to; purdue is the level, 0 to 5.
zones: {bay: {purdue: 1}, enterprise: {purdue: 4}}

# Every way out. A conduit has a spool, a bus process and a bus/<conduit>.yaml of its own.
# `ceiling` is the most sensitive classification that may enter, whatever rules say:
# public < internal < restricted < bcsi.
conduits:
  analytics: {from: [bay], to: enterprise, ceiling: internal}

# What no rule allows does not cross; any deny beats every allow; the order means nothing.
rules:
  - name: feeder-values
    effect: allow
    conduits: [analytics]
    match: {kind: [measurement, status], tags_all: [feeder]}
    # limits: {min_interval_s: 60, quantize: 0.5, strip: [device_address]}
    why: load forecasting
    # owner: grid planning
    # ticket: CR-1190
    # review_by: 2027-06-30
  - name: no-protection
    effect: deny
    match: {tags_any: [protection]}
    why: relay settings are BCSI (CIP-011)

# What must never cross, whatever points there will be: proved, or the policy is refused.
assertions:
  - {never: {tags_any: [protection]}, why: relay settings never leave}
"""


class Starting:
    """Writes starting files with what the schemas know. Without ``drivers`` no device."""

    def __init__(self, drivers: Mapping[str, Driver]) -> None:
        self._drivers = drivers
        self._schemas = file_schemas(drivers)

    def exemplary(self) -> dict[str, Example]:
        """Return the examples of those drivers that have one, by the driver's name."""
        return {
            name: driver.example
            for name, driver in sorted(self._drivers.items())
            if isinstance(driver, Exemplary)
        }

    def device(self, name: str, driver: str, example: Example) -> str:
        """Return an entry of ``devices:``, explained, to be pasted below that key."""
        entry = {
            "id": name,
            "driver": driver,
            "zone": "bay",
            "points": f"points/{name}.csv",
            "scans": example.scans,
            driver: example.settings,
        }
        schema = self._schemas["site"]
        form = dict(schema["$defs"]["DeviceEntry"])
        others = self._drivers.keys() - {driver}
        form["properties"] = {
            key: one for key, one in form["properties"].items() if key not in others
        }
        first, *rest = explained(form, entry, schema["$defs"])
        return "".join(f"{line}\n" for line in (f"  - {first}", *(f"    {line}" for line in rest)))

    def bus(self, conduit: str) -> str:
        """Return a bus file, explained."""
        given = {
            "config_version": 1,
            "conduit": conduit,
            "brokers": ["mqtt://127.0.0.1:1883"],
        }
        schema = self._schemas["bus"]
        what = f"Where the conduit {conduit} publishes, and as whom: the IT people's file."
        text = "".join(f"{line}\n" for line in explained(schema, given, schema["$defs"]))
        return head(what, "bus", "../") + text

    def site(self, site: str, gateway: str, devices: Sequence[str]) -> str:
        """Return a site file of these entries."""
        what = "What the gateway reads. `otgate check` says whether it is right."
        return head(what, "site") + SITE.format(
            site=site, gateway=gateway, devices="\n".join(devices)
        )

    def policy(self) -> str:
        """Return a policy, explained."""
        return head("Which points may leave: the security people's file.", "policy") + POLICY


def head(what: str, schema: str, place: str = "") -> str:
    """Return how a file begins; ``place`` leads from the file to the folder of its schema."""
    return SCHEMA_LINE.format(place=place, name=schema) + HEAD.format(what=what) + "\n"


def explained(
    schema: Mapping[str, Any],
    given: Mapping[str, Any],
    definitions: Mapping[str, Any],
    *,
    whole: bool = False,
) -> Iterator[str]:
    """Yield a mapping line by line: the keys that are given, and comments for the others.

    A ``whole`` one has no comments for keys, since it is one itself.
    """
    for key, one in schema["properties"].items():
        inner = definitions.get(one.get("$ref", "").removeprefix("#/$defs/"), {})
        about = inner.get("description") or one["description"]
        off = "" if whole or key in given else "# "
        if "properties" in inner:
            yield from remarked(f"{off}{key}:", about)
            below = explained(inner, given.get(key, {}), definitions, whole=whole or bool(off))
            yield from (f"{off}  {line}" for line in below)
        elif (value := given.get(key, shown_value(one))) is not None:
            yield from remarked(f"{off}{key}: {braced(value)}", about)


def shown_value(one: Mapping[str, Any]) -> Any:
    """Return what a key that is left out can show: its default, or else an example."""
    return one.get("default") or next(iter(one.get("examples", ())), one.get("default"))


def remarked(line: str, about: str) -> Iterator[str]:
    """Yield a line with what it is for behind it, or above where that is long."""
    if len(line) + len(about) + 8 <= WIDTH:
        yield f"{line}  # {about}"
        return
    yield from (f"# {part}" for part in wrap(about, WIDTH - 8))
    yield line


def braced(value: Any) -> str:
    """Return a value in YAML's flow style."""
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key}: {braced(one)}' for key, one in value.items())}}}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(braced, value))}]"
    return written([value]).strip().removeprefix("- ")

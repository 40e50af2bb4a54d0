"""Prometheus' text format read by rules of its own, for what our side writes."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from otgate.observe.control import bound
from otgate.observe.scrape import Responder, answering

NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(,|\})')
ESCAPED = re.compile(r"\\(.)")
PARTS = ("_bucket", "_sum", "_count")

Labels = frozenset[tuple[str, str]]


@asynccontextmanager
async def served(path: Path, responder: Responder) -> AsyncIterator[None]:
    """Answer at ``path``, as a side does beside its administration socket."""
    with bound(path) as listener:
        async with answering(listener, responder):
            yield


@dataclass
class Family:
    """One metric, as it was told."""

    kind: str
    help: str
    series: dict[tuple[str, Labels], float] = field(default_factory=dict)

    def value(self, **labels: str) -> float:
        (found,) = [
            value for (_, told), value in self.series.items() if labels.items() <= set(told)
        ]
        return found


def parsed(text: str) -> dict[str, Family]:
    """Read an exposition, and fail where a scraper might."""
    families: dict[str, Family] = {}
    lines = iter(text.removesuffix("\n").split("\n"))
    assert text.endswith("\n")
    current = ""
    for line in lines:
        if line.startswith("# HELP "):
            _, _, current, told = line.split(" ", 3)
            assert NAME.fullmatch(current)
            assert current not in families, f"{current} stands in two places"
            kind = next(lines).removeprefix(f"# TYPE {current} ")
            assert kind in {"counter", "gauge", "histogram"}
            families[current] = Family(kind, unescaped(told))
        else:
            name, labels, value = sample(line)
            family = families[current]
            allowed = (
                {current + part for part in PARTS} if family.kind == "histogram" else {current}
            )
            assert name in allowed
            assert (name, labels) not in family.series, line
            family.series[name, labels] = value
    for name, family in families.items():
        if family.kind == "histogram":
            assert_histogram(name, family)
    return families


def sample(line: str) -> tuple[str, Labels, float]:
    match = NAME.match(line)
    assert match, line
    at, labels = match.end(), []
    if line[at] == "{":
        at += 1
        while line[at - 1] != "}":
            pair = LABEL.match(line, at)
            assert pair, line[at:]
            labels.append((pair[1], unescaped(pair[2])))
            at = pair.end()
    assert line[at] == " ", line
    assert len(dict(labels)) == len(labels)
    return match[0], frozenset(labels), float(line[at + 1 :])


def unescaped(text: str) -> str:
    return ESCAPED.sub(lambda match: "\n" if match[1] == "n" else match[1], text)


def assert_histogram(name: str, family: Family) -> None:
    """Check that buckets only grow, and that the last holds all."""
    last: dict[Labels, tuple[float, float]] = {}
    for (part, labels), value in family.series.items():
        rest = frozenset(pair for pair in labels if pair[0] != "le")
        if part == f"{name}_bucket":
            bound = float(dict(labels)["le"])
            before, count = last.get(rest, (-float("inf"), 0))
            assert bound > before
            assert value >= count
            last[rest] = bound, value
        elif part == f"{name}_count":
            assert last[rest] == (float("inf"), value)

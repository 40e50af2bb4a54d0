"""Prometheus' text format, version 0.0.4: metrics as lines that any monitoring reads."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate
from typing import TypeAlias

from otgate.histogram import BOUNDS_S, Histogram

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

IN_HELP = str.maketrans({"\\": "\\\\", "\n": "\\n"})
SPECIAL = {"inf": "+Inf", "-inf": "-Inf", "nan": "NaN"}


class Kind(StrEnum):
    """What may be made of a metric's numbers."""

    COUNTER = "counter"
    GAUGE = "gauge"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True, eq=False)
class Metric:
    """A metric as it is declared: once, in `otgate.observe.metrics`."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()

    @property
    def line(self) -> str:
        """One of its series, with room for the values of labels and the number."""
        return f"{self.name}{braced((label, '%s') for label in self.labels)} %s\n"

    @property
    def told_as(self) -> Sequence[str]:
        """The names of its series."""
        if self.kind is not Kind.HISTOGRAM:
            return (self.name,)
        return tuple(f"{self.name}_{part}" for part in ("bucket", "sum", "count"))


Found: TypeAlias = tuple[Metric, tuple[str, ...], float | Histogram]
"""A metric, the values of its labels in their order, and what it is now."""


Grouped: TypeAlias = dict[Metric, list[tuple[tuple[str, ...], float | Histogram]]]


def exposed(found: Iterable[Found]) -> Iterator[str]:
    """Yield the lines of ``found``; each metric's stand together, as the format wants them."""
    grouped: Grouped = {}
    for one in found:
        group(one, grouped)
    return written(grouped)


def group(found: Found, into: Grouped) -> None:
    """Put a series to those of its metric."""
    metric, labels, value = found
    into.setdefault(metric, []).append((labels, value))


def written(grouped: Grouped) -> Iterator[str]:
    """Yield the lines of metrics."""
    for metric, series in grouped.items():
        yield f"# HELP {metric.name} {metric.help.translate(IN_HELP)}\n"
        yield f"# TYPE {metric.name} {metric.kind}\n"
        line = metric.line
        for labels, value in series:
            if isinstance(value, Histogram):
                pairs = list(zip(metric.labels, labels, strict=True))
                yield from buckets(metric.name, pairs, value)
            else:
                yield line % (*map(escaped, labels), number(value))


def buckets(name: str, pairs: list[tuple[str, str]], histogram: Histogram) -> Iterator[str]:
    """Yield the lines of a histogram; a bucket counts all that lies below its end."""
    up_to = list(accumulate(histogram.counts))
    for bound, count in zip((*map(number, BOUNDS_S), "+Inf"), up_to, strict=True):
        yield f"{name}_bucket{braced([*pairs, ('le', bound)])} {count}\n"
    yield f"{name}_sum{braced(pairs)} {number(histogram.sum_s)}\n"
    yield f"{name}_count{braced(pairs)} {up_to[-1]}\n"


def braced(pairs: Iterable[tuple[str, str]]) -> str:
    """Write labels, or nothing where there are none."""
    inner = ",".join([f'{name}="{escaped(value)}"' for name, value in pairs])
    return f"{{{inner}}}" if inner else ""


def escaped(value: str) -> str:
    """Return a label's value as it stands between quotes."""
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def number(value: float) -> str:
    """Write a number as the format has it."""
    if isinstance(value, int):
        return str(int(value))
    text = repr(value)
    return SPECIAL.get(text, text.removesuffix(".0"))

"""`otgate spool ls`: what is in a spool, how far its bus side is, how long an outage it holds."""

import json
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from otgate.cli.command import OK, Command
from otgate.cli.places import format_argument
from otgate.cli.progress import progress
from otgate.cli.spool.subject import Subject, subject_arguments, subjects
from otgate.cli.times import ago, lasting, moment
from otgate.config.render import counted, visible
from otgate.spool.epoch import epoch_text
from otgate.spool.files import OS
from otgate.spool.survey import EpochSurvey, LaneSurvey, Rate, Segment, Survey, survey

DESCRIPTION = """\
List what is in a spool: per lane and epoch the segments, bytes, samples, first and last sequence
number and time; how far the bus side has acknowledged, and what it has still to send; what was
written lately in an hour, and how long an outage the spool lasts for at that.

  otgate spool ls site.yaml
  otgate spool ls bus/analytics.yaml --segments
  otgate spool ls /mnt/old-box/spool/analytics --cursor /mnt/old-box/state/bus/analytics

Exit: 0 listed; 1 there is no spool, or it is of a newer format.
"""

MB = 1e6
HOUR_NS = 3600e9


def arguments(parser: ArgumentParser) -> None:
    """Add the verb's arguments."""
    subject_arguments(parser)
    parser.add_argument("--segments", action="store_true", help="a line for each segment")
    format_argument(parser)


def execute(options: Namespace) -> int:
    """Run the verb."""
    found = []
    with progress("looking") as step:
        for one in subjects(options):
            step(f"looking at {one.directory}")
            found.append((one, survey(one.directory, one.state)))
    if options.format == "json":
        print(json.dumps([document(*each) for each in found], indent=2))
    else:
        now_ns = time.time_ns()
        told = [lines(*each, now_ns, segments=options.segments) for each in found]
        print("\n\n".join("\n".join(map(visible, each)) for each in told))
    return OK


# For a person


def lines(subject: Subject, found: Survey, now_ns: int, *, segments: bool) -> Iterator[str]:
    """Say what is in one spool."""
    catalog = found.catalog
    of = "" if catalog is None else f", of {catalog.site}/{catalog.gateway}"
    yield f"{subject.conduit}{of}  {subject.directory}"
    for lane in found.lanes:
        yield f"  {lane.lane:<6} {totals(lane)}"
        for epoch in lane.epochs:
            yield f"    {of_epoch(epoch)}"
            if segments:
                yield from (f"      {of_segment(each)}" for each in epoch.segments)
        if lane.damaged:
            yield f"    unreadable header: {', '.join(lane.damaged)}"
        yield f"    {progress_of(lane, now_ns)}"
    yield from sizing(subject, found)


def totals(lane: LaneSurvey) -> str:
    """Say how much a lane holds."""
    samples = sum(epoch.samples for epoch in lane.epochs)
    segments = counted(len(lane.segments), "segment")
    return f"{counted(samples, 'sample')}, {segments}, {sized(lane.size_bytes)}"


def sized(size_bytes: float) -> str:
    """Write a size with one unit."""
    return f"{size_bytes / MB:,.1f} MB" if size_bytes >= MB / 10 else f"{size_bytes / 1e3:,.1f} kB"


def of_epoch(epoch: EpochSurvey) -> str:
    """Say what is there of an epoch."""
    first, end = epoch.first, epoch.end
    numbers = f"{first.first_seq:,} to {end.seq - 1:,}" if epoch.samples else "no sample"
    span = f"{moment(first.created_ns)} to {moment(end.ns)}"
    segments = counted(len(epoch.segments), "segment")
    told = f"{epoch_text(epoch.epoch)}  {numbers}  {span}  {segments}"
    if first.dropped_before:
        told += f"  at least {first.dropped_before:,} dropped before it"
    if rest_bytes := epoch.segments[-1].rest_bytes:
        told += f"  {rest_bytes:,} bytes at its end are unreadable"
    return told


def of_segment(segment: Segment) -> str:
    """Say what is in a segment."""
    if segment.start is None:
        return f"{segment.id.name}  {segment.size_bytes:,} bytes  unreadable header"
    first, stop = segment.start.first_seq, segment.end.seq
    numbers = f"{first:,} to {stop - 1:,}" if stop > first else "no sample"
    return f"{segment.id.name}  {numbers}  {segment.size_bytes:,} bytes"


def progress_of(lane: LaneSurvey, now_ns: int) -> str:
    """Say how far the bus side is."""
    left = lane.unacknowledged
    if left is None:
        return (
            "no cursor found: no bus side has read it yet, or say where it keeps it: --cursor DIR"
        )
    through = f"acknowledged through {epoch_text(left.through.epoch)}/{left.through.seq}"
    if not left.samples:
        return f"{through}; nothing left to send"
    age = f", the oldest spooled {ago(now_ns - left.oldest_ns)}" if left.oldest_ns else ""
    return f"{through}; {counted(left.samples, 'sample')} left to send{age}"


def sizing(subject: Subject, found: Survey) -> Iterator[str]:
    """Say what an hour takes, and how many the spool holds."""
    rate = found.rate()
    if rate is None:
        yield "  rate   too little was written to say what an hour takes"
        return
    an_hour = sized(rate.bytes_per_hour)
    yield f"  rate   {an_hour} an hour, as in the last {lasting(rate.over_ns)} of samples"
    keeps = subject.keeps
    if keeps is None:
        return
    hours = hours_held(keeps.size_mb, rate)
    by_size = f"size_mb {keeps.size_mb} holds an outage of {lasting(hours * HOUR_NS)}"
    held, free = sum(lane.size_bytes for lane in found.lanes), room(found.directory)
    if keeps.age_h < hours:
        yield f"  holds  {by_size}; age_h {keeps.age_h:g} ends before that"
    else:
        yield f"  holds  {by_size}"
    grows = keeps.size_mb * MB - held
    if free is not None and grows > (usable := max(free - keeps.reserve_mb * MB, 0)):
        least = lasting((held + usable) / rate.bytes_per_hour * HOUR_NS)
        yield f"  disk   {usable / MB:,.0f} MB may still be written: it is full first, at {least}"


def hours_held(size_mb: float, rate: Rate) -> float:
    """Return how many hours of samples a size holds."""
    return size_mb * MB / rate.bytes_per_hour


def room(directory: Path) -> int | None:
    """Return the bytes free where a spool lies, or None where that cannot be told."""
    try:
        return OS.room(directory)
    except OSError:
        return None


# For a program


def document(subject: Subject, found: Survey) -> dict[str, Any]:
    """Say the same for a program."""
    rate, catalog, keeps = found.rate(), found.catalog, subject.keeps
    return {
        "conduit": subject.conduit,
        "directory": str(subject.directory),
        "site": None if catalog is None else catalog.site,
        "gateway": None if catalog is None else catalog.gateway,
        "lanes": {str(lane.lane): _lane(lane) for lane in found.lanes},
        "bytes_per_hour": None if rate is None else round(rate.bytes_per_hour),
        "size_mb": None if keeps is None else keeps.size_mb,
        "hours_held": None
        if rate is None or keeps is None
        else round(min(hours_held(keeps.size_mb, rate), keeps.age_h), 1),
        "free_bytes": room(found.directory),
    }


def _lane(lane: LaneSurvey) -> dict[str, Any]:
    left = lane.unacknowledged
    return {
        "bytes": lane.size_bytes,
        "samples": sum(epoch.samples for epoch in lane.epochs),
        "unreadable": list(lane.damaged),
        "acknowledged": None
        if left is None
        else {
            "epoch": epoch_text(left.through.epoch),
            "complete_through": left.through.seq,
            "left": left.samples,
            "oldest_ns": left.oldest_ns or None,
        },
        "epochs": [_epoch(epoch) for epoch in lane.epochs],
    }


def _epoch(epoch: EpochSurvey) -> dict[str, Any]:
    return {
        "epoch": epoch_text(epoch.epoch),
        "first_seq": epoch.first.first_seq,
        "end_seq": epoch.end.seq,
        "from_ns": epoch.first.created_ns,
        "to_ns": epoch.end.ns,
        "bytes": epoch.size_bytes,
        "dropped_before": epoch.first.dropped_before,
        "unreadable_bytes": epoch.segments[-1].rest_bytes,
        "segments": _segments(epoch.segments),
    }


def _segments(segments: Sequence[Segment]) -> list[dict[str, Any]]:
    return [
        {
            "file": each.id.name,
            "bytes": each.size_bytes,
            "first_seq": None if each.start is None else each.start.first_seq,
            "end_seq": None if each.start is None else each.end.seq,
        }
        for each in segments
    ]


COMMAND = Command("ls", "what is in a spool, and for how long", arguments, execute, DESCRIPTION)

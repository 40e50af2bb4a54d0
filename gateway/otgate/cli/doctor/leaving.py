"""The hops of a conduit behind its gate: spool, published, acknowledged."""

from collections.abc import Iterator

from otgate.cli.doctor.evidence import Evidence, Told, Way
from otgate.cli.doctor.hop import Found, Hop
from otgate.cli.doctor.reading import spelled
from otgate.cli.times import ago, lasting
from otgate.quality import Quality, names
from otgate.spool.epoch import epoch_text
from otgate.spool.latest import Latest

NS = 10**9


def leaving(evidence: Evidence, way: Way, now_ns: int) -> Iterator[Hop]:
    """Yield the hops from the spool to the broker."""
    yield spooled(evidence, way, now_ns)
    if way.newest is None:
        return
    sent = published(evidence, way)
    yield sent
    yield acknowledged(way, sent)


def spooled(evidence: Evidence, way: Way, now_ns: int) -> Hop:
    """Say what the spool has of it."""
    told = (evidence.field_side or {}).get("conduits", {}).get(way.verdict.conduit.id, {})
    if way.unread:
        return Hop("spool", Found.STOPS, way.unread)
    if error := told.get("spool_error"):
        help_ = f"is the disk of {way.spool} full or read-only? `otgate spool ls` says how full"
        return Hop("spool", Found.STOPS, f"the spool cannot be written: {error}", help_)
    newest = way.newest
    if newest is None:
        if delay_s := told.get("delay_s", 0):
            says = f"nothing of it yet: this conduit holds back for {lasting(delay_s * NS)}"
            return Hop("spool", Found.WAITS, says)
        if (evidence.field_side or {}).get("about", {"sent_quality": ""})["sent_quality"] is None:
            return Hop("spool", Found.WAITS, "nothing of it yet, as nothing was passed on")
        return Hop("spool", Found.STOPS, f"no sample of it is in {way.spool}", NOTHING_SPOOLED)
    return Hop("spool", Found.OK, of_sample(evidence, newest, now_ns))


NOTHING_SPOOLED = "see the hops before: nothing was passed on since the oldest sample there"


def of_sample(evidence: Evidence, newest: Latest, now_ns: int) -> str:
    """Name a sample by its place and its value."""
    value = None if newest.quality & Quality.NO_VALUE else newest.value
    place = f"{newest.lane}/{epoch_text(newest.place.epoch)}/{newest.place.seq}"
    quality = ", ".join(names(newest.quality))
    age = ago(now_ns - newest.spooled_ns)
    return f"{place} is {spelled(evidence.point, value)}, {quality}, spooled {age}"


def published(evidence: Evidence, way: Way) -> Hop:
    """Say whether the bus side sends."""
    bus, conduit = way.bus, way.verdict.conduit.id
    if way.sample.get("acknowledged") or (bus is not None and way.sample.get("in_flight")):
        return Hop("published", Found.OK, f"sent{to_broker(bus)}")
    if bus is None:
        path = evidence.site.path
        help_ = f"start it: otgate run {path}, or systemctl start otgate-bus@{conduit}"
        return Hop("published", Found.STOPS, f"no bus side runs for it: {way.silent}", help_)
    return obstructed(bus) or behind(bus, way)


def obstructed(bus: Told) -> Hop | None:
    """Say what a bus side that runs cannot do, or nothing."""
    if not bus["connected"]:
        says = f"{bus['broker']} cannot be reached: {bus['error'] or 'not connected yet'}"
        return Hop("published", Found.STOPS, says, "until then the spool keeps it")
    if bus["spool"] != "readable":
        return Hop("published", Found.STOPS, f"the bus side cannot read its spool: {bus['spool']}")
    if refused := refusal(bus):
        help_ = f"may this client write below its topics at {bus['broker']}?"
        return Hop("published", Found.STOPS, refused, help_)
    return None


def behind(bus: Told, way: Way) -> Hop:
    """Say how far the bus side is."""
    place = bus["lanes"][str(way.newest.lane)] if way.newest else {}
    through = f"{place.get('epoch')}/{place.get('complete_through')}"
    says = f"not sent yet: the bus side is complete through {through}"
    return Hop("published", Found.WAITS, says, BEHIND)


BEHIND = "`otgate spool ls` says how much is left to send"


def refusal(bus: Told) -> str:
    """Return what the broker refuses, or nothing."""
    if bus["held"]:
        return f"the broker refuses: {bus['held']}"
    if bus["not_offered"]:
        return f"the broker closes upon these topics, which rest: {bus['not_offered']}"
    return ""


def to_broker(bus: Told | None) -> str:
    """Name the broker, where it is known."""
    return "" if bus is None else f" to {bus['broker']}"


def acknowledged(way: Way, sent: Hop) -> Hop:
    """Say whether the broker has it."""
    if way.sample.get("acknowledged"):
        return Hop("acknowledged", Found.OK, "the broker has it")
    if not way.sample:
        says = "not known: no bus side answers, and no cursor of one was found"
        return Hop("acknowledged", Found.UNSEEN, says)
    if sent.found is Found.STOPS:
        return Hop("acknowledged", Found.UNSEEN, "not sent, so not acknowledged")
    return Hop("acknowledged", Found.WAITS, "not yet")

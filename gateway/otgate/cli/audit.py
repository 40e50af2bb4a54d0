"""What `otgate verify` books and reports: an auditor of messages, and its account as text."""

from typing import Any

from otgate.publish.ledger import Account, Folded, Ledger, Place, Stream
from otgate.publish.payload import GapNotice, GatewayStatus, Samples
from otgate.publish.subscribe import Joined, Received

QUEUE_NOTE = """\
If the gateway's own counts show no loss, look at the broker: Mosquitto drops what exceeds
max_queued_messages (1000 by default) for a subscriber that is slow."""
AT_LEAST_NOTE = """\
A gap with >= may be larger: the field side was killed while its disk took nothing."""
UNSEEN_NOTE = """\
{} samples unseen: the broker lost our session, and they passed by before we were back."""
SHOWN_UNREADABLE = 5
UNSHOWN = {"site", "gateway", "conduit", "lane", "epoch", "last_epoch", "epochs", "gap_at_least"}
"""Keys of a report's row that have no column of their own, or one that is made of several."""
HEADINGS = (
    "conduit",
    "lane",
    "epoch",
    "received",
    "lost",
    "unseen",
    "gap",
    "twice",
    "disorder",
    "replayed",
    "p50 ms",
    "p99 ms",
)


class Auditor:
    """Books everything that arrives."""

    def __init__(self) -> None:
        self.ledger = Ledger()
        self.connections = 0
        self.connected_now = False
        self.unreadable: dict[str, str] = {}
        self.reason = ""

    def connected(self, joined: Joined) -> None:
        """Count a connection, and book what passed by where the broker forgot us."""
        self.connections += 1
        self.connected_now = True
        if joined is Joined.ANEW:
            self.ledger.cut_off()

    def lost(self, reason: str) -> None:
        """Remember why there is no connection."""
        self.connected_now = False
        self.reason = reason

    def malformed(self, topic: str, reason: str) -> None:
        """Remember a few messages that cannot be read."""
        if len(self.unreadable) < SHOWN_UNREADABLE:
            self.unreadable[topic] = reason

    def received(self, received: Received) -> None:
        """Book a message."""
        match received.payload:
            case Samples() as samples:
                message_class = received.address.message_class
                self.ledger.samples(samples, message_class, received.arrived_ns // 1000)
            case GapNotice() as gap:
                self.ledger.gap(gap)
            case GatewayStatus() as status if received.retained:
                self.ledger.retained(status)
            case GatewayStatus() as status:
                self.ledger.status(status)

    def brief(self) -> str:
        """Say in a few words how it stands."""
        ledger = self.ledger
        told = f"{ledger.received} samples received, {ledger.lost} lost"
        if ledger.unseen:
            told += f", {ledger.unseen} unseen"
        return told if self.connected_now else f"{told}; no broker: {self.reason or 'no answer'}"


def reported(auditor: Auditor) -> dict[str, Any]:
    """Return the account as it stands, for machines."""
    ledger = auditor.ledger
    rows = [_folded_row(place, folded) for place, folded in ledger.folded.items()]
    rows += [
        _row(stream, account)
        for stream, account in ledger.accounts.items()
        if account.count or account.lost or account.unseen or account.gaps
    ]
    rows.sort(key=lambda row: (*_place(row), row["epoch"]))
    return {
        "received": ledger.received,
        "lost": ledger.lost,
        "unseen": ledger.unseen,
        "connections": auditor.connections,
        "unreadable": auditor.unreadable,
        "streams": rows,
    }


def rendered(auditor: Auditor) -> str:
    """Return the account as it stands, for people."""
    report = reported(auditor)
    lines = [_table(report), *(f"lost: {hole}" for hole in _holes(auditor.ledger))]
    lines += [f"unreadable: {topic}: {why}" for topic, why in auditor.unreadable.items()]
    lines.append(f"{report['received']} samples received, {report['lost']} lost")
    if any(row["gap_at_least"] for row in report["streams"]):
        lines.append(AT_LEAST_NOTE)
    if report["unseen"]:
        lines.append(UNSEEN_NOTE.format(report["unseen"]))
    if report["lost"]:
        lines.append(QUEUE_NOTE)
    return "\n".join(lines)


def _row(stream: Stream, account: Account) -> dict[str, Any]:
    return {
        "site": stream.site,
        "gateway": stream.gateway,
        "conduit": stream.conduit,
        "lane": stream.lane,
        "epoch": stream.epoch,
        "last_epoch": stream.epoch,
        "epochs": 1,
        "received": account.count,
        "lost": account.lost,
        "unseen": account.unseen,
        "gap": account.gaps,
        "gap_at_least": account.at_least,
        "duplicates": account.duplicates,
        "disorder": account.disorder,
        "replayed": account.replayed,
        "age_ms_p50": account.ages.percentile(0.50),
        "age_ms_p99": account.ages.percentile(0.99),
    }


def _folded_row(place: Place, folded: Folded) -> dict[str, Any]:
    site, gateway, conduit, lane = place
    return {
        "site": site,
        "gateway": gateway,
        "conduit": conduit,
        "lane": lane,
        "epoch": folded.first,
        "last_epoch": folded.last,
        "epochs": folded.epochs,
        "received": folded.totals.count,
        "lost": folded.totals.lost,
        "unseen": folded.totals.unseen,
        "gap": folded.totals.gaps,
        "gap_at_least": folded.at_least,
        "duplicates": folded.duplicates,
        "disorder": folded.disorder,
        "replayed": folded.replayed,
        "age_ms_p50": folded.ages.percentile(0.50),
        "age_ms_p99": folded.ages.percentile(0.99),
    }


def _place(row: dict[str, Any]) -> tuple[str, ...]:
    return row["site"], row["gateway"], row["conduit"], row["lane"]


def _holes(ledger: Ledger) -> list[str]:
    holes = [
        f"{conduit} {lane} {epoch} {start}..{stop - 1}"
        for (_, _, conduit, lane), folded in sorted(ledger.folded.items())
        for epoch, start, stop in folded.losses
    ]
    holes += [
        f"{stream.conduit} {stream.lane} {stream.epoch} {start}..{stop - 1}"
        for stream, account in sorted(ledger.accounts.items())
        for start, stop in account.shown_losses()
    ]
    return holes


def _table(report: dict[str, Any]) -> str:
    rows = [HEADINGS, *(_cells(row) for row in report["streams"])]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADINGS))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    site, gateway, conduit, lane = _place(row)
    epochs = row["epochs"]
    epoch = row["epoch"] if epochs == 1 else f"{row['epoch']}..{row['last_epoch']} ({epochs})"
    row = row | {"gap": f">={row['gap']}" if row["gap_at_least"] else row["gap"]}
    values = [value for key, value in row.items() if key not in UNSHOWN]
    told = ("-" if value is None else str(value) for value in values)
    return (f"{site}/{gateway}/{conduit}", lane, epoch, *told)

"""What a gateway tells a subscriber, made up."""

from typing import Any, Literal

from otgate.publish.payload import Data, GapNotice, GatewayStatus, LaneStatus, Sample

EPOCH = "01JD3K7Q"
LATER = LaneStatus(epoch="01JD3K7R", complete_through=0, previous_epoch=EPOCH, previous_end=25)


def data(seq: int, count: int = 10, **fields: Any) -> Data:
    said = {
        "site": "sub7",
        "gateway": "gw1",
        "conduit": "analytics",
        "device": "f3",
        "lane": "data",
        "epoch": EPOCH,
        "seq": seq,
        "meta": "9f2c41aa",
        "origin": "poll",
        "received_us": 0,
        "spooled_us": 0,
        "sent_us": 0,
        "time_us": 0,
        "points": [Sample("ia", 1.0)] * count,
        **fields,
    }
    return Data(**said)


def gap(seq: int, count: int, lane: Literal["data", "event"] = "data") -> GapNotice:
    return GapNotice(
        site="sub7",
        gateway="gw1",
        conduit="analytics",
        lane=lane,
        epoch=EPOCH,
        seq=seq,
        count=count,
        from_us=0,
        to_us=0,
        reason="removed",
        sent_us=0,
    )


def status(lane: LaneStatus) -> GatewayStatus:
    return GatewayStatus(
        site="sub7",
        gateway="gw1",
        conduit="analytics",
        bus="alive",
        field="alive",
        sent_us=0,
        lanes={"data": lane},
    )

"""What a plan says that it will ask."""

from ied_served import POINTS, device, point
from otgate.model import Kind
from otgate_iec61850.planner import plan


def test_points_of_one_data_object_are_one_object_to_read() -> None:
    more = (
        point("ang", "MMXU1.A.phsA.cVal.ang.f [MX]"),
        point("mag", "MMXU1.A.phsA.cVal.mag.f [MX]"),
    )
    (scan,) = plan(device(*more, scans={"normal": 1.0}))
    (request,) = scan.requests
    assert request.text == "Read 1 object, IED1LD0/MMXU1.A [MX]"
    assert (request.used, request.wasted) == (2, 0)


def test_a_plan_is_one_scan_for_each_class_with_points() -> None:
    scans = plan(device(*POINTS, scans={"fast": 0.5, "normal": 2.0, "slow": 60.0}))
    assert [(scan.name, len(scan.points)) for scan in scans] == [("fast", 2), ("normal", 3)]


def test_many_objects_are_several_requests() -> None:
    many = [point(f"p{at}", f"GGIO{at}.Ind1.stVal [ST]", kind=Kind.STATUS) for at in range(2500)]
    (scan,) = plan(device(*many, scans={"normal": 1.0}))
    assert sum(request.used for request in scan.requests) == 2500
    assert len(scan.requests) == 3

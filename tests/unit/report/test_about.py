"""What a report tells of one point, and that asking changes nothing."""

from otgate.model import Deadband, Origin, Reporting, ValueType
from otgate.quality import Quality
from otgate.report.about import About
from reported import FAILED, START_NS, UNREAD, Bench, S, point


def about(bench: Bench, number: int = 0) -> About:
    return bench.report.about(number)


def test_of_a_point_that_was_never_read_that_is_said() -> None:
    found = about(Bench())
    assert (found.quality, found.read_ns, found.sent_quality) == (UNREAD, 0, None)


def test_the_newest_read_and_what_was_passed_on_are_told_apart() -> None:
    bench = Bench([point(deadband=Deadband(0.5))])
    bench.poll(1.0)
    bench.after(1).poll(1.25)
    found = about(bench)
    assert (found.value, found.sent_value, found.deadband) == (1.25, 1.0, 0.5)
    assert (found.read_ns, found.time_ns) == (START_NS + S, START_NS + S)


def test_an_unchanged_reply_counts_as_read() -> None:
    bench = Bench()
    bench.poll(1.0)
    bench.after(5).again()
    assert about(bench).read_ns == START_NS + 5 * S


def test_what_the_gateway_found_since_the_read_is_in_the_quality() -> None:
    bench = Bench([point(), point()])
    bench.poll(1.0, 2.0)
    bench.after(1).failed(1)
    assert (about(bench, 0).quality, about(bench, 1).quality) == (0, FAILED)
    assert about(bench, 1).value == 2.0


def test_a_change_that_waits_for_its_interval_is_held() -> None:
    bench = Bench(reporting=Reporting(min_interval_s=60))
    bench.poll(1.0)
    bench.after(1).poll(2.0)
    found = about(bench)
    assert (found.held, found.value, found.sent_value) == (True, 2.0, 1.0)


def test_a_value_is_told_in_its_own_type() -> None:
    for kind, value in ((ValueType.U64, 2**63 + 1), (ValueType.BOOL, True), (ValueType.TEXT, "on")):
        bench = Bench(value_type=kind)
        bench.poll(value)
        assert (about(bench).value, type(about(bench).value)) == (value, type(value))


def test_asking_changes_nothing_of_what_follows() -> None:
    asked, left = Bench([point(), point()]), Bench([point(), point()])
    outcomes = []
    for bench in (asked, left):
        told = [bench.poll(1.0, 2.0)]
        if bench is asked:
            about(bench)
        told += [bench.after(1).again(), bench.poll(1.0, 3.0), bench.failed(0)]
        if bench is asked:
            about(bench, 1)
        told += [bench.after(1).poll(1.0, 3.0, quality=[0, Quality.INVALID]), bench.tick()]
        told.append(bench.emit(Origin.EVENT))
        outcomes.append((told, bench.report.passed, bench.report.suppressed))
    assert outcomes[0] == outcomes[1]

"""Loss, duplicates, denied points and latency, from two independent lists of samples."""

from otgate_sim.lab.tally import Name, Stream, Tally, percentile

DATA = Stream("analytics", "data", "01JD3K7Q")
EVENT = Stream("analytics", "event", "01JD3K7Q")
IA, CB = Name("f1", "ia"), Name("f1", "cb")
DENIED, HELD = Name("p1", "ia"), Name("f1", "p")


def tally() -> Tally:
    return Tally(lambda _conduit, name: name != DENIED, lambda _conduit, name: name == HELD)


def test_what_is_spooled_and_received_is_not_lost() -> None:
    books = tally()
    books.spool(DATA, 0, [IA, CB])
    books.receive(DATA, 0, [IA, CB], 5.0)
    assert books.result({"f1": "modbus"}) == {
        "samples_published": 2,
        "samples_received": 2,
        "lost": 0,
        "duplicated": 0,
        "denied_points_seen": 0,
        "latency_ms_p50": 5.0,
        "latency_ms_p99": 5.0,
        "devices": {"f1": {"driver": "modbus", "received": 2, "lost": 0}},
    }


def test_what_is_spooled_and_not_received_is_lost() -> None:
    books = tally()
    books.spool(DATA, 0, [IA, CB])
    books.receive(DATA, 0, [IA], 5.0)
    assert books.lost() == [CB]


def test_a_number_received_in_another_stream_does_not_help() -> None:
    books = tally()
    books.spool(DATA, 0, [IA])
    books.receive(EVENT, 0, [IA], 5.0)
    assert books.lost() == [IA]


def test_another_point_under_the_same_number_is_a_loss() -> None:
    books = tally()
    books.spool(DATA, 0, [IA])
    books.receive(DATA, 0, [CB], 5.0)
    assert books.lost() == [IA]


def test_what_a_published_gap_covers_is_not_lost() -> None:
    books = tally()
    books.spool(DATA, 0, [IA, CB, IA])
    books.announce(DATA, 1, 2)
    books.receive(DATA, 0, [IA], 5.0)
    assert books.lost() == []


def test_a_second_arrival_is_a_duplicate_without_a_latency() -> None:
    books = tally()
    books.receive(DATA, 0, [IA, CB], 5.0)
    books.receive(DATA, 1, [CB, IA], 900.0)
    assert (books.duplicated, books.latencies_ms) == (1, [5.0, 5.0, 900.0])


def test_a_denied_point_that_arrives_is_counted() -> None:
    books = tally()
    books.receive(DATA, 0, [IA, DENIED, DENIED], 5.0)
    assert books.denied == 2


def test_what_the_policy_holds_back_is_no_latency() -> None:
    books = tally()
    books.receive(DATA, 0, [IA], 5.0)
    books.receive(DATA, 1, [HELD], 1900.0)
    assert (books.latencies_ms, books.held_ms) == ([5.0], [1900.0])


def test_of_nothing_there_is_no_percentile() -> None:
    assert percentile([], 0.5) is None


def test_percentiles_are_values_that_occurred() -> None:
    values = [float(number) for number in range(1, 101)]
    assert (percentile(values, 0.5), percentile(values, 0.99)) == (50.0, 99.0)

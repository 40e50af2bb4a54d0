"""When a silent broker is asked, and when it is given up."""

from otgate.publish.keepalive import Due, Keepalive


def test_a_ping_is_due_once_nothing_was_sent() -> None:
    keepalive = Keepalive(4, 0)
    keepalive.heard(3)
    assert keepalive.due(3.9) is Due.NOTHING
    assert keepalive.due(4) is Due.PING
    keepalive.answered()
    assert keepalive.due(7.9) is Due.NOTHING
    assert keepalive.due(8) is Due.PING


def test_a_ping_is_due_once_nothing_was_heard() -> None:
    keepalive = Keepalive(4, 0)
    keepalive.sent(3)
    assert keepalive.due(4) is Due.PING


def test_a_ping_that_is_not_answered_is_the_end() -> None:
    keepalive = Keepalive(4, 0)
    assert keepalive.due(4) is Due.PING
    assert keepalive.due(7.9) is Due.NOTHING
    assert keepalive.due(8) is Due.END


def test_a_link_that_moves_is_not_given_up() -> None:
    keepalive = Keepalive(4, 0)
    assert keepalive.due(4) is Due.PING
    for now_s in range(5, 60):
        keepalive.sent(now_s)
        keepalive.heard(now_s)
        assert keepalive.due(now_s) is Due.NOTHING


def test_a_server_may_ask_for_more_pings_and_not_for_fewer() -> None:
    keepalive = Keepalive(4, 0)
    keepalive.granted(60)
    keepalive.granted(0)
    keepalive.granted(None)
    assert keepalive.period_s == 4
    keepalive.granted(2)
    assert keepalive.due(2) is Due.PING


def test_nothing_is_due_before_it_is_said_to_be() -> None:
    keepalive = Keepalive(4, 0)
    assert keepalive.due_s == 4
    keepalive.heard(3)
    keepalive.sent(2)
    assert keepalive.due_s == 6
    assert keepalive.due(5.99) is Due.NOTHING
    assert keepalive.due(6) is Due.PING
    assert keepalive.due_s == 10


def test_a_server_that_asks_for_more_pings_has_them_earlier() -> None:
    keepalive = Keepalive(60, 0)
    keepalive.granted(2)
    assert keepalive.due_s == 2


def test_a_ping_that_waits_behind_what_moves_is_not_the_end() -> None:
    keepalive = Keepalive(4, 0)
    assert keepalive.due(4) is Due.PING
    for now_s in range(5, 60):  # acknowledged, with nothing new to be sent
        keepalive.heard(now_s)
        assert keepalive.due(now_s) is Due.NOTHING
    assert keepalive.due(62.9) is Due.NOTHING
    assert keepalive.due(63) is Due.END

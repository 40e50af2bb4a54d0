import pytest

from otgate.errors import Refused
from otgate.publish.settings import Broker, BusSettings, Transport, client_id, read_broker

LOCAL = Broker("127.0.0.1", 1883)


def test_a_short_client_id_stays_readable() -> None:
    assert client_id("otgate", "gw1", "analytics") == "otgate-gw1-analytics"


def test_a_long_client_id_is_cut_to_23_characters_and_stays_unique() -> None:
    one = client_id("otgate", "gateway-of-substation-7", "analytics")
    other = client_id("otgate", "gateway-of-substation-7", "operations")
    assert len(one) == len(other) == 23
    assert one != other
    assert one.startswith("otgate-gateway")


def test_a_password_is_never_in_repr() -> None:
    settings = BusSettings([LOCAL], "x", username="u", password="hunter2")
    assert "hunter2" not in repr(settings)


@pytest.mark.parametrize(
    ("url", "broker", "user"),
    [
        ("mqtt://host", Broker("host", 1883), None),
        ("mqtt://ana@host:1884/", Broker("host", 1884), "ana"),
        ("mqtts://host", Broker("host", 8883, Transport.TLS), None),
        ("mqtt://[::1]:1885", Broker("::1", 1885), None),
    ],
)
def test_a_broker_url_is_read(url: str, broker: Broker, user: str | None) -> None:
    assert read_broker(url) == (broker, user)


@pytest.mark.parametrize("url", ["host", "http://host", "mqtt://", "mqtt://h:99999", "mqtt://h/x"])
def test_what_is_no_broker_url_is_refused(url: str) -> None:
    with pytest.raises(Refused):
        read_broker(url)


def test_a_url_with_a_password_is_refused_without_repeating_it() -> None:
    with pytest.raises(Refused, match="does not belong") as refused:
        read_broker("mqtt://u:hunter2@host")
    assert "hunter2" not in str(refused.value)


def test_a_broker_is_written_as_it_is_read() -> None:
    assert str(read_broker("mqtts://[::1]")[0]) == "mqtts://[::1]:8883"


@pytest.mark.parametrize(
    "wrong",
    [{"brokers": []}, {"root": "a b"}, {"keepalive_s": 0}, {"window": 0}, {"window_bytes": 0}],
)
def test_settings_that_cannot_work_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(Refused):
        BusSettings(**{"brokers": [LOCAL], "client_id": "x", **wrong})  # type: ignore[arg-type]


def test_mqtts_without_a_ca_is_refused() -> None:
    with pytest.raises(Refused, match="ca"):
        BusSettings([Broker("host", 8883, Transport.TLS)], "x")

from otgate.publish.settings import Broker, BusSettings


def test_a_client_id_is_made_from_gateway_and_conduit_where_none_is_given() -> None:
    settings = BusSettings(brokers=(Broker("localhost", 1883),), client_id="")
    assert settings.identified("gw1", "analytics").client_id == "otgate-gw1-analytics"


def test_a_given_client_id_stays() -> None:
    settings = BusSettings(brokers=(Broker("localhost", 1883),), client_id="mine")
    assert settings.identified("gw1", "analytics").client_id == "mine"

import pytest
from pydantic import ValidationError

from otgate_iec61850.settings import Settings, endpoint


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("mms://10.0.0.5", ("10.0.0.5", 102)),
        ("mms://relay-1:10102", ("relay-1", 10102)),
        ("mms://[fe80::1]", ("fe80::1", 102)),
    ],
)
def test_an_endpoint_is_a_host_and_a_port(url: str, place: tuple[str, int]) -> None:
    assert endpoint(url) == place


@pytest.mark.parametrize(
    "url", ["tcp://h", "mms://", "mms://h:0", "mms://h:99999", "mms://h/x", "h"]
)
def test_what_is_no_endpoint_is_refused(url: str) -> None:
    with pytest.raises(ValidationError, match=r"mms://host|port of"):
        Settings(url=url)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("called", {"t_selector": "1"}, "is no selector"),
        ("called", {"ap_title": "1,3"}, "is no AP-title"),
        ("reports", [{"rcb": "LLN0.BR.x"}], "is no report control block"),
        ("reports", [{"rcb": "A/LLN0.BR.x", "data_set": "x"}], "is no data set"),
        ("reports", [{"rcb": "A/LLN0.BR.x", "gi": True}], "Extra inputs"),
    ],
)
def test_a_mistake_says_what_to_write(key: str, value: object, message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        Settings.model_validate({"url": "mms://h", key: value})

"""What the system refused, as a person reads it."""

import socket
from errno import ECONNREFUSED, EHOSTUNREACH

import pytest

from otgate.errors import in_words


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (OSError(ECONNREFUSED, "Connect call failed ('10.0.0.5', 502)"), "Connection refused"),
        (OSError(EHOSTUNREACH, "Connect call failed ('10.0.0.5', 502)"), "No route to host"),
        (socket.gaierror(socket.EAI_NONAME, "No such name"), "No such name"),
        (OSError("Multiple exceptions"), "Multiple exceptions"),
    ],
)
def test_an_error_of_the_system_is_said_in_its_words(error: OSError, words: str) -> None:
    assert in_words(error) == words

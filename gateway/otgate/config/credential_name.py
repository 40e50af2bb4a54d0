"""How files name a secret that they do not hold."""

from typing import Annotated, Any

from pydantic import Field

from otgate.config.forms import Entry, wrong


class CredentialName(Entry):
    """A secret by name; it lies in the credential directory, never in a file like this."""

    credential: Annotated[
        str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$", examples=["broker-password"])
    ]
    """File name in the credential directory."""


def a_credential(value: Any) -> Any:
    """Refuse a secret that stands in the file, without repeating it."""
    if isinstance(value, str | int | float):
        help_ = "write `{credential: NAME}` and put it into the credential directory"
        raise wrong("secret-in-file", "a secret does not stand in a file", help_)
    return value

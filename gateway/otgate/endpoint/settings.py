"""Settings that drivers share: how a block is read, a `tls` block, and URLs that go with it."""

from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from otgate.endpoint.tls import TlsFiles
from otgate.errors import Mistake, Mistakes


def _absolute(path: str) -> str:
    if not path.startswith("/"):
        raise ValueError(f"`{path}` is not an absolute path")
    return path


File = Annotated[str, AfterValidator(_absolute)]
"""An absolute path."""


class Tls(BaseModel):
    """Certificates, in PEM. Both ends show one."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    ca: Annotated[File, Field(examples=["/etc/otgate/ca.pem"])]
    """Who signs the other end's certificate."""
    cert: Annotated[File, Field(examples=["/etc/otgate/gw1.pem"])]
    """Our own certificate."""
    key: Annotated[File, Field(examples=["/etc/otgate/gw1.key"])]
    """Its private key, without a password."""
    server_name: Annotated[str, Field(examples=["relay-f3"])] = ""
    """What the other end's certificate names, where that is not the host."""

    def files(self) -> TlsFiles:
        """Return where the certificates are."""
        return TlsFiles(Path(self.ca), Path(self.cert), Path(self.key), self.server_name)


TLS_EXAMPLE = {
    "ca": "/etc/otgate/ca.pem",
    "cert": "/etc/otgate/gw1.pem",
    "key": "/etc/otgate/gw1.key",
}
"""For schemas."""

Form = TypeVar("Form", bound=BaseModel)


def read_block(form: type[Form], block: str, given: Any) -> Form:
    """Return a driver's settings of a device, reading them where they are still a plain mapping.

    Raises:
        Mistakes: what is wrong, each with its key below ``block``.
    """
    if isinstance(given, form):
        return given
    try:
        return form.model_validate(given)
    except ValidationError as refused:
        raise Mistakes([_mistake(block, error) for error in refused.errors()]) from None


def _mistake(block: str, error: Any) -> Mistake:
    key = ".".join((block, *(str(part) for part in error["loc"])))
    return Mistake("bad-setting", error["msg"].removeprefix("Value error, "), None, key)

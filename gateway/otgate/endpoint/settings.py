"""Settings that drivers share: a `tls` block, and URLs that go with it."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict

from otgate.endpoint.tls import TlsFiles


def _absolute(path: str) -> str:
    if not path.startswith("/"):
        raise ValueError(f"`{path}` is not an absolute path")
    return path


File = Annotated[str, AfterValidator(_absolute)]
"""An absolute path."""


class Tls(BaseModel):
    """Certificates, in PEM. Both ends show one."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    ca: File
    """Who signs the other end's certificate."""
    cert: File
    """Our own certificate."""
    key: File
    """Its private key, without a password."""
    server_name: str = ""
    """What the other end's certificate names, where that is not the host."""

    def files(self) -> TlsFiles:
        """Return where the certificates are."""
        return TlsFiles(Path(self.ca), Path(self.cert), Path(self.key), self.server_name)

"""TLS contexts, and the settings that name their files."""

import ssl
from pathlib import Path

import pytest
import trustme
from pydantic import ValidationError

from otgate.endpoint.settings import Tls
from otgate.endpoint.tls import TlsFiles, tls_context
from otgate.errors import Unusable
from pems import keep_private


@pytest.fixture
def files(tmp_path: Path) -> TlsFiles:
    authority = trustme.CA()
    issued = authority.issue_cert("localhost")
    authority.cert_pem.write_to_path(tmp_path / "ca")
    issued.cert_chain_pems[0].write_to_path(tmp_path / "cert")
    keep_private(issued, tmp_path / "key")
    return TlsFiles(tmp_path / "ca", tmp_path / "cert", tmp_path / "key")


@pytest.mark.parametrize("end", ["server", "client"])
def test_both_ends_ask_for_a_certificate_and_for_tls_1_2(files: TlsFiles, end: str) -> None:
    context = tls_context(files, server=end == "server")
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert context.check_hostname is (end == "client")


@pytest.mark.parametrize("spoilt", ["ca", "cert", "key"])
@pytest.mark.parametrize("content", [None, "no PEM"])
def test_a_file_that_is_no_use_is_unusable(
    files: TlsFiles, tmp_path: Path, spoilt: str, content: str | None
) -> None:
    (tmp_path / spoilt).unlink()
    if content is not None:
        (tmp_path / spoilt).touch(mode=0o600)
        (tmp_path / spoilt).write_text(content)
    with pytest.raises(Unusable, match="TLS files"):
        tls_context(files, server=False)


def test_a_key_that_others_can_read_is_unusable(files: TlsFiles) -> None:
    files.key.chmod(0o640)
    with pytest.raises(Unusable, match=r"open to others \(mode 640\); run `chmod go= .*key`"):
        tls_context(files, server=False)


def test_settings_name_the_files() -> None:
    tls = Tls(ca="/a", cert="/b", key="/c", server_name="rtu7")
    assert tls.files() == TlsFiles(Path("/a"), Path("/b"), Path("/c"), "rtu7")


def test_a_path_that_is_not_absolute_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"`ca\.pem` is not an absolute path"):
        Tls(ca="ca.pem", cert="/b", key="/c")

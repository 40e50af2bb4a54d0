"""Keys of test authorities, kept as real ones have to be."""

from pathlib import Path

from trustme import LeafCert


def keep_private(issued: LeafCert, path: Path) -> None:
    """Write the private key of ``issued`` so that only its owner can read it."""
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    issued.private_key_pem.write_to_path(path)

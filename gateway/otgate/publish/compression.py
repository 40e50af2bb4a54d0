"""Optional zstd around payloads, recognised by its magic number."""

from collections.abc import Callable
from functools import cache
from types import ModuleType

from otgate.errors import Refused
from otgate.publish.settings import Compression

ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
"""First bytes of a Zstandard frame (RFC 8878, §3.1.1)."""
UNPACKED_LIMIT = 64 * 1024 * 1024
LEVEL = 3


def compressor(compression: Compression) -> Callable[[bytes], bytes]:
    """Return what packs a payload.

    Raises:
        Refused: zstd is asked for and not installed.
    """
    if compression is Compression.NONE:
        return bytes
    pack: Callable[[bytes], bytes] = _zstandard().ZstdCompressor(level=LEVEL).compress
    return pack


def unpacked(payload: bytes) -> bytes:
    """Return ``payload`` without its compression, if it has any.

    Raises:
        Refused: it is packed and zstd is not installed, or it is damaged.
    """
    if not payload.startswith(ZSTD_MAGIC):
        return payload
    zstandard = _zstandard()
    try:
        if zstandard.frame_content_size(payload) > UNPACKED_LIMIT:
            raise Refused("a zstd payload claims to be too large")
        plain: bytes = zstandard.ZstdDecompressor().decompress(
            payload, max_output_size=UNPACKED_LIMIT
        )
    except zstandard.ZstdError as error:
        raise Refused(f"a zstd payload is damaged: {error}") from error
    return plain


@cache
def _zstandard() -> ModuleType:
    try:
        import zstandard  # noqa: PLC0415  optional: no wheels for 32-bit ARM
    except ImportError:
        raise Refused("zstd payloads need the package zstandard: install otgate[fast]") from None
    return zstandard

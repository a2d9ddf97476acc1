"""Formats of pictures, told by their first bytes, whatever a file is called.

JPEG (ITU-T T.81), PNG (ISO/IEC 15948), GIF 89a, Windows BMP, TIFF 6.0 and WebP (RFC 9649) are decoded.
"""

from __future__ import annotations

from collections.abc import Collection

from media.errors import ImageError

FORMATS = frozenset({"JPEG", "PNG", "BMP", "GIF", "TIFF", "WebP"})
HEAD_BYTES = 64
"""So many bytes from the start of a file are enough to tell its format."""

_IN_WORDS = ("JPEG", "PNG", "BMP", "GIF", "TIFF", "WebP")
_SIGNATURES = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF87a", "GIF"),
    (b"GIF89a", "GIF"),
    (b"BM", "BMP"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
)
_PADDING = b"\r\n\0 "
"""Stray bytes in front of a JPEG, as some cameras send between two pictures."""
_UNSUPPORTED_BRANDS = {b"avif": "AVIF", b"avis": "AVIF", b"heic": "HEIC", b"heix": "HEIC", b"mif1": "HEIF"}
"""Pictures in the container of MP4, by the brand at byte 8. FFmpeg would show only a tile of most of them."""
_UNSUPPORTED = (
    (b"\0\0\0\x0cJXL ", "JPEG XL"),
    (b"\xff\x0a", "JPEG XL"),
    (b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"8BPS", "Photoshop"),
    (b"v/1\x01", "OpenEXR"),
    (b"FUJIFILM", "raw picture"),
    (b"IIRO", "raw picture"),
    (b"II+\0", "BigTIFF"),
    (b"MM\0+", "BigTIFF"),
    (b"%PDF", "PDF"),
)


def skip_padding(data: bytes) -> bytes:
    """The bytes from the start of the JPEG on, where only padding comes before it; otherwise all."""
    if data[:1] and data[0] in _PADDING:
        stripped = data.lstrip(_PADDING)
        if stripped.startswith(b"\xff\xd8"):
            return stripped
    return data


def find_format(head: bytes) -> str | None:
    """The format of the picture that begins with `head`, one of `FORMATS`; None where it is none of these."""
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WebP"
    head = skip_padding(head)
    return next((name for signature, name in _SIGNATURES if head.startswith(signature)), None)


def find_unsupported(head: bytes) -> str | None:
    """The name of a known picture format that is not decoded; None where it is no such picture."""
    if head[4:8] == b"ftyp":
        return _UNSUPPORTED_BRANDS.get(head[8:12])
    return next((name for signature, name in _UNSUPPORTED if head.startswith(signature)), None)


def check_format(head: bytes, formats: Collection[str] = FORMATS) -> str:
    """The format of the picture that begins with `head`.

    Raises:
        ImageError: it is not among `formats`; names what was found and what was expected.
    """
    if not head:
        raise ImageError("an empty file")
    found = find_format(head)
    expected = _listed(formats)
    if found in formats and found:
        return found
    other = found or find_unsupported(head)
    if other:
        raise ImageError(f"{other}: expected {expected}")
    raise ImageError(f"not a picture: it begins with {head[:4]!r}, expected {expected}")


def _listed(formats: Collection[str]) -> str:
    *most, last = [name for name in _IN_WORDS if name in formats]
    return f"{', '.join(most)} or {last}" if most else last

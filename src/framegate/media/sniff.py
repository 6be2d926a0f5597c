"""Media type detection by the first bytes of a file; its name and declared type are ignored."""

HEAD_BYTES = 1024  # enough for every rule below

_HTML = (b"<!doctype html", b"<html", b"<head", b"<body", b"<script", b"<title", b"<!--")
_MAGIC = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"%PDF-", "application/pdf"),
    (b"II*\0", "image/tiff"),
    (b"MM\0*", "image/tiff"),
    (b"8BPS", "image/vnd.adobe.photoshop"),
    (b"\0\0\0\x0cJXL ", "image/jxl"),
    (b"\xff\x0a", "image/jxl"),
    (b"\0\0\x01\0", "image/x-icon"),
    (b"BM", "image/bmp"),
    (b"PK\x03\x04", "application/zip"),
    (b"\x1f\x8b", "application/gzip"),
    (b"FLV\x01", "video/x-flv"),
    (b"ID3", "audio/mpeg"),
    (b"\xff\xfb", "audio/mpeg"),
    (b"\xff\xf3", "audio/mpeg"),
    (b"\xff\xf1", "audio/aac"),
    (b"fLaC", "audio/flac"),
    (b"OggS", "audio/ogg"),
)
_OLD_QUICKTIME = (b"moov", b"mdat", b"wide", b"free", b"skip")  # the first box of a file without `ftyp`
_RIFF = {b"WEBP": "image/webp", b"WAVE": "audio/wav", b"AVI ": "video/x-msvideo"}
_BRANDS = {
    b"avif": "image/avif",
    b"avis": "image/avif",
    b"heic": "image/heic",
    b"heix": "image/heic",
    b"hevc": "image/heic",
    b"mif1": "image/heif",
    b"qt  ": "video/quicktime",
    b"M4A ": "audio/mp4",
}


def looks_like_html(head: bytes) -> bool:
    """Whether these first bytes are those of a web page; an SVG image is not one."""
    start = _leading_text(head)
    return start.startswith(_HTML) and b"<svg" not in start


def media_type_of(head: bytes) -> str | None:
    """Detect the media type by the first bytes of a file; None if it is unknown."""
    for magic, media_type in _MAGIC:
        if head.startswith(magic):
            return media_type
    return _container_type(head) or _text_type(head)


def _container_type(head: bytes) -> str | None:
    if head.startswith(b"RIFF"):
        return _RIFF.get(head[8:12])
    if head.startswith(b"\x1aE\xdf\xa3"):
        return "video/webm" if b"webm" in head[:64] else "video/x-matroska"
    if head[4:8] == b"ftyp":
        avif = head[8:12] in (b"mif1", b"msf1") and b"avif" in head[16:64]
        return "image/avif" if avif else _BRANDS.get(head[8:12], "video/mp4")
    if head[4:8] in _OLD_QUICKTIME:
        return "video/quicktime"
    mpeg_ts = head[:1] == b"G" == head[188:189]  # packets of 188 bytes, each starts with this byte
    return "video/mp2t" if mpeg_ts else None


def _text_type(head: bytes) -> str | None:
    if looks_like_html(head):
        return "text/html"
    start = _leading_text(head)
    return "image/svg+xml" if start.startswith(b"<") and b"<svg" in start else None


def _leading_text(head: bytes) -> bytes:
    return head[:HEAD_BYTES].removeprefix(b"\xef\xbb\xbf").lstrip().lower()

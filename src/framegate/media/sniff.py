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
    (b"fLaC", "audio/flac"),
    (b"OggS", "audio/ogg"),
)
_OLD_QUICKTIME = (b"moov", b"mdat", b"wide", b"free", b"skip")  # the first box of a file without `ftyp`
_RIFF = {b"WEBP": "image/webp", b"WAVE": "audio/wav", b"AVI ": "video/x-msvideo"}
_FILE_BRANDS = {b"qt  ": "video/quicktime", b"M4A ": "audio/mp4", b"M4B ": "audio/mp4", b"crx ": "image/x-canon-cr3"}
_AVIF_BRANDS = frozenset((b"avif", b"avis", b"avio", b"MA1A", b"MA1B"))
_HEIC_BRANDS = frozenset((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"))
_HEIF_BRANDS = frozenset((b"mif1", b"mif2", b"msf1", b"miaf", b"avci", b"avcs", b"jpeg", b"jpgs", b"j2ki", b"vvic"))
_MPEG_LAYERS = 0x06  # bits of the second byte; none is set in an ADTS frame
FRAME_HEADER_BYTES = 4


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
        return _branded_type(head)
    if head[4:8] in _OLD_QUICKTIME:
        return "video/quicktime"
    mpeg_ts = head[:1] == b"G" == head[188:189]  # packets of 188 bytes, each starts with this byte
    return "video/mp2t" if mpeg_ts else _audio_frame_type(head)


def _branded_type(head: bytes) -> str:
    """Type by the brands of the file (ISO/IEC 14496-12, 4.3): a still picture names its coding among them."""
    major = head[8:12]
    brands = {
        major,
        *(head[start : start + 4] for start in range(16, min(int.from_bytes(head[:4], "big"), len(head)), 4)),
    }
    if major in _FILE_BRANDS:
        return _FILE_BRANDS[major]
    if major in _AVIF_BRANDS | _HEIC_BRANDS | _HEIF_BRANDS:
        if major in _HEIC_BRANDS or (major in _HEIF_BRANDS and brands & _HEIC_BRANDS):
            return "image/heic"
        return "image/avif" if brands & _AVIF_BRANDS else "image/heif"
    return "video/mp4"


def _audio_frame_type(head: bytes) -> str | None:
    """Type by the header of an MPEG audio frame (ISO/IEC 11172-3, 2.4.1.3) or an ADTS frame, after any zero bytes."""
    header = head.lstrip(b"\0")[:FRAME_HEADER_BYTES]
    if len(header) < FRAME_HEADER_BYTES or header[0] != 0xFF or header[1] & 0xE0 != 0xE0:
        return None
    if header[1] & _MPEG_LAYERS == 0:
        return "audio/aac" if header[1] & 0xF0 == 0xF0 else None
    if header[1] == 0xFE:  # the byte order mark of a text, or the rare MPEG-1 layer I with checksums
        return None
    is_valid = header[1] & 0x18 != 0x08 and header[2] & 0xF0 != 0xF0 and header[2] & 0x0C != 0x0C
    return "audio/mpeg" if is_valid else None


def _text_type(head: bytes) -> str | None:
    if looks_like_html(head):
        return "text/html"
    start = _leading_text(head)
    return "image/svg+xml" if start.startswith(b"<") and b"<svg" in start else None


def _leading_text(head: bytes) -> bytes:
    return head[:HEAD_BYTES].removeprefix(b"\xef\xbb\xbf").lstrip().lower()

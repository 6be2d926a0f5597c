"""Media types by the first bytes of a file."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from framegate.media.sniff import media_type_of


def ftyp(major: bytes, *compatible: bytes) -> bytes:
    body = major + b"\0\0\0\0" + b"".join(compatible)
    return (8 + len(body)).to_bytes(4, "big") + b"ftyp" + body


FILLING = [b"free"] * 20


@pytest.mark.parametrize(
    ("head", "media_type"),
    [
        *((ftyp(major), "image/heic") for major in (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx")),
        (ftyp(b"mif1", b"mif1", b"heic"), "image/heic"),
        (ftyp(b"mif1", *FILLING, b"heic"), "image/heic"),
        (ftyp(b"msf1", b"hevc", b"iso8"), "image/heic"),
        (ftyp(b"mif1", b"miaf"), "image/heif"),
        (ftyp(b"avci", b"mif1"), "image/heif"),
        *((ftyp(major), "image/avif") for major in (b"avif", b"avis", b"avio")),
        (ftyp(b"mif1", *FILLING, b"avif"), "image/avif"),
        (ftyp(b"miaf", b"MA1B", b"mif1"), "image/avif"),
        (ftyp(b"isom", b"avc1", b"mp41"), "video/mp4"),
        (ftyp(b"mp42", b"mif1"), "video/mp4"),
        (ftyp(b"qt  "), "video/quicktime"),
        (ftyp(b"crx "), "image/x-canon-cr3"),
    ],
)
def test_pictures_of_phones_are_named_as_what_they_are(head, media_type):
    assert media_type_of(head + bytes(1000)) == media_type


@given(version=st.sampled_from([0, 2, 3]), layer=st.integers(1, 3), rest=st.integers(0, 14), zeros=st.integers(0, 100))
def test_every_mpeg_audio_frame_is_a_sound_also_behind_zeros(version, layer, rest, zeros):
    header = bytes((0xFF, 0xE0 | version << 3 | layer << 1, rest << 4, 0))
    assume(header[1] != 0xFE)  # the byte order mark of a text
    assert media_type_of(bytes(zeros) + header + bytes(500)) == "audio/mpeg"


@given(low=st.sampled_from([0, 1, 8, 9]))
def test_every_adts_frame_is_a_sound(low):
    assert media_type_of(bytes((0xFF, 0xF0 | low, 0x50, 0x80)) + bytes(500)) == "audio/aac"


@pytest.mark.parametrize("text", ["plain text", "\N{CAT}" * 100, "<p>hello"])
def test_text_in_utf_16_is_no_sound(text):
    assert media_type_of(text.encode("utf-16")) is None

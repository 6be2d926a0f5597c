"""No text of a provider contains a key of any account or a control character."""

import unicodedata
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framegate.domain.errors import NotSent, OutcomeUnknown, ProviderError, Refused
from framegate.domain.provider_text import clean_line, clean_text, register_secret

FIRST, SECOND = "sk-first-0123456789", "uuid-of-a-key:secret+of/a=key"
SPELLINGS = [
    FIRST,
    FIRST.upper(),
    SECOND,
    "secret+of/a=key",
    quote(SECOND, safe=""),
    f"Bearer {FIRST}",
    f"{FIRST[:5]}\x00{FIRST[5:]}",
]


@pytest.fixture(autouse=True)
def secrets() -> None:
    register_secret(f"Bearer {FIRST}")
    register_secret(SECOND)


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("kind", [ProviderError, Refused, NotSent, OutcomeUnknown])
def test_no_error_of_a_provider_contains_a_key(kind: type[ProviderError], spelling: str):
    message = kind(f"no access for {spelling}, sorry").message
    assert "first" not in message.lower()
    assert "secret+" not in message
    assert message.startswith("no access for ")
    assert message.endswith("[key], sorry")


@given(st.text(), st.sampled_from([FIRST, SECOND]), st.text())
def test_a_key_is_removed_wherever_it_is(before: str, secret: str, after: str):
    assert secret not in clean_text(before + secret + after)


@given(st.text())
def test_no_control_character_is_left(text: str):
    assert not {unicodedata.category(character) for character in clean_line(text)} & {"Cc", "Cs"}
    clean_text(text).encode()


def test_a_key_is_removed_before_a_text_is_cut():
    assert FIRST[:5] not in clean_line(f"{'x' * 85} {FIRST}", 95)
    assert len(clean_line("x" * 200, 100)) == 100


@pytest.mark.parametrize("word", ["Bearer", "Key", "short"])
def test_a_short_word_is_no_secret(word: str):
    register_secret(word)
    assert clean_text(f"a {word} b") == f"a {word} b"

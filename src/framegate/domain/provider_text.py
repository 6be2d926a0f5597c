"""Text from providers: without control characters, and without the API key of any account.

A provider may repeat the key of a request in an error, a status or the metadata of a video. `ProviderError` and the
store clean every text of a provider with the functions of this module before anything else reads it.
"""

import re
from urllib.parse import quote

SECRET_CHARS_MIN = 8  # a shorter key could be a common word
REPLACEMENT = "[key]"
LINE_CHARS_MAX = 1000

# Control characters, and the invisible characters that reorder or hide text. Line breaks and tabs are kept.
_CONTROL = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]"
)
_WHITESPACE = re.compile(r"\s+")


class _Secrets:
    """The secrets of all accounts of this process, and the pattern that finds them."""

    def __init__(self) -> None:
        self._spellings: set[str] = set()
        self.pattern: re.Pattern[str] | None = None

    def add(self, secret: str) -> None:
        words = {part for word in secret.split() for part in (word, *word.split(":"))}
        spellings = {spelling for word in words for spelling in (word, quote(word, safe=""))}
        new = {spelling for spelling in spellings if len(spelling) >= SECRET_CHARS_MIN} - self._spellings
        if new:
            self._spellings |= new
            longest_first = sorted(self._spellings, key=lambda spelling: (-len(spelling), spelling))
            self.pattern = re.compile("|".join(map(re.escape, longest_first)), re.IGNORECASE)


_secrets = _Secrets()


def register_secret(secret: str) -> None:
    """Remove a secret, its parts and its percent-encoded form from every text that is cleaned from now on.

    Parts are separated by spaces or colons. Those of fewer than 8 characters are not secret.
    """
    _secrets.add(secret.strip())


def clean_text(text: str) -> str:
    """The text without control characters, lone surrogates and secrets; it keeps its line breaks."""
    if not text.isascii():
        text = text.encode("utf-8", "replace").decode()
    text = _CONTROL.sub("", text)
    return text if _secrets.pattern is None else _secrets.pattern.sub(REPLACEMENT, text)


def clean_line(text: str, chars_max: int = LINE_CHARS_MAX) -> str:
    """The text as one line of at most `chars_max` characters. Secrets are removed before it is cut."""
    line = _WHITESPACE.sub(" ", clean_text(text)).strip()
    return line if len(line) <= chars_max else f"{line[: chars_max - 1]}…"

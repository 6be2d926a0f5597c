"""Text normalization of a prompt for the vocabulary's patterns."""

import re

_QUOTED_SPEECH = re.compile(
    r"(\b(?:say|read|ask|shout|whisper|sing|writ|title|caption|sign|text|word|label|logo|call|nam|letter|repl|cr)\w{0,7}"
    r"[ ,:]{0,2}(?:[a-z]{1,12} ){0,2})\"[^\"\n]{1,200}\""
)
# "Move the camera left" is parsed like "the camera moves left".
_MOVE_THE_CAMERA = re.compile(
    r"\b(move|turn|swing|slide|push|pull|pan|tilt|raise|lift|lower|roll|orbit|circle|drift|glide|bring)(?:s|ing)?"
    r" the camera\b"
)
_PLAIN_CHARACTERS = str.maketrans(
    {"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"', "\u2192": ";", "\u00a0": " "}
)


def normalize(text: str) -> str:
    """Convert to lower case and straight quotes; hyphens and underscores to spaces, dashes to commas, 0-3 to 0 to 3."""
    text = text.lower().translate(_PLAIN_CHARACTERS)
    text = re.sub(r"\*\*([^*\n]{1,60})\*\*:?", r"\1:", text)
    text = re.sub(r"(?<=[\ds]) ?[-\u2013\u2014] ?(?=\d)", " to ", text)
    text = re.sub(r" ?(?:\u2014|\u2013| - |--) ?", ", ", text)
    text = re.sub(r"[ \t]+", " ", re.sub(r"[-_]", " ", text)).strip(" ")
    return _MOVE_THE_CAMERA.sub(r"camera \1", text)


def remove_quoted_speech(text: str) -> str:
    """Remove text that is spoken or written in the scene; of other quotations only the marks are removed."""
    return _QUOTED_SPEECH.sub(r"\1", text).replace('"', "")

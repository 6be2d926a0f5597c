"""A prompt as the reading patterns expect it: lower case, hyphens as spaces, what is spoken left out."""

import re

_QUOTED_SPEECH = re.compile(
    r"(\b(?:say|read|ask|shout|whisper|sing|writ|title|caption|sign|text|word|label|logo|call|nam|letter|repl|cr)\w{0,7}"
    r"[ ,:]{0,2}(?:[a-z]{1,12} ){0,2})\"[^\"\n]{1,200}\""
)


# "Move the camera left" reads as "the camera moves left".
_MOVE_THE_CAMERA = re.compile(
    r"\b(move|turn|swing|slide|push|pull|pan|tilt|raise|lift|lower|roll|orbit|circle|drift|glide|bring)(?:s|ing)?"
    r" the camera\b"
)


def normalize(text: str) -> str:
    """Lower case with straight quotes; hyphens and underscores are spaces, a dash is a comma, 0-3 is 0 to 3."""
    text = text.lower().translate(_PLAIN_CHARACTERS)
    text = re.sub(r"\*\*([^*\n]{1,60})\*\*:?", r"\1:", text)
    text = re.sub(r"(?<=[\ds]) ?[-\u2013\u2014] ?(?=\d)", " to ", text)
    text = re.sub(r" ?(?:\u2014|\u2013| - |--) ?", ", ", text)
    text = re.sub(r"[ \t]+", " ", re.sub(r"[-_]", " ", text)).strip(" ")
    return _MOVE_THE_CAMERA.sub(r"camera \1", text)


def remove_quoted_speech(text: str) -> str:
    """The text without what is said or written in its scene; other quotes only lose their marks."""
    return _QUOTED_SPEECH.sub(r"\1", text).replace('"', "")


_PLAIN_CHARACTERS = str.maketrans(
    {"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"', "\u2192": ";", "\u00a0": " "}
)

"""A prompt as the reading patterns expect it: lower case, hyphens as spaces, what is spoken left out."""

import re

_QUOTED = re.compile(r"\"[^\"\n]{1,200}\"")


def normal(text: str) -> str:
    """Lower case with straight quotes; hyphens and underscores are spaces, a dash is a comma, 0-3 is 0 to 3."""
    text = text.lower().translate(_PLAIN)
    text = re.sub(r"(?<=[\ds]) ?[-\u2013\u2014] ?(?=\d)", " to ", text)
    text = re.sub(r" ?(?:\u2014|\u2013| - |--) ?", ", ", text)
    return re.sub(r"[ \t]+", " ", re.sub(r"[-_]", " ", text)).strip(" ")


def unspoken(text: str) -> str:
    """The text without what is quoted in it, which is said or written in the scene; a text all in quotes stays."""
    quoted = sum(len(match[0]) for match in _QUOTED.finditer(text))
    return _QUOTED.sub('""', text) if quoted * 2 < len(text) else text.replace('"', "")


_PLAIN = str.maketrans({"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"', "\u2192": ";", "\u00a0": " "})

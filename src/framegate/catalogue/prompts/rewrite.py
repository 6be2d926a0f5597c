"""The names by which a prompt calls references, in other words."""

import re
from collections.abc import Mapping

_CALL = re.compile(r"(?<![\w@])@([^\W\d][\w-]*)")


def replace_mentions(prompt: str, words: Mapping[str, str]) -> str:
    """The prompt with every `@name` in the words for that name; one before a hyphen is called too (`@hero-like`).

    All at once: words that look like another name are not read again.
    """
    return _CALL.sub(lambda match: _said(match[1], words) or match[0], prompt)


def _said(name: str, words: Mapping[str, str]) -> str | None:
    parts = name.split("-")
    for length in range(len(parts), 0, -1):
        borne, rest = "-".join(parts[:length]), parts[length:]
        if borne in words:
            return "-".join((words[borne], *rest))
    return None

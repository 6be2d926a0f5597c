"""Status words of providers: one table of synonyms, in any spelling. Each provider's own words have priority."""

from collections.abc import Mapping
from types import MappingProxyType

QUEUED, RUNNING, COMPLETED, FAILED, CANCELLED, EXPIRED, REFUSED = (
    "queued", "running", "completed", "failed", "cancelled", "expired", "refused",
)  # fmt: skip
ENDED = frozenset({COMPLETED, FAILED, CANCELLED, EXPIRED, REFUSED})  # `refused`: a content filter withheld the video

_WORDS = {
    QUEUED: "pending queued inqueue queuing queueing created submitted scheduled waiting accepted received preparing "
    "notstarted enqueued",
    RUNNING: "running processing inprogress progress started starting generating rendering working active executing "
    "uploading finalizing postprocessing retrying",
    COMPLETED: "completed complete succeeded succeed success successful done finished finish ready",
    FAILED: "failed failure fail error errored rejected invalid crashed",
    CANCELLED: "cancelled canceled cancel aborted abort stopped terminated revoked deleted",
    EXPIRED: "expired expire timeout timedout",
    REFUSED: "contentfiltered contentfilter filtered moderated moderation nsfw blocked flagged contentpolicyviolation "
    "policyviolation safetyviolation censored contentrefused contentmoderated contentpolicy contentblocked safety",
}
SYNONYMS: Mapping[str, str] = MappingProxyType(
    {spelling: meaning for meaning, spellings in _WORDS.items() for spelling in spellings.split()}
)


def meaning_of(word: object, own: Mapping[str, str] = MappingProxyType({})) -> str | None:
    """What a status word says: one of the seven words of this module; None if that is unknown.

    `own` are the provider's words and their meanings. Case, spaces and punctuation do not matter.
    """
    if not isinstance(word, str):
        return None
    if word in own:
        return own[word]
    spelling = _spelling(word)
    by_spelling = {_spelling(known): meaning for known, meaning in own.items()}
    return by_spelling.get(spelling) or SYNONYMS.get(spelling)


def _spelling(word: str) -> str:
    return "".join(character for character in word.casefold() if character.isalnum())

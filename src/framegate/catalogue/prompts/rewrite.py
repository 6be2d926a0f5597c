"""Rewriting of the names of references in a prompt into the words that a model expects."""

import re
from collections.abc import Mapping

from framegate.catalogue.prompts.mentions import without_escapes
from framegate.domain import Kind, Request, Role

ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
NOUNS = {Kind.IMAGE: "image", Kind.VIDEO: "video", Kind.AUDIO: "audio track"}

_MENTION = re.compile(r"(?<![\w@\\])@([^\W\d][\w-]*)")


def rewrite_prompt(request: Request, tokens: Mapping[Kind, str]) -> str | None:
    """The prompt with every `@name` of a reference replaced by the model's own token for it.

    A token numbers the references of its kind and of role `reference` in their order, every view of one subject
    included; one token for several kinds numbers them in one sequence, kind by kind, in the order of `tokens`. A frame,
    and a reference of a model without tokens, is replaced by words: "the first frame", "the second image".
    """
    if request.prompt is None:
        return None
    counts, replacements = _offsets(request, tokens), dict[str, str]()
    for reference in request.references:
        is_guide = reference.role is Role.REFERENCE
        counts[reference.kind] += is_guide
        if reference.name is None:
            continue
        number, token = counts[reference.kind], tokens.get(reference.kind)
        if not is_guide:
            replacements[reference.name] = f"the {reference.role.value.replace('_', ' ')}"
        elif token:
            replacements[reference.name] = token.format(n=number, n0=number - 1, name=reference.name)
        else:
            ordinal = ORDINALS[number - 1] if number <= len(ORDINALS) else f"{number}th"
            replacements[reference.name] = f"the {ordinal} {NOUNS[reference.kind]}"
    return replace_mentions(request.prompt, replacements)


def replace_mentions(prompt: str, replacements: Mapping[str, str]) -> str:
    r"""The prompt with every `@name` replaced, also before a hyphen (`@hero-like`), and every `\@` as a plain at sign.

    All names are replaced at once: a replacement that looks like another name is not replaced again.
    """
    return without_escapes(_MENTION.sub(lambda match: _replacement(match[1], replacements) or match[0], prompt))


def _replacement(name: str, replacements: Mapping[str, str]) -> str | None:
    parts = name.split("-")
    for length in range(len(parts), 0, -1):
        prefix, suffix = "-".join(parts[:length]), parts[length:]
        if prefix in replacements:
            return "-".join((replacements[prefix], *suffix))
    return None


def _offsets(request: Request, tokens: Mapping[Kind, str]) -> dict[Kind, int]:
    """How many references are numbered before the first of each kind: those of earlier kinds with the same token."""
    guides = [reference.kind for reference in request.references if reference.role is Role.REFERENCE]
    offsets, counts = dict.fromkeys(Kind, 0), dict[str, int]()
    for kind, token in tokens.items():
        offsets[kind] = counts.get(token, 0)
        counts[token] = offsets[kind] + guides.count(kind)
    return offsets

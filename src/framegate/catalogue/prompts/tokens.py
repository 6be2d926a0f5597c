"""From a name in a prompt to the words by which a model reads that reference."""

from collections.abc import Mapping

from framegate.catalogue.prompts.rewrite import replace_mentions
from framegate.domain import Kind, Request, Role

ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
WORDS = {Kind.IMAGE: "image", Kind.VIDEO: "video", Kind.AUDIO: "audio track"}


def rewritten(request: Request, tokens: Mapping[Kind, str]) -> str | None:
    """The prompt with every `@name` of a reference in the model's own token for it.

    A token counts the references of its kind and of role `reference`, in their order, each view of one thing too; one
    token for several kinds counts on from kind to kind, in the order in which the row has them. A frame, and a
    reference of a model without tokens, becomes words: "the first frame", "the second image".
    """
    counts, words = _before(request, tokens), dict[str, str]()
    for reference in request.references:
        guides = reference.role is Role.REFERENCE
        counts[reference.kind] += guides
        if reference.name is None:
            continue
        number, token = counts[reference.kind], tokens.get(reference.kind)
        if not guides:
            words[reference.name] = f"the {reference.role.value.replace('_', ' ')}"
        elif token:
            words[reference.name] = token.format(n=number, n0=number - 1, name=reference.name)
        else:
            place = ORDINALS[number - 1] if number <= len(ORDINALS) else f"{number}th"
            words[reference.name] = f"the {place} {WORDS[reference.kind]}"
    return None if request.prompt is None else replace_mentions(request.prompt, words)


def _before(request: Request, tokens: Mapping[Kind, str]) -> dict[Kind, int]:
    """How many references are counted before the first of each kind: those of kinds that share its token."""
    guides = [reference.kind for reference in request.references if reference.role is Role.REFERENCE]
    counts, shared = dict.fromkeys(Kind, 0), dict[str, int]()
    for kind, token in tokens.items():
        counts[kind] = shared.get(token, 0)
        shared[token] = counts[kind] + guides.count(kind)
    return counts

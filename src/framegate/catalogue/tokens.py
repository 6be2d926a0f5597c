"""From a name in a prompt to the words by which a model reads that reference."""

import re
from collections.abc import Mapping

from framegate.types import Kind, Request, Role

ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")
WORDS = {Kind.IMAGE: "image", Kind.VIDEO: "video", Kind.AUDIO: "audio track"}


def rewritten(request: Request, tokens: Mapping[Kind, str]) -> str | None:
    """The prompt with every `@name` of a reference in the model's own token for it.

    Further views of one thing (`view_of`) count as that one.

    A token counts the references of its kind and of role `reference`, in their order. A frame, and a reference of a
    model without tokens, becomes words: "the first frame", "the second image".
    """
    prompt, counts = request.prompt, dict.fromkeys(Kind, 0)
    if prompt is None:
        return None
    for reference in request.references:
        if reference.role is Role.REFERENCE and reference.view_of is None:
            counts[reference.kind] += 1
        if reference.name is None:
            continue
        number = counts[reference.kind]
        if reference.role is not Role.REFERENCE:
            said = f"the {reference.role.value.replace('_', ' ')}"
        elif token := tokens.get(reference.kind):
            said = token.format(n=number, n0=number - 1, name=reference.name)
        else:
            place = ORDINALS[number - 1] if number <= len(ORDINALS) else f"{number}th"
            said = f"the {place} {WORDS[reference.kind]}"
        prompt = re.sub(rf"(?<![\w@])@{re.escape(reference.name)}(?![\w-])", lambda _, said=said: said, prompt)
    return prompt

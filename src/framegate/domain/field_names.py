"""Suggestions for unknown fields: a field with the same meaning first, one with a similar spelling only after it.

The video services name the same things differently. A name that is known elsewhere is never matched by its spelling:
`reference_images` looks like `frame_images`, and means `input_references`.
"""

import difflib
from collections.abc import Sequence

NAME_CHARS_MAX = 100  # of a client's name in a message

# Each row lists the names of one meaning, in the spelling of `_normal`. A name may have two meanings.
MEANINGS: tuple[tuple[str, ...], ...] = (
    (
        *("inputreferences", "imageurls", "referenceimageurls", "referenceimages", "referenceimage", "references"),
        *("inputimageurls", "inputimages", "imagereferences", "images", "refimages", "refimageurls", "elements"),
        *("subjectreferenceimageurl", "referenceimageurl", "referenceurls", "imageurl", "image", "inputimage"),
    ),
    (
        *("firstframeimageurl", "startimageurl", "firstframeurl", "firstframe", "firstframeimage", "startframe"),
        *("startimage", "initimage", "imageurl", "image", "inputimage", "inputreference", "promptimage"),
        *("frameimages", "frames"),
    ),
    (
        *("lastframeurl", "endimageurl", "lastframe", "lastframeimage", "lastframeimageurl", "lastimage", "endimage"),
        *("endframe", "tailimageurl", "imagetail", "frameimages"),
    ),
    ("referencevideourls", "videourls", "referencevideos", "videos", "inputreferences"),
    ("videourl", "extendvideourl", "sourcevideo", "inputvideo", "video", "inputreferences"),
    ("audiourls", "referenceaudiourls", "audiourl", "inputreferences"),
    ("duration", "seconds", "durationseconds", "durations", "videoduration", "lengthseconds", "videolength", "length"),
    ("aspectratio", "ratio", "aspect", "aspectratios", "videoaspectratio"),
    ("size", "dimensions", "videosize", "outputsize"),
    ("resolution", "quality", "videoresolution", "outputresolution"),
    ("generateaudio", "audio", "withaudio", "enableaudio", "sound", "bgm", "generateaudioswitch", "includeaudio"),
    ("negativeprompt", "negative", "promptnegative"),
    ("prompt", "input", "text", "prompttext", "textprompt", "description"),
    ("model", "modelid", "modelname", "endpointid"),
    ("models", "fallbacks", "fallbackmodels", "modelfallbacks"),
    (
        *("callbackurl", "webhookurl", "webhook", "notifyurl", "notifyhook", "callback", "falwebhook", "webhooks"),
        *("webhookuri", "callbackuri"),
    ),
    ("fps", "framespersecond", "framerate"),
    ("seed", "randomseed", "noiseseed"),
    ("maxcostusd", "maxcost", "maxprice", "budget"),
    ("previousjobid", "previousvideoid", "remixid", "remixvideoid", "sourcejobid"),
    ("provideroptions", "providerparams", "provider", "extrabody"),
    ("samplecount", "n", "numvideos", "numberofvideos", "numoutputs", "numsamples", "count", "samples", "batchsize"),
    ("role", "frametype", "usage", "imagerole"),
    ("url", "uri", "href", "link"),
    ("mediaurl", "videourl", "audiourl"),
)
# What to say where no field of that meaning exists.
EXPLANATIONS = {"samplecount": "One job makes one video: create one job for each video."}


def hint_for(name: str, known: Sequence[str]) -> tuple[str, str | None]:
    """Return the sentence to add to a message about an unknown field, and the nearest of the known fields.

    `name` is the last part of the field's path; `known` are the fields that are allowed in its place. The sentence
    begins with a space, or is empty; with several fields of the same meaning there is no nearest one.
    """
    fields = similar_fields(name, known)
    if fields:
        choices = " or ".join(f"`{field}`" for field in fields)
        return f" Did you mean {choices}?", fields[0] if len(fields) == 1 else None
    meaning = next((row[0] for row in MEANINGS if _normal(name) in row), "")
    explanation = EXPLANATIONS.get(meaning)
    return (f" {explanation}" if explanation else ""), None


def similar_fields(name: str, known: Sequence[str]) -> list[str]:
    """Return the known fields with the meaning of a name, for each of its meanings the first; else by spelling."""
    normal = _normal(name)
    by_normal = {_normal(field): field for field in reversed(known)}
    if normal in by_normal:
        return [by_normal[normal]]
    rows = [row for row in MEANINGS if normal in row]
    if not rows:
        return difflib.get_close_matches(name[:NAME_CHARS_MAX], known, n=1)
    matches = (next((by_normal[other] for other in row if other in by_normal), None) for row in rows)
    return list(dict.fromkeys(match for match in matches if match is not None))


def _normal(name: str) -> str:
    """Return a name without case and separators, so that `aspectRatio` and `aspect_ratio` are equal."""
    return name[:NAME_CHARS_MAX].replace("_", "").replace("-", "").lower()

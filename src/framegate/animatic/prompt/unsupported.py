"""Notes on requests that camera moves over still pictures cannot render. Scene descriptions are not requests."""

import re
from collections.abc import Iterator

# Unsupported camera work and editing: the pattern, and its name in the note.
FEATURES: tuple[tuple[str, str], ...] = (
    (r"dolly zoom|zolly|vertigo (?:shot|effect)|trombone shot", "a dolly zoom"),
    (
        r"fly ?through|fpv|(?:fl(?:y|ies|ying)|mov(?:e|es|ing)|zoom(?:s|ing)?) (?:straight )?through",
        "a flight through the scene",
    ),
    (
        r"rack(?:s|ing)? focus|focus pull|pull(?:s|ing)? focus|focus (?:shifts|moves|racks)|shift(?:s|ing)? focus",
        "a focus shift",
    ),
    (r"time ?lapse|hyper ?lapse", "a time lapse"),
    (
        r"speed ramp(?:s|ing)?|reverse (?:playback|motion)|play(?:s|ed)? (?:in reverse|backwards)",
        "a change of playback speed",
    ),
    (r"seamless(?:ly)? loop(?:s|ing|ed)?|perfect loop|loop(?:s|able|ing)? seamlessly|infinite loop", "a seamless loop"),
    (r"split ?screen|picture in picture|side by side screens", "a split screen"),
    (
        r"(?:wipe|iris|page turn|glitch|spin|star) (?:transition|wipe)|(?:screen|iris) wipe|iris (?:in|out)|match cut",
        "this transition",
    ),
    (
        r"fad(?:e|es|ing) (?:in from|out to|to|from|into) (?:black|white)|fade (?:in|out)\b",
        "a fade to or from black or white",
    ),
    (
        r"camera (?:follows|tracks|chases) (?:the|her|him|them|a|an|it|his|their)|following (?:shot|him|her|them)",
        "a camera that follows a subject",
    ),
    (r"lip ?sync(?:s|ing|ed)?", "lip sync"),
)
_ADD = r"(?:title|titles|caption|captions|subtitle|subtitles|text|text overlay|logo|watermark|lower third|credits)"
# Requests to change the content of the pictures.
_CHANGES: tuple[str, ...] = (
    (
        r"(?:add|insert|introduce|include) (?:a|an|some|the|more|another|two|three|his|her|their) (?!bit|little|touch"
        r"|slight|subtle|slow|gentle"
        r"|sense|feeling|mood|film|light\b|warm|cold|cinematic|camera|handheld|shallow|soft|vignette|grain|rain|snow"
        r"|fog"
        r"|mist|push|pan|zoom)"
        r"[\w ]{2,30}"
    ),
    rf"(?:add|show|overlay|superimpose|display) (?:\w{{1,12}} ){{0,3}}{_ADD}\b",
    r"(?:remove|erase|delete|replace|swap) (?:the|a|an|all|her|his|their|that) [\w ]{2,30}",
    (
        r"(?:change|turn|make|transform) (?:the|her|his|their|its|him|them|this) (?!camera|shot|view|lens|scene|mood)"
        r"(?:\w{1,16} ){0,3}?(?:to|into|smile|laugh|move|walk|dance|talk"
        r"|blink|turn|wave|run|look|younger|older)\b(?: \w{1,16}){0,2}"
    ),
    r"morph(?:s|ing)? (?:in)?to (?:\w{1,16} ?){1,3}|(?:transform|shape ?shift)(?:s|ing)? into (?:\w{1,16} ?){1,3}",
    r"(?:bring (?:it|them|the \w{1,16}) to life|animate (?:the|her|his|their|him|them|this) \w{1,16})",
    (
        r"(?:he|she|they|it|hair|everyone|the \w{1,16}|\w{1,16}) (?:start|begin)(?:s)? (?:to )?(?:walk|run|danc|smil"
        r"|talk|speak|sing|mov|laugh|cry"
        r"|driv|fly|jump|turn|swim)\w{0,4}"
    ),
)
_ACTIONS = (
    r"turns?|walks?|runs?|jumps?|leaps?|dances?|smiles?|laughs?|cries|blinks?|nods?|winks?|speaks?|talks?|sings?"
    r"|says|drives?|fl(?:y|ies)"
    r"|opens?|closes?|raises?|picks?|throws?|grabs?|reaches|lifts?|puts?|pours?|drinks?|eats?|swims?|rides?"
    r"|explodes?|collapses?|shatters?"
    r"|spins?|shakes?|waves?|kicks?|punches|fights?|hugs?|kisses|sits down|stands up|gets? up|looks? (?:up|down|back"
    r"|around|away|at)|takes? off"
    r"|lands?|rushes|sprints?|gallops?|enters?|leaves|exits?|appears?|disappears?|vanishes|transforms?|grows?"
    r"|steps? (?:out|in|back|forward)"
)
_ACTIONS_THIRD_PERSON = (
    r"turns|walks|runs|jumps|leaps|dances|smiles|laughs|cries|blinks|nods|winks|speaks|talks|sings|drives|flies"
    r"|opens(?! onto| to| into| out| up)|closes|raises|picks up"
    r"|throws|grabs|reaches|lifts|pours|drinks|eats|swims|rides|explodes|collapses|shatters|spins|waves|kicks"
    r"|punches|fights|hugs|kisses"
    r"|sits down|stands up|gets up|looks (?:up|down|back|around|away)|takes off|lands|rushes|sprints|gallops|enters"
    r"|exits|disappears|vanishes"
    r"|transforms|morphs|steps (?:out|in|back|forward)"
)
# "The road runs" and "the door opens onto a yard" describe no motion; the camera's moves are no actions of a subject.
_STILL_SUBJECTS = (
    r"camera|shot|view|lens|frame|scene|clip|video|image|picture|photo|road|river|path|street|trail|stream|line|wall"
    r"|bridge|coast|track|stairs?"
    r"|corridor|valley|staircase|fence|story|film|light|sun|sky|mist|fog|rain|snow|smoke|dust|world|day"
    r"|night|first|second|third|last"
    r"|next|one|that|which|what|who|it|focus|music|sound|and|or|of|in|on|to|as|with|then|zoom|pan|tilt|push|we"
    r"|lighting|mood|pace|city|horizon"
)
_AFTER = r"(?: (?!then\b|while\b|and\b|as\b|camera\b)[\w']{1,16}){0,3}"
_ACTION = re.compile(
    rf"\b(?:(?:he|she|they) (?:\w{{1,14}}ly |then |suddenly )?(?:{_ACTIONS})\b"
    rf"|(?:(?:the|a|an|her|his|their) (?:\w{{1,16}} )?|@)(?!(?:{_STILL_SUBJECTS})\b)\w{{2,20}} (?:\w{{1,14}}ly "
    rf"|then )?(?:{_ACTIONS_THIRD_PERSON})\b){_AFTER}"
)
_CHANGE = re.compile("|".join(rf"\b(?:{pattern})" for pattern in _CHANGES))
_FEATURE = re.compile("|".join(rf"(?P<feature{at}>\b(?:{pattern})\b)" for at, (pattern, _) in enumerate(FEATURES)))
_FULL_TURN = re.compile(
    r"\b(?:(?:9\d|[1-9]\d\d) ?(?:degrees?|\u00b0) (?:\w{1,12} )?"
    r"(?:orbit|arc|turn|spin|rotation|circle|around|shot|view)"
    r"|(?:orbit|arc|circle|turn|rotat)\w{0,3} (?:[\w ]{1,24} )?(?:9\d|[1-9]\d\d) ?(?:degrees?|\u00b0)"
    r"|(?:orbit|circle|circling|full circle|all the way|completely) (?:all the way |fully |completely )around (?=\w))"
)
_NEGATION = re.compile(r"\b(?:no|not|never|without|avoid|don't|doesn't|do not|does not)(?: \w+)? $")
QUOTES_MAX = 3


def describe_unsupported(text: str) -> Iterator[str]:
    """Notes on the unsupported requests in the text."""
    names = {
        name: None
        for match in _FEATURE.finditer(text)
        for at, (_, name) in enumerate(FEATURES)
        if match[f"feature{at}"] is not None and not _is_negated(text, match)
    }
    if names:
        yield f"not supported by the animatic renderer: {', '.join(names)}"
    if turn := _FULL_TURN.search(text):
        yield f'only a part of the turn is shown, because a still picture has one side: "{turn[0].strip()}"'
    matches = sorted(
        (match for pattern in (_CHANGE, _ACTION) for match in pattern.finditer(text)), key=lambda match: match.start()
    )
    phrases = list(dict.fromkeys(match[0].strip() for match in matches if not _is_negated(text, match)))
    if phrases:
        more = f" and {len(phrases) - QUOTES_MAX} more" if len(phrases) > QUOTES_MAX else ""
        quoted = ", ".join(f'"{phrase}"' for phrase in phrases[:QUOTES_MAX])
        yield f"the pictures stay still; only the camera moves: {quoted}{more}"


def _is_negated(text: str, match: re.Match[str]) -> bool:
    return _NEGATION.search(text[max(match.start() - 24, 0) : match.start()]) is not None

"""Light, grade, weather, texture and sound words, and how to find them in a prompt."""

import re
from collections.abc import Sequence

from framegate.animatic.prompt.scene import Grade, Light, Look, Sound, SoundLayer, Weather

FLICKER, GRAIN, VIGNETTE, BLUR = 0.5, 0.5, 0.5, 0.6
SOUND_LAYERS_MAX = 4  # more layers at once sound like noise

LIGHTS: tuple[tuple[str, Light], ...] = (
    (
        (
            r"golden hour|magic hour|sun ?sets?\b|sunsets?|sun ?rises?\b|sunrise|sundown|golden (?:light|sun|glow)"
            r"|(?:evening|setting|low|late afternoon) sun(?:light)?|god rays"
        ),
        Light.GOLDEN_HOUR,
    ),
    (r"neon(?! green| pink| yellow| orange| blue)|cyberpunk|synthwave", Light.NEON),
    (
        (
            r"(?:at|by|in the|of the|dark|starry|rainy|winter|summer|city|deep|late) night|night ?(?:time|fall|sky"
            r"|scene"
            r"|shot)"
            r"|midnight|moon ?(?:light|lit)|(?:^|[,.] )night(?=[,.]|$)"
        ),
        Light.NIGHT,
    ),
    (r"dawn|dusk|twilight|blue hour|first light|daybreak", Light.DAWN),
    (r"overcast|cloudy|gr[ae]y (?:sky|skies|day|light)|gloomy|flat light|bleak", Light.OVERCAST),
)
GRADES: tuple[tuple[str, Grade], ...] = (
    (r"black (?:and|&) white|b ?& ?w\b|monochrom(?:e|atic)|gr[ae]yscale|film noir|noir", Grade.BLACK_AND_WHITE),
    (r"sepia|daguerreotype|old photograph look", Grade.SEPIA),
    (
        (
            r"warm (?:\w{1,12} )?(?:tones?|colou?rs?|light|lighting|grade|grading|palette|hues?|glow|sunlight|look)"
            r"|warmly lit"
            r"|cozy|cosy|candle ?light|candlelit|amber (?:light|glow|tones?)"
        ),
        Grade.WARM,
    ),
    (
        (
            r"(?:cold|cool|icy|bluish|blue) (?:\w{1,12} )?(?:tones?|colou?rs?|light|lighting|grade|grading|palette"
            r"|hues?"
            r"|look)"
            r"|teal (?:and|&) orange|clinical light"
        ),
        Grade.COLD,
    ),
    (
        (
            r"high contrast|contrasty|strong contrast|chiaroscuro|dramatic (?:light|lighting|shadows)|hard light"
            r"|harsh light"
            r"|low key light|moody light"
        ),
        Grade.CONTRAST,
    ),
    (
        r"faded|washed out|desaturated|muted|pastel|bleach bypass|vintage (?:look|film|tones?|colou?rs?)|retro look",
        Grade.FADED,
    ),
    (
        r"vivid|vibrant|(?:highly |richly |over)?saturated (?:colou?rs?|look|tones?)|rich colou?rs|technicolou?r",
        Grade.VIVID,
    ),
)
_RAIN = (
    r"rain(?:s|ing|y|fall|drops?|storm)?\b(?! ?(?:soaked|slick|slicked|coat|boots|washed|forest|bow|jacket|gear"
    r"|proof))"
    r"|drizzl(?:e|es|ing|y)|downpour|thunderstorm|monsoon"
)
_STRONG = r"(?:heavy|pouring|torrential|driving|thick|dense|strong|hard)"
_SLIGHT = r"(?:light|soft|gentle|slight|faint|thin|fine|subtle|a little|a bit of|some|distant)"
WEATHERS: tuple[tuple[str, Weather], ...] = (
    (_RAIN, Weather.RAIN),
    (
        (
            r"snow(?:ing|fall|flakes?|storm|s)\b|(?:falling|drifting|swirling|light|heavy|soft|gentle|thick) snow\b"
            r"|snow (?:is |gently |softly |slowly |begins to |starts to )?(?:fall|drift|swirl)\w{0,3}|blizzard|flurries"
            r"|it snows"
            r"|(?:^|[,;.] |\band )snow\b(?![ -]?(?:white|board|man|cap|cover|leopard|on\b|under\b))"
        ),
        Weather.SNOW,
    ),
    (r"fog(?:gy)?\b|mist(?:y)?\b|haz(?:e|y)\b|smoky", Weather.FOG),
    (
        (
            r"dust (?:motes?|particles?|storm|clouds?|in the)|dusty|sand ?storm|(?:floating|drifting|swirling) (?:dust"
            r"|pollen)"
        ),
        Weather.DUST,
    ),
    (
        r"embers|(?:flying|floating|drifting|rising) (?:sparks|ash)|sparks (?:fly|rise|drift)\w{0,3}|firefl(?:y|ies)",
        Weather.EMBERS,
    ),
)
WEATHER_AMOUNTS = {"": 0.6, "slight": 0.35, "strong": 0.95}
_ALWAYS_STRONG = r"downpour|thunderstorm|monsoon|rainstorm|blizzard|snowstorm|sand ?storm|dust storm"
_ALWAYS_SLIGHT = r"drizzl|flurries|haz|mist"
TEXTURES: dict[str, str] = {
    "flicker": r"flicker(?:s|ing)?|strob(?:e|es|ing)|candle ?light|candlelit|guttering|buzzing neon",
    "grain": r"grain(?:y)?\b(?! of\b| fields?\b)|35 ?mm\b|16 ?mm\b|super ?8|8 ?mm film|shot on film|analogu?e film|vhs",
    "vignette": r"vignett(?:e|es|ing)",
    "blur": r"shallow (?:depth of field|focus|dof)|bokeh|blurr(?:ed|y) background|soft(?:ly blurred)? background"
    r"|f ?/ ?1\.\d",
}
SOUNDS: tuple[tuple[str, Sound], ...] = (
    (_RAIN, Sound.RAIN),
    (
        (
            r"wind(?:s|y)?\b(?! ?(?:turbines?|mills?|shield|screen|surf|chimes?))|breez(?:e|es|y)|gust(?:s|ing|y)?"
            r"|blizzard"
            r"|(?:sand|snow|dust) ?storm|gale|storm(?:y)?\b|mountain(?:s|top)?|desert|dunes?|cliffs?"
        ),
        Sound.WIND,
    ),
    (
        (
            r"city(?:scape)?|traffic|streets?|downtown|metropolis|urban|cars?\b(?! keys?)|crosswalk|skyline|avenue"
            r"|rush hour|taxis?"
        ),
        Sound.CITY,
    ),
    (
        (
            r"sea(?:side|shore)?\b|ocean|waves?\b(?! (?:at|to|goodbye|her|his))|surf\b|beach|shore(?:line)?|coast(?:al"
            r"|line)?|harbou?r"
        ),
        Sound.SEA,
    ),
    (
        (
            r"room(?: tone)?|interior|indoors?|kitchen|caf[eé]|office|restaurant|library|bedroom|hall(?:way)?|studio"
            r"|bar\b|museum|shop"
        ),
        Sound.ROOM,
    ),
    (r"(?:camp|bon)?fire(?:place|side)?\b|flames?|hearth|burning|crackl(?:e|es|ing)|embers", Sound.FIRE),
    (
        (
            r"birds?(?:song)?\b|bird song|chirp(?:s|ing)?|forest|woods?\b|woodland|garden|meadow|park\b(?!ing)|jungle"
            r"|seagulls?"
        ),
        Sound.BIRDS,
    ),
    (
        (
            r"hum(?:s|ming)?\b|drone\b(?= sound| tone| of)|machin(?:e|es|ery)|engine(?: room)?|spaceship|spacecraft"
            r"|server room|neon"
            r"|laborator(?:y|ies)|factory|electric buzz|buzz(?:ing)?"
        ),
        Sound.HUM,
    ),
)
# A thing that is named as a sound is louder than one that is only in the picture.
LEVEL_OF_A_THING, LEVEL_OF_A_SOUND, LEVEL_DISTANT = 0.5, 0.75, 0.3
_SOUND_CUE = (
    r"(?:sounds? of|sound:|audio:|sfx:|ambien(?:ce|t)(?: sounds?)?(?: of|:)?|hear|noise of|roar(?:s|ing)?"
    r"|howl\w{0,3}|crackl\w{0,3})"
)
SOUND_CUE_CHARS_MAX = 80  # distance from "audio:" to the thing
SILENCE = r"\b(?:silent|silence|no (?:sound|audio)|without (?:any )?(?:sound|audio)|muted? audio)\b"
MUSIC_OR_VOICE = (
    r"\b(?:music|song|soundtrack|score|piano|guitar|beat|dialogue|speaks?|speech|voice ?over"
    r"|narrat\w{1,4}|says|singing)\b"
)

_NEGATION = re.compile(
    r"\b(?:no|not|without|never|avoid|nor)(?: (?:any|a|the|more|sign of|visible))?(?: \w{1,12} or)? $"
)


def read_look(text: str) -> Look:
    """The look that the text describes."""
    textures = {name: _first_match(pattern, text) is not None for name, pattern in TEXTURES.items()}
    weather = {kind: amount for pattern, kind in WEATHERS if (amount := _weather_amount(pattern, text))}
    return Look(
        light=tuple(dict.fromkeys(light for pattern, light in LIGHTS if _first_match(pattern, text) is not None)),
        grade=tuple(dict.fromkeys(grade for pattern, grade in GRADES if _first_match(pattern, text) is not None)),
        weather=tuple(weather.items()),
        flicker=FLICKER * textures["flicker"],
        grain=GRAIN * textures["grain"],
        vignette=VIGNETTE * textures["vignette"],
        blur=BLUR * textures["blur"],
    )


def read_sounds(text: str) -> tuple[SoundLayer, ...]:
    """The sounds of what the text describes, the loudest first; none if it asks for silence."""
    if re.search(SILENCE, text):
        return ()
    layers: list[SoundLayer] = []
    for pattern, sound in SOUNDS:
        match = _first_match(pattern, text)
        if match is not None:
            before = re.split(r"[.;!?\n]", text[max(match.start() - SOUND_CUE_CHARS_MAX, 0) : match.start()])[-1]
            slight = re.search(rf"\b(?:{_SLIGHT}|quiet|far(?: off| away)?|muffled) (?:\w{{1,12}} )?$", before)
            level = (
                LEVEL_DISTANT
                if slight
                else LEVEL_OF_A_SOUND
                if re.search(_SOUND_CUE, before + match[0])
                else LEVEL_OF_A_THING
            )
            layers.append(SoundLayer(sound=sound, level=level))
    return tuple(sorted(layers, key=lambda layer: -layer.level)[:SOUND_LAYERS_MAX])


def describe_unsupported_sound(text: str, layers: Sequence[SoundLayer]) -> list[str]:
    """Notes on requested sound that is not supported."""
    match = re.search(MUSIC_OR_VOICE, text)
    notes = [f'music and voices are not supported, only ambient sound: "{match[0]}"'] if match else []
    if not layers:
        notes.append("the video is silent: nothing in the prompt matches a built-in sound")
    return notes


def _weather_amount(pattern: str, text: str) -> float:
    match = _first_match(pattern, text)
    if match is None:
        return 0.0
    before = text[max(match.start() - 16, 0) : match.end()]
    if re.search(rf"\b{_STRONG}\b|{_ALWAYS_STRONG}", before):
        return WEATHER_AMOUNTS["strong"]
    slight = re.search(rf"\b{_SLIGHT}\b|{_ALWAYS_SLIGHT}", before)
    return WEATHER_AMOUNTS["slight" if slight else ""]


def _first_match(pattern: str, text: str) -> re.Match[str] | None:
    """The first match that is not negated."""
    for match in re.finditer(rf"\b(?:{pattern})", text):
        if _NEGATION.search(text[max(match.start() - 40, 0) : match.start()]) is None:
            return match
    return None

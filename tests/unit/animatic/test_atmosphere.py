"""Look and sound of a prompt."""

import pytest

from framegate.animatic import direct
from framegate.animatic.prompt.atmosphere import LEVEL_DISTANT, LEVEL_OF_A_SOUND, LEVEL_OF_A_THING
from framegate.animatic.prompt.scene import Grade, Light, Look, Sound, SoundLayer, Weather


def look(prompt: str) -> Look:
    return direct(prompt, reference_count=1, seconds=4).look


def sounds(prompt: str) -> tuple[Sound, ...]:
    return tuple(layer.sound for layer in sound_layers(prompt))


def sound_layers(prompt: str) -> tuple[SoundLayer, ...]:
    return direct(prompt, reference_count=1, seconds=4, audio=True).sound_layers


@pytest.mark.parametrize(
    ("prompt", "light", "grade"),
    [
        ("golden hour, push in", (Light.GOLDEN_HOUR,), ()),
        ("a pier at sunset", (Light.GOLDEN_HOUR,), ()),
        ("the sun sets behind the hills", (Light.GOLDEN_HOUR,), ()),
        ("a street at night, neon signs", (Light.NEON, Light.NIGHT), ()),
        ("moonlit garden", (Light.NIGHT,), ()),
        ("blue hour over the bay", (Light.DAWN,), ()),
        ("at dawn", (Light.DAWN,), ()),
        ("overcast, flat light", (Light.OVERCAST,), ()),
        ("black and white", (), (Grade.BLACK_AND_WHITE,)),
        ("film noir, high contrast", (), (Grade.BLACK_AND_WHITE, Grade.CONTRAST)),
        ("sepia", (), (Grade.SEPIA,)),
        ("warm tones", (), (Grade.WARM,)),
        ("warm golden light", (Light.GOLDEN_HOUR,), (Grade.WARM,)),
        ("cold blue palette", (), (Grade.COLD,)),
        ("vivid, highly saturated colours", (), (Grade.VIVID,)),
        ("muted pastel colours", (), (Grade.FADED,)),
        ("not black and white", (), ()),
        ("a night stand in a warm sweater", (), ()),
        ("the nightclub owner", (), ()),
        ("a cold day", (), ()),
        ("neon green jacket", (), ()),
    ],
)
def test_light_and_grade_words_set_the_look(prompt: str, light: tuple[Light, ...], grade: tuple[Grade, ...]):
    result = look(prompt)

    assert (result.light, result.grade) == (light, grade)


@pytest.mark.parametrize(
    ("prompt", "weather"),
    [
        ("rain", ((Weather.RAIN, 0.6),)),
        ("heavy rain", ((Weather.RAIN, 0.95),)),
        ("light rain falls", ((Weather.RAIN, 0.35),)),
        ("a drizzle over the docks", ((Weather.RAIN, 0.35),)),
        ("a thunderstorm", ((Weather.RAIN, 0.95),)),
        ("a rain-soaked street", ()),
        ("no rain", ()),
        ("without any rain or snowfall", ()),
        ("a rainforest", ()),
        ("a raincoat on a hook", ()),
        ("it is snowing", ((Weather.SNOW, 0.6),)),
        ("snow falling softly", ((Weather.SNOW, 0.6),)),
        ("a cabin in a blizzard", ((Weather.SNOW, 0.95),)),
        ("snow at night", ((Weather.SNOW, 0.6),)),
        ("night, snow, handheld", ((Weather.SNOW, 0.6),)),
        ("footprints in the snow", ()),
        ("snow on the roofs", ()),
        ("a fox on snow", ()),
        ("snow-capped mountains", ()),
        ("thick fog", ((Weather.FOG, 0.95),)),
        ("morning mist", ((Weather.FOG, 0.35),)),
        ("dust motes in the light", ((Weather.DUST, 0.6),)),
        ("embers rise from the fire", ((Weather.EMBERS, 0.6),)),
        ("rain and fog", ((Weather.RAIN, 0.6), (Weather.FOG, 0.6))),
    ],
)
def test_weather_words_set_the_weather_and_its_strength(prompt: str, weather: tuple[tuple[Weather, float], ...]):
    assert look(prompt).weather == weather


@pytest.mark.parametrize(
    ("prompt", "field"),
    [
        ("flickering candlelight", "flicker"),
        ("35mm film grain", "grain"),
        ("shot on super 8", "grain"),
        ("a soft vignette", "vignette"),
        ("shallow depth of field", "blur"),
        ("bokeh", "blur"),
    ],
)
def test_texture_words_set_their_effect(prompt: str, field: str):
    assert getattr(look(prompt), field) > 0


@pytest.mark.parametrize(
    "prompt", ["", "a red car", "no grain", "a field of grain of wheat, no vignette", "slow push-in"]
)
def test_a_prompt_without_look_words_leaves_pictures_unchanged(prompt: str):
    assert look(prompt).is_neutral


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("rain on a tin roof", (Sound.RAIN,)),
        ("a city street", (Sound.CITY,)),
        ("waves at the beach, seagulls", (Sound.SEA, Sound.BIRDS)),
        ("a quiet library", (Sound.ROOM,)),
        ("a campfire in the forest", (Sound.FIRE, Sound.BIRDS)),
        ("spaceship engine room", (Sound.ROOM, Sound.HUM)),
        ("windy cliffs above the sea", (Sound.WIND, Sound.SEA)),
        ("no wind, just the sea", (Sound.SEA,)),
        ("a wind turbine", ()),
        ("she waves at us", ()),
        ("complete silence in the city", ()),
        ("a portrait", ()),
    ],
)
def test_sounds_match_the_things_in_the_prompt(prompt: str, expected: tuple[Sound, ...]):
    assert set(sounds(prompt)) == set(expected)


def test_a_named_sound_is_louder_than_a_thing_in_the_picture_and_a_distant_one_softer():
    assert sound_layers("audio: rain. A street with distant birds.") == (
        SoundLayer(sound=Sound.RAIN, level=LEVEL_OF_A_SOUND),
        SoundLayer(sound=Sound.CITY, level=LEVEL_OF_A_THING),
        SoundLayer(sound=Sound.BIRDS, level=LEVEL_DISTANT),
    )


def test_there_is_no_sound_unless_requested():
    assert direct("rain on the sea", reference_count=1, seconds=4).sound_layers == ()


def test_unsupported_sound_is_reported_in_notes():
    plan = direct("a portrait with upbeat music", reference_count=1, seconds=4, audio=True)

    assert plan.notes == (
        'music and voices are not supported, only ambient sound: "music"',
        "the video is silent: nothing in the prompt matches a built-in sound",
    )

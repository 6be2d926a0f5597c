"""The scene's words: what look and what sound they come to."""

import pytest

from framegate.animatic import direct
from framegate.animatic.prompt.atmosphere import LEVEL_DISTANT, LEVEL_OF_A_SOUND, LEVEL_OF_A_THING
from framegate.animatic.prompt.scene import Grade, Light, Look, Sound, SoundLayer, Weather


def look(prompt: str) -> Look:
    return direct(prompt, reference_count=1, seconds=4).look


def sounds(prompt: str) -> tuple[Sound, ...]:
    return tuple(one.sound for one in heard(prompt))


def heard(prompt: str) -> tuple[SoundLayer, ...]:
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
def test_light_and_grade_words_are_read(prompt: str, light: tuple[Light, ...], grade: tuple[Grade, ...]):
    found = look(prompt)

    assert (found.light, found.grade) == (light, grade)


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
def test_weather_words_are_read_with_their_strength(prompt: str, weather: tuple[tuple[Weather, float], ...]):
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
def test_textures_are_read(prompt: str, field: str):
    assert getattr(look(prompt), field) > 0


@pytest.mark.parametrize(
    "prompt", ["", "a red car", "no grain", "a field of grain of wheat, no vignette", "slow push-in"]
)
def test_a_prompt_that_says_nothing_of_the_look_leaves_pictures_as_they_are(prompt: str):
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
def test_sounds_are_those_of_what_is_named(prompt: str, expected: tuple[Sound, ...]):
    assert set(sounds(prompt)) == set(expected)


def test_a_sound_that_is_named_as_one_is_louder_than_a_thing_in_the_picture_and_a_distant_one_softer():
    assert heard("audio: rain. A street with distant birds.") == (
        SoundLayer(sound=Sound.RAIN, level=LEVEL_OF_A_SOUND),
        SoundLayer(sound=Sound.CITY, level=LEVEL_OF_A_THING),
        SoundLayer(sound=Sound.BIRDS, level=LEVEL_DISTANT),
    )


def test_nothing_is_heard_unless_sound_is_asked_for():
    assert direct("rain on the sea", reference_count=1, seconds=4).sound_layers == ()


def test_sound_that_cannot_be_made_is_said():
    plan = direct("a portrait with upbeat music", reference_count=1, seconds=4, audio=True)

    assert plan.notes == (
        'no music and no voices are made, only a bed of sound: "music"',
        "the sound is silence: the prompt names nothing that this engine has a sound for",
    )

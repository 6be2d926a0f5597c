"""Value types for what a prompt sets besides camera moves: framing, light, grade, weather, sound."""

from dataclasses import dataclass
from enum import StrEnum


class Framing(StrEnum):
    """How much of the subject a shot shows."""

    AS_IS = "as is"
    WIDE = "wide"
    MEDIUM = "medium"
    CLOSE = "close-up"
    EXTREME_CLOSE = "extreme close-up"


class Angle(StrEnum):
    """Camera angle of a shot; over a still picture, the position and tilt of the frame."""

    LEVEL = "level"
    LOW = "low angle"
    HIGH = "high angle"
    DUTCH = "dutch angle"


class Light(StrEnum):
    NIGHT = "night"
    NEON = "neon"
    GOLDEN_HOUR = "golden hour"
    DAWN = "dawn"
    OVERCAST = "overcast"


class Grade(StrEnum):
    BLACK_AND_WHITE = "black and white"
    SEPIA = "sepia"
    WARM = "warm"
    COLD = "cold"
    CONTRAST = "high contrast"
    FADED = "faded"
    VIVID = "vivid"


class Weather(StrEnum):
    RAIN = "rain"
    SNOW = "snow"
    FOG = "fog"
    DUST = "dust"
    EMBERS = "embers"


class Sound(StrEnum):
    RAIN = "rain"
    WIND = "wind"
    CITY = "city"
    SEA = "sea"
    ROOM = "room"
    FIRE = "fire"
    BIRDS = "birds"
    HUM = "hum"


@dataclass(frozen=True, kw_only=True)
class Look:
    """Light, grade, weather and lens effects of a whole video. Amounts are 0 to 1; 0 and empty mean unchanged."""

    light: tuple[Light, ...] = ()
    grade: tuple[Grade, ...] = ()
    weather: tuple[tuple[Weather, float], ...] = ()
    flicker: float = 0.0  # neon signs, candles
    grain: float = 0.0
    vignette: float = 0.0
    blur: float = 0.0  # depth of field: blur of the surroundings

    @property
    def is_neutral(self) -> bool:
        """Whether pictures are unchanged."""
        return self == Look()


@dataclass(frozen=True, kw_only=True)
class SoundLayer:
    """One layer of the ambient sound; `level` is 0 to 1."""

    sound: Sound
    level: float = 0.5

"""What a prompt asks of the whole clip besides the camera's moves: look, weather, sound. Frozen values, no pixels."""

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
    """From where a shot looks; over a still it is where the frame lies and how it leans."""

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
    """Light, grade and air of a whole clip. Amounts are 0 to 1; zero and empty mean untouched."""

    light: tuple[Light, ...] = ()
    grade: tuple[Grade, ...] = ()
    weather: tuple[tuple[Weather, float], ...] = ()
    flicker: float = 0.0  # neon signs, candles
    grain: float = 0.0
    vignette: float = 0.0
    blur: float = 0.0  # depth of field: how far the surroundings fall out of focus

    @property
    def is_neutral(self) -> bool:
        """Whether pictures stay as they are."""
        return self == Look()


@dataclass(frozen=True, kw_only=True)
class SoundLayer:
    """One layer of the sound bed; `level` is 0 to 1."""

    sound: Sound
    level: float = 0.5

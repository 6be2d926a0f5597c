"""The camera's words: which phrases mean which move, how far and how evenly. Data only.

Phrases are matched on lower-case text whose hyphens are spaces; the first table entry wins over later ones
that overlap it.
"""

from framegate.engine.shots import Easing, Move

OPPOSITE = {
    Move.PUSH_IN: Move.PULL_OUT,
    Move.PULL_OUT: Move.PUSH_IN,
    Move.PAN_LEFT: Move.PAN_RIGHT,
    Move.PAN_RIGHT: Move.PAN_LEFT,
    Move.TILT_UP: Move.TILT_DOWN,
    Move.TILT_DOWN: Move.TILT_UP,
    Move.TRUCK_LEFT: Move.TRUCK_RIGHT,
    Move.TRUCK_RIGHT: Move.TRUCK_LEFT,
    Move.PEDESTAL_UP: Move.PEDESTAL_DOWN,
    Move.PEDESTAL_DOWN: Move.PEDESTAL_UP,
    Move.ORBIT_LEFT: Move.ORBIT_RIGHT,
    Move.ORBIT_RIGHT: Move.ORBIT_LEFT,
    Move.ARC_LEFT: Move.ARC_RIGHT,
    Move.ARC_RIGHT: Move.ARC_LEFT,
    Move.ROLL_LEFT: Move.ROLL_RIGHT,
    Move.ROLL_RIGHT: Move.ROLL_LEFT,
    Move.LOCKED_OFF: Move.LOCKED_OFF,
}

_HOW = r"(?: (?:\w+ly|very|ever so|a bit|a little|further|straight|back))*"
_CAMERA = r"(?:camera|shot|view|lens|frame|we)"
_GOES = (
    r"(?:mov(?:e|es|ing)|drift(?:s|ing)?|glid(?:e|es|ing)|creep(?:s|ing)?|float(?:s|ing)?|travel(?:s|ling|ing)?"
    r"|go(?:es|ing)?|inch(?:es|ing)?|sweep(?:s|ing)?)"
)
_SIDEWAYS = (
    r"(?:pan(?:s|n(?:ing|ed))?|truck(?:s|ing)?|slid(?:e|es|ing)|track(?:s|ing)?|doll(?:y|ies|ying)|sweep(?:s|ing)?"
    rf"|{_CAMERA} {_GOES})"
)
_UPRIGHT = (
    r"(?:tilt(?:s|ing|ed)?|pan(?:s|ning)?|pedestal(?:s|ing)?|crane(?:s|ing)?|boom(?:s|ing)?|jib(?:s|bing)?"
    rf"|{_CAMERA} {_GOES})"
)
_MANNER = r"(?:slow|gentle|subtle|slight|smooth|quick|fast|dramatic|horizontal)"
_TO = r"(?: to| toward| towards)?(?: the)?"
# "She pulls out a letter" is no camera move; "the camera pulls out" is.
_NOT_A_THING = r"(?! (?:a|an|his|her|their|its|some)\b)"

PHRASES: tuple[tuple[str, Move], ...] = (
    (
        r"no (?:camera )?(?:movement|motion|camera moves?)|(?:without|zero) (?:any )?(?:camera )?(?:movement|motion)",
        Move.LOCKED_OFF,
    ),
    (r"lock(?:ed)? off|locked (?:camera|shot|frame)|(?:camera|shot|frame) (?:is )?locked", Move.LOCKED_OFF),
    (
        r"(?:static|still|fixed|stationary|motionless|unmoving|tripod) (?:camera|shot|frame|framing|view)",
        Move.LOCKED_OFF,
    ),
    (
        rf"{_CAMERA} (?:stays|holds|remains|is|stands|keeps){_HOW} (?:still|static|fixed|steady|stationary|motionless)",
        Move.LOCKED_OFF,
    ),
    (r"hold the (?:shot|frame)|(?:on|from) a tripod|camera does not move", Move.LOCKED_OFF),
    (rf"{_SIDEWAYS}{_HOW} from (?:the )?left to (?:the )?right|left to right (?:pan|truck|slide)", Move.PAN_RIGHT),
    (rf"{_SIDEWAYS}{_HOW} from (?:the )?right to (?:the )?left|right to left (?:pan|truck|slide)", Move.PAN_LEFT),
    (rf"{_SIDEWAYS}{_HOW}{_TO} left(?:wards?)?", Move.PAN_LEFT),
    (rf"{_SIDEWAYS}{_HOW}{_TO} right(?:wards?)?", Move.PAN_RIGHT),
    (r"left(?:wards?)? (?:pan|truck|slide)", Move.PAN_LEFT),
    (r"right(?:wards?)? (?:pan|truck|slide)", Move.PAN_RIGHT),
    (rf"{_UPRIGHT}{_HOW} from (?:the )?bottom to (?:the )?top", Move.TILT_UP),
    (rf"{_UPRIGHT}{_HOW} from (?:the )?top to (?:the )?bottom", Move.TILT_DOWN),
    (rf"{_UPRIGHT}{_HOW}(?: to the)? (?:up(?:wards?)?|top)", Move.TILT_UP),
    (rf"{_UPRIGHT}{_HOW}(?: to the)? (?:down(?:wards?)?|bottom)", Move.TILT_DOWN),
    (rf"up(?:wards?)? tilt|{_CAMERA}{_HOW} (?:rises|rising|lifts|ascends|climbs)", Move.TILT_UP),
    (rf"down(?:wards?)? tilt|{_CAMERA}{_HOW} (?:lowers|lowering|descends|sinks|drops)", Move.TILT_DOWN),
    (
        rf"{_CAMERA}{_HOW} (?:push|pull|zoom)(?:s|es|ing)?{_HOW} (?:in|into|inwards?|forwards?|closer)\b",
        Move.PUSH_IN,
    ),
    (rf"push(?:es|ing)?{_HOW} (?:in|into|forwards?|closer|towards?)\b{_NOT_A_THING}", Move.PUSH_IN),
    (rf"(?:zoom|truck|track)(?:s|ing)?{_HOW} (?:in|into|forwards?|closer)\b", Move.PUSH_IN),
    (rf"doll(?:y|ies|ying){_HOW} (?:in|into|forwards?|closer|towards?)\b", Move.PUSH_IN),
    (rf"{_CAMERA}{_HOW} {_GOES}{_HOW} (?:in|into|forwards?|closer|towards?)\b", Move.PUSH_IN),
    (rf"(?:close|closes|closing){_HOW} in on|mov(?:e|es|ing){_HOW} in (?:on|closer)", Move.PUSH_IN),
    (rf"{_CAMERA}{_HOW} pull(?:s|ing)?{_HOW} (?:out|back|backwards?|away)\b", Move.PULL_OUT),
    (rf"pull(?:s|ing)?{_HOW} (?:out|backwards?|away)\b{_NOT_A_THING}|pull back|pull(?:s|ing) back\b", Move.PULL_OUT),
    (rf"(?:zoom|truck|track)(?:s|ing)?{_HOW} (?:out|backwards?|away)\b|zoom(?:s|ing)? back\b", Move.PULL_OUT),
    (rf"doll(?:y|ies|ying){_HOW} (?:out|backwards?|away|back)\b", Move.PULL_OUT),
    (rf"{_CAMERA}{_HOW} {_GOES}{_HOW} (?:out|backwards?|back|away)\b", Move.PULL_OUT),
    (rf"(?:{_MANNER}|camera) (?:push|zoom)\b", Move.PUSH_IN),
    (rf"(?:pan(?:s|ning)?|{_MANNER} pan|camera pan) (?:across|over|along)", Move.PAN_RIGHT),
    (rf"{_MANNER} pan\b|camera pans?\b|panning (?:shot|camera)", Move.PAN_RIGHT),
)

# Moves that directors ask for and this engine does not make: said in the plan rather than passed over.
NOT_MADE: tuple[tuple[str, str], ...] = (
    (r"orbit(?:s|ing)?\b|circl(?:es|ing) around", "orbit"),
    (r"arc (?:shot|left|right|around)|camera arcs", "arc"),
    (r"camera rolls?\b|dutch (?:angle|tilt|roll)|barrel roll", "roll"),
    (r"hand ?held|shaky cam(?:era)?|camera shake", "handheld"),
    (r"dolly zoom|vertigo (?:shot|effect)", "dolly zoom"),
    (r"fly ?through|drone shot|fpv", "fly-through"),
)

AMOUNTS: dict[str, float] = {
    "tiny": 0.35,
    "barely": 0.35,
    "slight": 0.5,
    "slightly": 0.5,
    "subtle": 0.5,
    "subtly": 0.5,
    "gentle": 0.65,
    "gently": 0.65,
    "soft": 0.65,
    "softly": 0.65,
    "modest": 0.8,
    "long": 1.3,
    "strong": 1.5,
    "strongly": 1.5,
    "big": 1.5,
    "bold": 1.5,
    "deep": 1.5,
    "dramatic": 1.9,
    "dramatically": 1.9,
    "extreme": 2.4,
}
SPEEDS: dict[str, float] = {
    "creeping": 0.5,
    "slow": 0.6,
    "slowly": 0.6,
    "leisurely": 0.7,
    "calm": 0.7,
    "calmly": 0.7,
    "lazy": 0.7,
    "fast": 1.6,
    "quick": 1.6,
    "quickly": 1.6,
    "rapid": 1.7,
    "rapidly": 1.7,
    "swift": 1.5,
    "swiftly": 1.5,
    "brisk": 1.4,
    "briskly": 1.4,
    "whip": 2.2,
}
INTENSIFIERS = frozenset({"very", "really", "extremely", "super", "ultra"})
EASINGS: dict[str, Easing] = {
    "smooth": Easing.SMOOTH,
    "smoothly": Easing.SMOOTH,
    "eased": Easing.GENTLE,
    "floating": Easing.GENTLE,
    "steady": Easing.STEADY,
    "steadily": Easing.STEADY,
    "constant": Easing.STEADY,
    "linear": Easing.STEADY,
    "even": Easing.STEADY,
}
# Words that may stand with a modifier in a part of their own: "…, slowly and with a smooth ease, …".
FILLERS = frozenset({"a", "an", "the", "and", "with", "in", "at", "but", "ease", "pace", "speed", "move", "movement"})

NEGATIONS = r"\b(?:no|not|never|without|avoid|do(?:es)?n'?t)(?: \w+){0,2} $"
SEQUENCE = r"[.;!?\n]+|,? ?\b(?:and )?(?:then|next|afterwards?|after that|followed by|finally|before)\b,?|\bcut to\b"
CUTS = r"\b(?:hard|straight|jump|smash|sharp)[ -]cuts?\b|\bcuts? (?:to|between)\b|\bno (?:dissolve|cross ?fade)s?\b"
ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")

"""Vocabulary of camera moves: phrases, modifiers and connecting words. Data only.

Phrases are matched on normalized text (lower case, hyphens as spaces). If matches overlap, the entry that is first in
the table wins. Every pattern is bounded, so that the time of a match is proportional to the length of the prompt.
"""

from enum import StrEnum

from framegate.animatic.plan.shots import Easing, Move

_REVERSED = {
    Move.PUSH_IN: Move.PULL_OUT,
    Move.PAN_LEFT: Move.PAN_RIGHT,
    Move.TILT_UP: Move.TILT_DOWN,
    Move.TRUCK_LEFT: Move.TRUCK_RIGHT,
    Move.PEDESTAL_UP: Move.PEDESTAL_DOWN,
    Move.ORBIT_LEFT: Move.ORBIT_RIGHT,
    Move.ARC_LEFT: Move.ARC_RIGHT,
    Move.ROLL_LEFT: Move.ROLL_RIGHT,
}
OPPOSITE: dict[Move, Move] = {**_REVERSED, **{reverse: move for move, reverse in _REVERSED.items()}}

# Moves that "…, then left" or "… and back out" mean after a given move.
_PANS = {"left": Move.PAN_LEFT, "right": Move.PAN_RIGHT, "up": Move.TILT_UP, "down": Move.TILT_DOWN}
_TRUCKS = {"left": Move.TRUCK_LEFT, "right": Move.TRUCK_RIGHT, "up": Move.PEDESTAL_UP, "down": Move.PEDESTAL_DOWN}
_ZOOMS = {"in": Move.PUSH_IN, "out": Move.PULL_OUT, "away": Move.PULL_OUT}
_TURNS = ((Move.ORBIT_LEFT, Move.ORBIT_RIGHT), (Move.ARC_LEFT, Move.ARC_RIGHT), (Move.ROLL_LEFT, Move.ROLL_RIGHT))
CONTINUATIONS: dict[Move, dict[str, Move]] = {
    **dict.fromkeys(_PANS.values(), _PANS | _ZOOMS),
    **dict.fromkeys(_TRUCKS.values(), _TRUCKS | _ZOOMS),
    **dict.fromkeys(_ZOOMS.values(), _ZOOMS | _PANS),
    **{move: {"left": left, "right": right} for left, right in _TURNS for move in (left, right)},
}
CONTINUATION = r"(?:back )?(?:to the )?(?P<direction>left|right|up|down|in|out|away)(?:wards?)?(?: again)?(?![\w'])"

# Start of a camera instruction: "hold …" at such a place is one, in "they hold …" it is not.
CUE = (
    r"(?:^|(?<=[.;,:!?\n\])])|(?<=[.;,:!?\n\])] )|(?<=\bthen )|(?<=\band )|(?<=\bwhile )|(?<=\bnext )|(?<=\bfinally )"
    r"|(?<=\bcamera )|(?<=\bshot )|(?<=\bwe )|(?<=\ba )|(?<=\ban )|(?<=\bthe )|(?<=\bwith )|(?<=\bto )|(?<=\bby )"
    r"|(?<=\bof )|(?<=\binto )|(?<=\bslow )|(?<=\bslowly )|(?<=\bgentle )|(?<=\bgently )|(?<=\bsmooth )"
    r"|(?<=\bsmoothly )"
    r"|(?<=\bsubtle )|(?<=\bfast )|(?<=\bquick )|(?<=\bslight )|(?<=\bdramatic )|(?<=\bdegree )|(?<=\bsecond )"
    r"|(?<=\ds ))"
)
# Start of a sentence or part: for verbs that can also describe a subject.
_ORDER = (
    r"(?:^|(?<=[.;,:!?\n\])])|(?<=[.;,:!?\n\])] )|(?<=\bthen )|(?<=\band )|(?<=\bcamera )|(?<=\bshot )"
    r"|(?<=\bhalf )|(?<=\bseconds ))"
)

_ALONE = r"(?= ?(?:[,.;!\n]|$|(?:and|then|while)\b))"
_HOW = r"(?: (?:\w{1,20}ly|very|ever so|a bit|a little|further|straight|back|away|around|to)){0,4}"
_CAMERA = r"(?:camera|shot|view|lens|frame|we)"
_WILL = r"(?: (?:should|will|must|can|then|also|begins to|starts to|is))?"
_GOES = (
    r"(?:mov(?:e|es|ing)|drift(?:s|ing)?|glid(?:e|es|ing)|creep(?:s|ing)?|float(?:s|ing)?|travel(?:s|ling|ing)?"
    r"|go(?:es|ing)?|inch(?:es|ing)?|eas(?:e|es|ing)|fl(?:y|ies|ying))"
)
_ALONG = r"(?: (?:over|across|along|past|through|around) (?:[\w']{1,20} ){0,3}?[\w']{1,20})?"
_TO = rf"{_HOW}{_ALONG}(?: to| toward| towards)?(?: the)?"
_PANS_BY_NAME = r"(?:pan(?:s|n(?:ing|ed))?|sweep(?:s|ing)?|swivel(?:s|ling|ing)?)"
_TURNS_HEAD = rf"(?:{_PANS_BY_NAME}|{_CAMERA}{_WILL}{_HOW} (?:turn(?:s|ing)?|look(?:s|ing)?|swing(?:s|ing)?))"
_CARRIES = (
    r"(?:truck(?:s|ing)?|slid(?:e|es|ing)|track(?:s|ing)?|doll(?:y|ies|ying)|crab(?:s|bing)?"
    rf"|{_CAMERA}{_WILL}{_HOW} {_GOES}|(?:slow|subtle|gentle|slight|lateral|steady) (?:drift|glide|move))"
)
_LOOKS = rf"(?:tilt(?:s|ing|ed)?|pan(?:s|ning)?|{_CAMERA}{_WILL}{_HOW} look(?:s|ing)?)"
_LIFTS = (
    r"(?:pedestal(?:s|ing)?|crane(?:s|ing)?|craning|boom(?:s|ing)?|jib(?:s|bing)?"
    rf"|{_CAMERA}{_WILL}{_HOW} {_GOES})"
)
_RISES = (
    r"(?:raise|raises|rise|rises|rising|lift|lifts|lifting|ascend|ascends|ascending|climb|climbs|climbing|crane|cranes)"
)
_SINKS = r"(?:lower|lowers|lowering|descend|descends|descending|sink|sinks|sinking|drop|drops|dropping)"
_MANNER = r"(?:slow|gentle|subtle|slight|smooth|quick|fast|dramatic|horizontal|whip|swift|steady|lateral)"
_CIRCLES = r"(?:orbit(?:s|ing)?|circl(?:e|es|ing)|revolv(?:e|es|ing))"
_ROLLS = r"(?:roll(?:s|ing)?|rotat(?:e|es|ing))"
_LEFT = r"left(?:wards?)?(?! (?:hand|arm|eye|side|of)\b)"
_RIGHT = r"right(?:wards?)?(?! (?:hand|arm|eye|side|of)\b)"
# "She pulls out a letter" is not a camera move; "the camera pulls out" is.
_NOT_FURNITURE = r"(?! (?:bed|sofa|couch|drawer|tray|shelf|table)\b)"
_NOT_A_THING = r"(?! (?:a|an|his|her|their|its|some|my|your)\b)"
_CLOCKWISE, _COUNTER = r"(?<!counter )(?<!anti )clockwise", r"(?:counter|anti) ?clockwise"

_BEGINS = r"(?:start|begin|open)(?:s|ing)? (?:(?:on|with|in|at|as) )?(?:a |an |the )?(?:extreme )?"
_ENDS = (
    r"(?: \w{1,12}){0,4},? (?:and |then |and then )?(?:slowly )?end(?:s|ing)? (?:up )?(?:on|in|with|at|as)"
    r" (?:a |an |the )?(?:extreme )?"
)

PHRASES: tuple[tuple[str, Move], ...] = (
    (
        r"(?:avoid|without|no|never)(?: any)? (?:moving the camera|camera (?:movements?|motion|moves?|moving))\b",
        Move.LOCKED_OFF,
    ),
    (rf"{_ORDER}(?:keep|stay|remain)s? (?:still|static|steady)\b|{_ORDER}static (?=for\b|until\b)", Move.LOCKED_OFF),
    (rf"{_LOOKS}{_HOW} from (?:[\w']{{1,20}} ){{1,4}}up(?:wards?)?\b|bottom to top (?:pan|tilt)", Move.TILT_UP),
    (rf"{_LOOKS}{_HOW} from (?:[\w']{{1,20}} ){{1,4}}down(?:wards?)?\b|top to bottom (?:pan|tilt)", Move.TILT_DOWN),
    (rf"{_BEGINS}(?:wide|long|full|establishing){_ENDS}(?:tight )?close(?: up)?", Move.PUSH_IN),
    (rf"{_BEGINS}close(?: up)?{_ENDS}(?:wide|long|full)(?: shot)?", Move.PULL_OUT),
    (
        r"no (?:camera )?(?:movement|motion|camera moves?)|(?:without|zero) (?:any )?(?:camera )?(?:movement|motion)",
        Move.LOCKED_OFF,
    ),
    (
        r"(?:do not|don't|never) (?:move the camera|camera move)|camera (?:does|should|must|will) not move",
        Move.LOCKED_OFF,
    ),
    (r"camera (?:doesn't|shouldn't|won't|never) moves?\b|keep the camera (?:still|fixed|steady)", Move.LOCKED_OFF),
    (r"lock(?:ed)? (?:off|down)|locked (?:camera|shot|frame)|(?:camera|shot|frame) (?:is )?locked", Move.LOCKED_OFF),
    (
        (
            r"(?:static|still|fixed|stationary|motionless|unmoving|tripod) (?:camera|shot|frame|framing|view|wide"
            r"|medium)\b"
        ),
        Move.LOCKED_OFF,
    ),
    (
        (
            rf"{_CAMERA} (?:stays|holds|remains|is|stands|keeps){_HOW} "
            r"(?:still|static|fixed|steady|stationary|motionless|in place)"
        ),
        Move.LOCKED_OFF,
    ),
    (rf"{CUE}(?:completely |fully |totally )?static(?= ?[,.;!\n]|$)", Move.LOCKED_OFF),
    (r"static close up|(?:on|from) a tripod|freeze frame|sticks shot", Move.LOCKED_OFF),
    (rf"{_CIRCLES}{_HOW} {_COUNTER}|{_COUNTER} (?:orbit|circle)", Move.ORBIT_RIGHT),
    (rf"{_CIRCLES}{_HOW} {_CLOCKWISE}|{_CLOCKWISE} (?:orbit|circle)", Move.ORBIT_LEFT),
    (rf"{_CIRCLES}{_TO} {_LEFT}|left(?:ward)? orbit", Move.ORBIT_LEFT),
    (rf"{_CIRCLES}{_TO} {_RIGHT}|right(?:ward)? orbit", Move.ORBIT_RIGHT),
    (rf"(?:{_CAMERA}{_WILL}{_HOW} |{_MANNER} )(?:orbit(?:s|ing)?|circl(?:e|es|ing))\b", Move.ORBIT_RIGHT),
    (
        (
            rf"{_CAMERA}{_WILL}{_HOW} (?:revolv|rotat|spin|swing|mov|go|fl|travel|curv|wrap)\w{{0,4}}{_HOW} (?:around"
            rf"|about)\b"
        ),
        Move.ORBIT_RIGHT,
    ),
    (
        rf"{CUE}(?:orbiting\b|circling around\b|orbit (?!of\b))|orbit(?:al)? (?:shot|move|movement|camera)",
        Move.ORBIT_RIGHT,
    ),
    (r"360(?: degrees?|°)? (?:orbit|spin|turn|rotation|shot|view|around)|turntable|bullet time", Move.ORBIT_RIGHT),
    (
        (
            rf"{CUE}(?:rotat(?:e|ing)|spin(?:ning)?|revolv(?:e|ing)) (?:slowly |gently )?around (?=the\b|her\b|him\b"
            rf"|it\b|@)"
        ),
        Move.ORBIT_RIGHT,
    ),
    (rf"{CUE}(?:slow |gentle |smooth |fast )?orbit\b", Move.ORBIT_RIGHT),
    (rf"arc(?:s|ing)?{_TO} {_LEFT}|left(?:ward)? arc\b|arc(?:s|ing)?{_HOW} {_CLOCKWISE}", Move.ARC_LEFT),
    (rf"arc(?:s|ing)?{_TO} {_RIGHT}|right(?:ward)? arc\b|arc(?:s|ing)?{_HOW} {_COUNTER}", Move.ARC_RIGHT),
    (
        rf"{_CAMERA}{_WILL}{_HOW} arc(?:s|ing)?\b|arc shot|(?:camera|{_MANNER}) arc\b|arcing (?:shot|around)",
        Move.ARC_RIGHT,
    ),
    (rf"{CUE}arc around\b|half circle around\b|semi ?circle around\b", Move.ARC_RIGHT),
    (rf"{_CAMERA}{_WILL}{_HOW} {_ROLLS}{_TO} {_LEFT}|{CUE}roll(?:s|ing)? {_LEFT}|left roll\b", Move.ROLL_LEFT),
    (rf"{_CAMERA}{_WILL}{_HOW} {_ROLLS}{_HOW} {_COUNTER}|{CUE}roll(?:s|ing)?{_HOW} {_COUNTER}", Move.ROLL_LEFT),
    (rf"{_COUNTER} roll\b|{_ORDER}rotating{_HOW} {_COUNTER}", Move.ROLL_LEFT),
    (rf"{_ORDER}rotating{_HOW} {_CLOCKWISE}", Move.ROLL_RIGHT),
    (
        rf"{_CAMERA}{_WILL}{_HOW} {_ROLLS}\b{_HOW}(?: {_RIGHT}| {_CLOCKWISE})?|{CUE}roll(?:s|ing)? {_RIGHT}",
        Move.ROLL_RIGHT,
    ),
    (
        rf"right roll\b|{_CLOCKWISE} roll\b|{CUE}roll(?:s|ing)?{_HOW} {_CLOCKWISE}|barrel roll|dutch roll",
        Move.ROLL_RIGHT,
    ),
    (rf"{_TURNS_HEAD}{_TO} (?:from (?:the )?)?left to (?:the )?right|left to right (?:pan|sweep)", Move.PAN_RIGHT),
    (rf"{_TURNS_HEAD}{_TO} (?:from (?:the )?)?right to (?:the )?left|right to left (?:pan|sweep)", Move.PAN_LEFT),
    (
        rf"{_CARRIES}{_TO} (?:from (?:the )?)?left to (?:the )?right|left to right (?:truck|slide|track|dolly)",
        Move.TRUCK_RIGHT,
    ),
    (
        rf"{_CARRIES}{_TO} (?:from (?:the )?)?right to (?:the )?left|right to left (?:truck|slide|track|dolly)",
        Move.TRUCK_LEFT,
    ),
    (rf"{_TURNS_HEAD}{_TO} {_LEFT}|left(?:wards?)? pan\b", Move.PAN_LEFT),
    (rf"{_TURNS_HEAD}{_TO} {_RIGHT}|right(?:wards?)? pan\b", Move.PAN_RIGHT),
    (rf"{_CARRIES}{_TO} {_LEFT}|left(?:wards?)? (?:truck|slide|track|dolly)\b", Move.TRUCK_LEFT),
    (rf"{_CARRIES}{_TO} {_RIGHT}|right(?:wards?)? (?:truck|slide|track|dolly)\b", Move.TRUCK_RIGHT),
    (rf"{_LOOKS}{_HOW} from (?:the )?bottom to (?:the )?top", Move.TILT_UP),
    (rf"{_LOOKS}{_HOW} from (?:the )?top to (?:the )?bottom", Move.TILT_DOWN),
    (rf"{_LOOKS}{_TO} (?:up(?:wards?)?|top)\b|up(?:wards?)? tilt\b", Move.TILT_UP),
    (rf"{_LOOKS}{_TO} (?:down(?:wards?)?|bottom)\b|down(?:wards?)? tilt\b", Move.TILT_DOWN),
    (rf"{_LIFTS}{_TO} (?:up(?:wards?)?|top)\b|{_CAMERA}{_WILL}{_HOW} {_RISES}\b", Move.PEDESTAL_UP),
    (rf"{_LIFTS}{_TO} (?:down(?:wards?)?|bottom)\b|{_CAMERA}{_WILL}{_HOW} {_SINKS}\b", Move.PEDESTAL_DOWN),
    (
        r"(?:rising|ascending|crane|jib|boom|elevator) (?:shot|camera|move)\b|up(?:wards?)? (?:crane|pedestal)",
        Move.PEDESTAL_UP,
    ),
    (r"(?:lowering|descending) (?:shot|camera|move)\b|down(?:wards?)? (?:crane|pedestal)", Move.PEDESTAL_DOWN),
    (
        rf"{_CAMERA}{_WILL}{_HOW} (?:push|pull|zoom)(?:s|es|ing)?{_HOW} (?:in|into|inwards?|forwards?|closer)\b",
        Move.PUSH_IN,
    ),
    (rf"push(?:es|ing)?{_HOW} (?:in|into|forwards?|closer|towards?)\b{_NOT_A_THING}", Move.PUSH_IN),
    (rf"(?:zoom|truck|track)(?:s|ing)?{_HOW} (?:in|into|forwards?|closer|towards?|on)\b", Move.PUSH_IN),
    (rf"doll(?:y|ies|ying){_HOW} (?:in|into|forwards?|closer|towards?)\b", Move.PUSH_IN),
    (rf"{_CAMERA}{_WILL}{_HOW} {_GOES}{_HOW} (?:in|into|forwards?|closer|nearer|towards?)\b", Move.PUSH_IN),
    (rf"{_CAMERA}{_WILL}{_HOW} (?:approach(?:es|ing)?|advanc(?:e|es|ing)|near(?:s|ing))\b", Move.PUSH_IN),
    (
        rf"(?:close|closes|closing){_HOW} in on|mov(?:e|es|ing){_HOW} in (?:on|closer)|creep(?:s|ing)? in\b",
        Move.PUSH_IN,
    ),
    (r"(?:crash|snap|punch|speed) (?:zoom|in)\b|(?:move|get|come|drift|ease) (?:slowly )?closer\b", Move.PUSH_IN),
    (
        (
            r"from (?:a |an )?(?:extreme )?(?:wide|long|medium|full)(?: shot)? (?:in )?(?:to|into) (?:a "
            r"|an )?(?:extreme )?close"
        ),
        Move.PUSH_IN,
    ),
    (rf"{_CAMERA}{_WILL}{_HOW} pull(?:s|ing)?{_HOW} (?:out|back|backwards?|away)\b", Move.PULL_OUT),
    (
        rf"pull(?:s|ing)?{_HOW} (?:out|backwards?|away)\b{_NOT_A_THING}{_NOT_FURNITURE}|pull back|pull(?:s|ing) back\b",
        Move.PULL_OUT,
    ),
    (rf"(?:zoom|truck|track)(?:s|ing)?{_HOW} (?:out|backwards?|away)\b|zoom(?:s|ing)? back\b", Move.PULL_OUT),
    (rf"doll(?:y|ies|ying){_HOW} (?:out|backwards?|away|back)\b", Move.PULL_OUT),
    (rf"{_CAMERA}{_WILL}{_HOW} {_GOES}{_HOW} (?:out|backwards?|back|away)\b", Move.PULL_OUT),
    (
        rf"{_CAMERA}{_WILL}{_HOW} (?:retreat|recede|withdraw|widen)(?:s|ing)?\b|(?:pull|dolly) out\b|reveal shot",
        Move.PULL_OUT,
    ),
    (
        (
            r"from (?:a |an )?(?:extreme )?close(?: up)?(?: shot)? (?:out )?(?:to|into) (?:a |an )?(?:wide|medium|full"
            r"|long)"
        ),
        Move.PULL_OUT,
    ),
    (rf"(?:{_MANNER}|camera) (?:push|zoom|dolly)\b", Move.PUSH_IN),
    (
        rf"{CUE}zoom(?:s|ing)?\b(?! (?:call|lens|meeting))|{CUE}push\b(?= on\b)|ken burns(?! (?:zoom|pan|push|pull))",
        Move.PUSH_IN,
    ),
    (rf"(?:pan(?:s|ning)?|{_MANNER} pan|camera pan) (?:across|over|along|past)", Move.PAN_RIGHT),
    (rf"{_MANNER} pan\b|camera pans?\b|panning (?:shot|camera)|whip pan|panoramic (?:sweep|move)", Move.PAN_RIGHT),
    (rf"{_CAMERA}{_WILL}{_HOW} sweeps?\b|sweeping (?:shot|camera)", Move.PAN_RIGHT),
    (
        r"track(?:ing)? shot|trucking shot|slider shot|lateral (?:move|movement|slide|tracking)|side(?:ways)? tracking",
        Move.TRUCK_RIGHT,
    ),
    (
        rf"(?:camera|{_MANNER}) (?:truck|slide|track)s?\b|{_CAMERA}{_WILL}{_HOW} (?:tracks|slides|trucks|glides)\b",
        Move.TRUCK_RIGHT,
    ),
    (rf"{_MANNER} tilt\b|camera tilts\b|{_ORDER}tilt{_ALONE}", Move.TILT_UP),
    (rf"{_ORDER}pan{_ALONE}", Move.PAN_RIGHT),
    (rf"{_ORDER}push{_ALONE}|(?:subtle|minimal|slight|gentle|slow) camera (?:movement|motion|move)s?", Move.PUSH_IN),
    (r"parallax(?= (?:effect|shot|move|movement)\b| ?[,.;]|$)", Move.TRUCK_RIGHT),
    (r"pov (?:walk|mov)\w{0,4} (?:forward|through|into|down)\b|walk ?through (?:of|shot|tour)\b", Move.PUSH_IN),
    (r"pan(?:s|ning)? from\b", Move.PAN_RIGHT),
    (rf"{_MANNER} (?:pedestal|crane|boom)\b", Move.PEDESTAL_UP),
)
# A hold is a stop in time, unlike a locked-off shot: other moves come before or after it.
HOLD = (
    rf"{_ORDER}(?:slowly |briefly |just )?(?:hold|holds|holding|pause|pauses|pausing|linger|lingers|lingering|wait"
    rf"|waits)"
    r"(?= (?:for|on|there|still|steady|here|a|briefly|until|at|the (?:shot|frame|view|position|image|picture|last"
    r"|first)"
    r"|one|two|three|four|five|half)\b| \(?\d| ?(?:[.,;:!?\n]|$))"
    r"|(?:is |are )?held (?=for\b|still\b)|(?:\d+|one|two|three|four|five|a)(?:s| sec| second| seconds?)? (?:hold"
    r"|pause)\b"
    rf"|{_CAMERA}{_WILL} (?:holds?|pauses?|lingers?|rests?|settles?|stops?)(?= on\b| for\b|[.,;]|$)"
)

NEGATION = (
    r"\b(?:no|not|never|without|avoid|nor|do(?:es)?n'?t|shouldn't|won't|instead of|rather than)(?: [\w']+){0,2} $"
)
EXCLUDABLE: tuple[tuple[str, frozenset[Move]], ...] = (
    (r"(?:zoom(?:s|ing)?|push(?:ing)? in)\b", frozenset({Move.PUSH_IN, Move.PULL_OUT})),
    (r"pan(?:s|ning)?\b", frozenset({Move.PAN_LEFT, Move.PAN_RIGHT})),
    (r"tilt(?:s|ing)?\b", frozenset({Move.TILT_UP, Move.TILT_DOWN})),
)
HANDHELD = r"hand ?held|shaky(?: cam(?:era)?)?|camera shake|shaking camera|camera shakes|camera sways?|swaying camera"


class ClauseBreak(StrEnum):
    """How a clause is separated from the previous clause."""

    SENTENCE = "sentence"
    START = "start"
    THEN = "then"
    CUT = "cut"
    LABEL = "label"


THEN = (
    r",? ?\b(?:and )?(?:then|next(?! to\b| door\b)|afterwards?|after (?:that|which)|followed by|finally"
    r"|before(?= \w+ing\b)"
    r"|and end(?:s|ing)? (?:with|on|in)|end(?:s|ing)? (?:with|on)|lastly|last(?=,)|subsequently|transition(?:s"
    r"|ing)? (?:to|into)"
    r"|dissolv(?:e|es|ing) (?:to|into)|cross ?fad(?:e|es|ing) (?:to|into)|fad(?:e|es|ing) (?:to|into)(?! black\b"
    r"| white\b))\b,?"
)
CUT = r",? ?\b(?:and )?(?:then )?(?:hard |smash |jump |quick |sharp |straight )?cut(?:s|ting)? (?:back )?to\b"
START = r"\b(?:start|begin|open)(?:s|ing)? (?:with|on|from|at|in|as)\b|\bfirst(?=,)|\bfirst we see\b|\bthe opening\b"
ALL_CUTS = (
    r"\b(?:hard|straight|jump|smash|sharp|quick|fast|rapid|punchy)[ -]cuts?\b(?! to\b)|\bcuts? between\b|\bcuts only\b"
    r"|\bno (?:dissolve|cross ?fade|fade|transition)s?\b|\bquick cutting\b|\bcut on the beat\b|\bmontage\b"
)
ALL_DISSOLVES = (
    r"\b(?:dissolves?|dissolving|cross ?fad(?:es?|ing)|soft transitions?|blend(?:s|ing)? (?:into|between))\b"
)
NO_CUTS = r"\b(?:no|without(?: any)?|never) (?:hard |jump )?cuts?\b|\bone (?:take|shot)\b|\bsingle take\b|\boner\b"

AMOUNTS: dict[str, float] = {
    "tiny": 0.35,
    "barely": 0.35,
    "imperceptible": 0.35,
    "imperceptibly": 0.35,
    "slight": 0.5,
    "slightly": 0.5,
    "subtle": 0.5,
    "subtly": 0.5,
    "small": 0.5,
    "gentle": 0.65,
    "gently": 0.65,
    "soft": 0.65,
    "softly": 0.65,
    "delicate": 0.65,
    "modest": 0.8,
    "long": 1.3,
    "sweeping": 1.4,
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
    "lazy": 0.7,
    "lazily": 0.7,
    "gradual": 0.7,
    "gradually": 0.7,
    "patient": 0.7,
    "unhurried": 0.7,
    "brisk": 1.4,
    "briskly": 1.4,
    "swift": 1.5,
    "swiftly": 1.5,
    "fast": 1.6,
    "quick": 1.6,
    "quickly": 1.6,
    "rapid": 1.7,
    "rapidly": 1.7,
    "sudden": 1.9,
    "suddenly": 1.9,
    "snap": 2.2,
    "crash": 2.2,
    "whip": 2.2,
}
INTENSIFIERS = frozenset({"very", "really", "extremely", "super", "ultra", "incredibly", "ever", "so"})
EASINGS: dict[str, Easing] = {
    "smooth": Easing.SMOOTH,
    "smoothly": Easing.SMOOTH,
    "eased": Easing.GENTLE,
    "floating": Easing.GENTLE,
    "gliding": Easing.GENTLE,
    "steady": Easing.STEADY,
    "steadily": Easing.STEADY,
    "constant": Easing.STEADY,
    "linear": Easing.STEADY,
    "even": Easing.STEADY,
}
# Words allowed in a part that has only modifiers: "…, slowly and with a smooth ease, …".
FILLERS = frozenset({"a", "an", "the", "and", "with", "in", "at", "but", "ease", "pace", "speed", "move", "movement"})

ORDINALS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")

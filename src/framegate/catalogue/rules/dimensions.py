"""How long, how large and how fast: duration, resolution, aspect ratio, size, frame rate."""

from collections.abc import Iterator, Sequence
from math import log

from framegate.catalogue.dimensions import canonical, every_size, named_by, pixels, ratio_of, short_side_px, size_of
from framegate.catalogue.rules.context import CheckContext, listed, shown, shown_number
from framegate.domain import Problem, Role, Target

NOMINAL_FPS = 24  # where a model's own rate is not known


def problems(context: CheckContext) -> Iterator[Problem]:
    """The problems of a request's length, size and frame rate."""
    yield from _duration(context)
    yield from _resolution(context)
    yield from _aspect_ratio(context)
    yield from _size(context)
    yield from _fps(context)


def settle(context: CheckContext) -> Target:
    """The video that a legal request asks for."""
    resolution, ratio = chosen(context)
    width, height = pixels(context.request.size or "") or _made(context, resolution, ratio)
    request, audio = context.request, context.limits.audio
    wanted = context.defaults.audio if request.generate_audio is None else request.generate_audio
    return Target(
        width=width,
        height=height,
        fps=request.fps or context.defaults.fps or NOMINAL_FPS,
        duration=request.duration or context.defaults.duration,
        audio=audio == "always" or (audio != "never" and wanted),
        seed=request.seed,
        resolution=None if context.limits.resolutions == () else resolution,
        aspect_ratio=None if context.limits.aspect_ratios == () else ratio,
        source_seconds=0.0 if context.limits.extends and context.has(Role.SOURCE) else None,
    )


def chosen(context: CheckContext) -> tuple[str, str]:
    """Resolution and aspect ratio that the request comes to, each by its own field, else by `size`, else by default."""
    request = context.request
    by_size = named_by(context.limits, request.size) if request.size is not None else None
    resolution, ratio = by_size or (context.defaults.resolution, context.defaults.aspect_ratio)
    return (
        canonical(request.resolution) if request.resolution is not None else resolution,
        request.aspect_ratio if request.aspect_ratio is not None else ratio,
    )


def durations(context: CheckContext) -> tuple[int, ...] | None:
    """The seconds that this request may ask for: those of the model, less what its rules take away."""
    allowed = context.limits.durations
    resolution = chosen(context)[0]
    for rule in context.limits.duration_rules:
        with_role = rule.role is not None and context.has(rule.role)
        if with_role or resolution in rule.resolutions:
            allowed = tuple(seconds for seconds in rule.durations if allowed is None or seconds in allowed)
    return allowed


def _duration(context: CheckContext) -> Iterator[Problem]:
    asked, allowed = context.request.duration, durations(context)
    if asked is None or (asked >= 1 if allowed is None else asked in allowed):
        return
    if allowed is None:
        yield _problem("duration", f"must be at least 1 s, not {shown_number(asked)} s.", None, 1)
    elif not allowed:
        yield _problem("duration", f"{context.subject} decides the length itself. Leave it out.", [], None)
    else:
        nearest = min(allowed, key=lambda seconds: (abs(seconds - asked), seconds))
        text = f"{context.subject} makes {listed(allowed, unit=' s')}{_because(context, allowed)}, not {shown_number(asked)} s."
        yield _problem("duration", f"{text} The nearest is {nearest} s.", list(allowed), nearest)


def _because(context: CheckContext, allowed: Sequence[int]) -> str:
    if tuple(allowed) == context.limits.durations:
        return ""
    resolution = chosen(context)[0]
    reasons = [f"at {resolution}" for rule in context.limits.duration_rules if resolution in rule.resolutions]
    reasons += [f"with a {rule.role}" for rule in context.limits.duration_rules if rule.role and context.has(rule.role)]
    return f" {' and '.join(dict.fromkeys(reasons))}"


def _resolution(context: CheckContext) -> Iterator[Problem]:
    asked, allowed = context.request.resolution, context.limits.resolutions
    if asked is None or allowed is None or canonical(asked) in allowed:
        return
    if not allowed:
        yield _problem("resolution", f"{context.subject} takes no choice of resolution. Leave it out.", [], None)
        return
    nearest = nearest_resolution(canonical(asked), allowed) or context.defaults.resolution
    text = f"{context.subject} makes {listed(allowed)}, not {shown(asked)}. The nearest is {nearest}."
    yield _problem("resolution", text, list(allowed), nearest)


def nearest_resolution(asked: str, allowed: Sequence[str]) -> str | None:
    """The resolution that comes nearest by its shorter side; None where the one asked for names none."""
    short = short_side_px(asked)
    if short is None:
        return None
    return min(allowed, key=lambda name: (abs((short_side_px(name) or 0) - short), short_side_px(name) or 0))


def _aspect_ratio(context: CheckContext) -> Iterator[Problem]:
    asked, allowed = context.request.aspect_ratio, context.limits.aspect_ratios
    if asked is None or (ratio_of(asked) is not None if allowed is None else asked in allowed):
        return
    if allowed is None:
        nearest = context.defaults.aspect_ratio
        yield _problem("aspect_ratio", f'must be written like "16:9", not {shown(asked)}.', None, nearest)
    elif not allowed:
        yield _problem("aspect_ratio", f"{context.subject} takes no choice of aspect ratio. Leave it out.", [], None)
    else:
        nearest = nearest_ratio(asked, allowed) or context.defaults.aspect_ratio
        text = f"{context.subject} makes {listed(allowed)}, not {shown(asked)}. The nearest is {nearest}."
        yield _problem("aspect_ratio", text, list(allowed), nearest)


def nearest_ratio(asked: str, allowed: Sequence[str]) -> str | None:
    """The aspect ratio that comes nearest; None where the one asked for cannot be read."""
    wanted = ratio_of(asked)
    if wanted is None:
        return None
    return min(allowed, key=lambda name: abs(log(ratio_of(name) or 1) - log(wanted)))


def _size(context: CheckContext) -> Iterator[Problem]:
    asked, allowed = context.request.size, context.limits.resolutions
    if asked is None or (allowed is None and pixels(asked)):
        return
    named = named_by(context.limits, asked)
    if named is None:
        yield _unsupported_size(context, asked)
        return
    resolution, ratio = chosen(context)
    if resolution not in (allowed or ()) or ratio not in (context.limits.aspect_ratios or (ratio,)):
        return  # said already, of the resolution or the ratio itself
    if named != (resolution, ratio) and _made(context, resolution, ratio) != pixels(asked):
        width, height = _made(context, resolution, ratio)
        said = [name for name in ("resolution", "aspect_ratio") if getattr(context.request, name) is not None]
        verb = "says" if len(said) == 1 else "say"
        text = f"{asked} is {named[0]} at {named[1]}, but {listed(said, last='and')} {verb} {resolution} at {ratio}."
        nearest = f"{width}x{height}"
        yield Problem(
            code="size_conflict",
            pointer="/size",
            message=f"size: {text} Leave size out, or send {nearest}.",
            allowed=[nearest],
            nearest=nearest,
        )


def _unsupported_size(context: CheckContext, asked: str) -> Problem:
    sizes = [size for size, _, _ in every_size(context.limits)]
    if not sizes:
        text = f"{context.subject} takes no choice of size. Leave it out, and use resolution or aspect_ratio if it has them."
        return _problem("size", text, [], None)
    nearest = _nearest_size(context, asked, sizes)
    return _problem(
        "size", f"{context.subject} does not make {shown(asked)}. The nearest is {nearest}.", sizes, nearest
    )


def _nearest_size(context: CheckContext, asked: str, sizes: Sequence[str]) -> str:
    resolution, ratio = chosen(context)
    width, height = _made(context, resolution, ratio)
    # What else the client says of the size counts for more than the number that cannot be had.
    told = context.request.resolution is not None or context.request.aspect_ratio is not None
    if told and f"{width}x{height}" in sizes:
        return f"{width}x{height}"
    wanted = pixels(asked) or _made(context, context.defaults.resolution, context.defaults.aspect_ratio)

    def distance(size: str) -> int:
        wide, high = pixels(size) or (0, 0)
        return abs(wide - wanted[0]) + abs(high - wanted[1])

    return min(sizes, key=distance)


def _made(context: CheckContext, resolution: str, ratio: str) -> tuple[int, int]:
    usual = size_of(context.limits, context.defaults.resolution, context.defaults.aspect_ratio)
    return size_of(context.limits, resolution, ratio) or usual or (1280, 720)


def _fps(context: CheckContext) -> Iterator[Problem]:
    asked, allowed = context.request.fps, context.limits.fps
    if asked is None or asked in allowed:
        return
    if not allowed:
        yield _problem("fps", f"{context.subject} takes no choice of frame rate. Leave it out.", [], None)
        return
    nearest = min(allowed, key=lambda rate: (abs(rate - asked), rate))
    text = f"{context.subject} makes {listed(allowed)} frames a second, not {asked}. The nearest is {nearest}."
    yield _problem("fps", text, list(allowed), nearest)


def _problem(name: str, text: str, allowed: list[int] | list[str] | None, nearest: object) -> Problem:
    return Problem(
        code=f"{name}_unsupported", pointer=f"/{name}", message=f"{name}: {text}", allowed=allowed, nearest=nearest
    )

"""Duration, resolution, aspect ratio, size and frame rate."""

from collections.abc import Iterator, Sequence
from math import log

from framegate.catalogue.dimensions import (
    canonical_resolution,
    choices_of,
    every_size,
    pixels,
    ratio_of,
    short_side_px,
    size_of,
)
from framegate.catalogue.model import ResolutionRule
from framegate.catalogue.rules.context import CheckContext, listed, quoted, short_number
from framegate.domain import Problem, Role, Target

NOMINAL_FPS = 24  # where a model's own rate is not known
NOMINAL_SIZE = (1280, 720)  # where neither a model's resolutions nor its ratios are known


def problems(context: CheckContext) -> Iterator[Problem]:
    """The problems of a request's duration, size and frame rate."""
    yield from _duration(context)
    yield from _resolution(context)
    yield from _aspect_ratio(context)
    yield from _size(context)
    yield from _fps(context)


def settle(context: CheckContext) -> Target:
    """The video that a legal request asks for."""
    resolution, ratio = chosen(context)
    width, height = pixels(context.request.size or "") or _pixels_of(context, resolution, ratio)
    request, audio = context.request, context.limits.audio
    wants_audio = context.defaults.audio if request.generate_audio is None else request.generate_audio
    return Target(
        width=width,
        height=height,
        fps=request.fps or context.defaults.fps or NOMINAL_FPS,
        duration=request.duration or _default_duration(context),
        audio=audio == "always" or (audio != "never" and wants_audio),
        seed=request.seed,
        resolution=None if context.limits.resolutions == () else resolution,
        aspect_ratio=None if context.limits.aspect_ratios == () else ratio,
        source_seconds=0.0 if context.limits.extends and context.has(Role.SOURCE) else None,
    )


def chosen(context: CheckContext) -> tuple[str, str]:
    """The request's resolution and aspect ratio: each from its own field, else from `size`, else the default."""
    request = context.request
    from_size = choices_of(context.limits, request.size) if request.size is not None else None
    resolution, ratio = from_size or (context.defaults.resolution, context.defaults.aspect_ratio)
    return (
        canonical_resolution(request.resolution) if request.resolution is not None else resolution,
        request.aspect_ratio if request.aspect_ratio is not None else ratio,
    )


def durations(context: CheckContext) -> tuple[int, ...] | None:
    """The durations that are supported together with the request's resolution and references.

    The rule for a role replaces the usual durations: an extension may have a length that no other video has.
    """
    resolution, rules = chosen(context)[0], context.limits.duration_rules
    by_role = [rule.durations for rule in rules if rule.role is not None and context.has(rule.role)]
    allowed = by_role[0] if by_role else context.limits.durations
    for choices in (*by_role[1:], *(rule.durations for rule in rules if resolution in rule.resolutions)):
        allowed = tuple(seconds for seconds in choices if allowed is None or seconds in allowed)
    return allowed


def _default_duration(context: CheckContext) -> int:
    """The model's default; where it is not supported with this request, the nearest duration that is."""
    default, allowed = context.defaults.duration, durations(context)
    return min(allowed, key=lambda seconds: (abs(seconds - default), seconds)) if allowed else default


def _duration(context: CheckContext) -> Iterator[Problem]:
    duration, allowed = context.request.duration, durations(context)
    if allowed is not None and not allowed and context.limits.durations:
        text = f"{context.subject} supports no duration{_condition(context, allowed)}. Use another resolution."
        yield _problem("duration", text, [], None)
        return
    if duration is None or (duration >= 1 if allowed is None else duration in allowed):
        return
    value = short_number(duration)
    if allowed is None:
        yield _problem("duration", f"must be at least 1 s, not {value} s.", None, 1)
    elif not allowed:
        yield _problem("duration", f"{context.subject} sets the duration itself. Omit it.", [], None)
    else:
        nearest = min(allowed, key=lambda seconds: (abs(seconds - duration), seconds))
        choices = f"{listed(allowed, unit=' s')}{_condition(context, allowed)}"
        text = f"{context.subject} supports {choices}, not {value} s. The nearest is {nearest} s."
        yield _problem("duration", text, list(allowed), nearest)


def _condition(context: CheckContext, allowed: Sequence[int]) -> str:
    """Why fewer durations are supported than usual: ` at 1080p and with a reference`."""
    if tuple(allowed) == context.limits.durations:
        return ""
    resolution = chosen(context)[0]
    rules = context.limits.duration_rules
    conditions = [f"at {resolution}" for rule in rules if resolution in rule.resolutions]
    conditions += [f"with a {rule.role}" for rule in rules if rule.role and context.has(rule.role)]
    return f" {' and '.join(dict.fromkeys(conditions))}"


def _resolution(context: CheckContext) -> Iterator[Problem]:
    resolution, allowed = context.request.resolution, context.limits.resolutions
    if rule := _broken_resolution_rule(context):
        name = "resolution" if resolution is not None else "size"
        other = [choice for choice in allowed or () if choice not in rule.resolutions]
        is_excluded = context.has(*rule.without_roles)
        roles = listed(f"a {role.replace('_', ' ')}" for role in (rule.without_roles if is_excluded else rule.roles))
        condition = "only without" if is_excluded else "only with"
        text = f"{context.subject} supports {chosen(context)[0]} {condition} {roles}. Use {listed(other)}."
        nearest = nearest_resolution(chosen(context)[0], other) if other else None
        yield _problem(name, text, other, nearest)
        return
    if resolution is None or allowed is None or canonical_resolution(resolution) in allowed:
        return
    if not allowed:
        yield _no_choice(context, "resolution", "a resolution")
        return
    nearest = nearest_resolution(canonical_resolution(resolution), allowed) or context.defaults.resolution
    yield _not_supported(context, "resolution", resolution, allowed, nearest)


def _broken_resolution_rule(context: CheckContext) -> ResolutionRule | None:
    """The rule that forbids the requested resolution with, or without, a reference of its roles."""
    resolution, rules = chosen(context)[0], context.limits.resolution_rules
    return next((rule for rule in rules if resolution in rule.resolutions and _is_broken(rule, context)), None)


def _is_broken(rule: ResolutionRule, context: CheckContext) -> bool:
    return (bool(rule.roles) and not context.has(*rule.roles)) or context.has(*rule.without_roles)


def nearest_resolution(resolution: str, allowed: Sequence[str]) -> str | None:
    """The allowed resolution with the most similar short side; None if the text is not a resolution."""
    short = short_side_px(resolution)
    if short is None:
        return None
    return min(allowed, key=lambda name: (abs((short_side_px(name) or 0) - short), short_side_px(name) or 0))


def _aspect_ratio(context: CheckContext) -> Iterator[Problem]:
    ratio, allowed = context.request.aspect_ratio, context.limits.aspect_ratios
    if ratio is None or (ratio_of(ratio) is not None if allowed is None else ratio in allowed):
        return
    if allowed is None:
        text = f'must have the form "16:9", not {quoted(ratio)}.'
        yield _problem("aspect_ratio", text, None, context.defaults.aspect_ratio)
    elif not allowed:
        yield _no_choice(context, "aspect_ratio", "an aspect ratio")
    else:
        nearest = nearest_ratio(ratio, allowed) or context.defaults.aspect_ratio
        yield _not_supported(context, "aspect_ratio", ratio, allowed, nearest)


def nearest_ratio(ratio: str, allowed: Sequence[str]) -> str | None:
    """The most similar allowed aspect ratio; None if the text is not a ratio."""
    fraction = ratio_of(ratio)
    if fraction is None:
        return None
    return min(allowed, key=lambda name: abs(log(ratio_of(name) or 1) - log(fraction)))


def _size(context: CheckContext) -> Iterator[Problem]:
    size, allowed = context.request.size, context.limits.resolutions
    if size is None or (allowed is None and pixels(size)):
        return
    choices = choices_of(context.limits, size)
    if choices is None:
        yield _unsupported_size(context, size)
        return
    resolution, ratio = chosen(context)
    if resolution not in (allowed or ()) or ratio not in (context.limits.aspect_ratios or (ratio,)):
        return  # the resolution or the ratio has a problem of its own
    width, height = _pixels_of(context, resolution, ratio)
    if choices != (resolution, ratio) and (width, height) != pixels(size):
        names = [name for name in ("resolution", "aspect_ratio") if getattr(context.request, name) is not None]
        verb = "means" if len(names) == 1 else "mean"
        nearest = f"{width}x{height}"
        text = f"{size} means {choices[0]} at {choices[1]}, but {listed(names, last='and')} {verb}"
        yield Problem(
            code="size_conflict",
            pointer="/size",
            message=f"size: {text} {resolution} at {ratio}. Omit size, or send {nearest}.",
            allowed=[nearest],
            nearest=nearest,
        )


def _unsupported_size(context: CheckContext, size: str) -> Problem:
    sizes = [supported for supported, _, _ in every_size(context.limits)]
    if not sizes:
        hint = "Omit it, or use resolution or aspect_ratio if the model supports them."
        return _problem("size", f"{context.subject} does not support choosing a size. {hint}", [], None)
    nearest = _nearest_size(context, size, sizes)
    text = f"{context.subject} does not support {quoted(size)}. The nearest is {nearest}."
    return _problem("size", text, sizes, nearest)


def _nearest_size(context: CheckContext, size: str, sizes: Sequence[str]) -> str:
    width, height = _pixels_of(context, *chosen(context))
    # An explicit resolution or ratio counts for more than a size that is not supported.
    is_explicit = context.request.resolution is not None or context.request.aspect_ratio is not None
    if is_explicit and f"{width}x{height}" in sizes:
        return f"{width}x{height}"
    defaults = context.defaults
    aim = pixels(size) or _pixels_of(context, defaults.resolution, defaults.aspect_ratio)

    def distance(supported: str) -> int:
        wide, high = pixels(supported) or (0, 0)
        return abs(wide - aim[0]) + abs(high - aim[1])

    return min(sizes, key=distance)


def _pixels_of(context: CheckContext, resolution: str, ratio: str) -> tuple[int, int]:
    default = size_of(context.limits, context.defaults.resolution, context.defaults.aspect_ratio)
    return size_of(context.limits, resolution, ratio) or default or NOMINAL_SIZE


def _fps(context: CheckContext) -> Iterator[Problem]:
    fps, allowed = context.request.fps, context.limits.fps
    if fps is None or fps in allowed:
        return
    if not allowed:
        yield _no_choice(context, "fps", "a frame rate")
        return
    nearest = min(allowed, key=lambda rate: (abs(rate - fps), rate))
    text = f"{context.subject} supports {listed(allowed)} frames per second, not {fps}. The nearest is {nearest}."
    yield _problem("fps", text, list(allowed), nearest)


def _no_choice(context: CheckContext, name: str, noun: str) -> Problem:
    return _problem(name, f"{context.subject} does not support choosing {noun}. Omit it.", [], None)


def _not_supported(context: CheckContext, name: str, value: str, allowed: Sequence[str], nearest: str) -> Problem:
    text = f"{context.subject} supports {listed(allowed)}, not {quoted(value)}. The nearest is {nearest}."
    return _problem(name, text, list(allowed), nearest)


def _problem(name: str, text: str, allowed: list[int] | list[str] | None, nearest: object) -> Problem:
    return Problem(
        code=f"{name}_unsupported", pointer=f"/{name}", message=f"{name}: {text}", allowed=allowed, nearest=nearest
    )

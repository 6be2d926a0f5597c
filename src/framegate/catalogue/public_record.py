"""The public record of a model: all keys of OpenRouter's API, and further limits that no service lists."""

from collections.abc import Iterable
from dataclasses import asdict, fields, replace
from typing import Any, cast

from framegate.catalogue.dimensions import every_size
from framegate.catalogue.model import ClipLimits, Count, ImageLimits, Limits, Model, Offer, Price, PromptLimits, Source
from framegate.catalogue.rules.references import FRAMES
from framegate.domain import Kind
from framegate.domain.money import format_usd

UNITS = {
    "second": "duration_seconds",
    "token": "video_tokens",
    "video": "generate",
    "reference_image": "reference_images",
}


def record(model: Model) -> dict[str, Any]:
    """A model as `GET /videos/models` returns it, as JSON values. None means unknown."""
    return _openrouter(model) | _superset(model)


def _openrouter(model: Model) -> dict[str, Any]:
    limits = model.limits
    frames = [role.value for role in FRAMES if role in limits.references]
    return {
        "id": model.id,
        "canonical_slug": model.canonical_slug or model.id,
        "hugging_face_id": model.hugging_face_id,
        "name": model.name,
        "created": model.created,
        "description": model.description,
        "supported_resolutions": _list(limits.resolutions),
        "supported_aspect_ratios": _list(limits.aspect_ratios),
        "supported_sizes": _sizes(limits),
        "supported_durations": _list(limits.durations),
        "supported_frame_images": frames or None,
        "upscale_factor": None,
        "creativity": None,
        "generate_audio": None if limits.audio is None else limits.audio != "never",
        "seed": limits.seed,
        "pricing_skus": {name: _usd(price) for price in model.prices for name in _skus(price)} or None,
        "allowed_passthrough_parameters": list(model.passthrough),
    }


def _superset(model: Model) -> dict[str, Any]:
    limits = model.limits
    return {
        "aliases": [name for name in model.names if name != model.id],
        "supported_fps": list(limits.fps) or None,
        "supported_references": {
            role.value: {kind.value: _count(count) for kind, count in kinds.items()}
            for role, kinds in limits.references.items()
        },
        "reference_combinations": _combinations(limits),
        "duration_rules": [_plain(asdict(rule)) for rule in limits.duration_rules],
        "image_limits": _known(limits.images),
        "video_limits": _known(limits.videos),
        "audio_limits": _known(limits.audios),
        "prompt_limits": _known(limits.prompt),
        "prompt_token": {kind.value: limits.prompt_tokens.get(kind) for kind in Kind},
        "audio": limits.audio,
        "extends_source": limits.extends,
        "previous_job": limits.previous_job,
        "negative_prompt": limits.negative_prompt,
        "negative_prompt_max_chars": limits.negative_prompt_max_chars,
        "default": asdict(model.defaults),
        "price_per_second_usd": _per_second(model),
        "offers": [_offer(offer) for offer in model.offers],
        "sources": _sources(model.sources),
    }


def _list(values: tuple[Any, ...] | None) -> list[Any] | None:
    return list(values) if values else None


def _sizes(limits: Limits) -> list[str] | None:
    if not limits.sizes_published:
        return None
    return list(dict.fromkeys(size for size, _, _ in every_size(limits))) or None


def _count(count: Count) -> dict[str, int | None]:
    return {"min": count.min, "max": count.max}


def _combinations(limits: Limits) -> dict[str, Any]:
    return {
        "references_with_frames": None
        if limits.references_exclude_frames is None
        else not limits.references_exclude_frames,
        "last_frame_needs_first_frame": limits.last_frame_needs_first,
        "audio_needs_image_or_video": limits.audio_needs_picture,
        "totals": [
            {
                "of": [f"{role}.{kind}" for role, kind in total.of],
                "min": total.min,
                "max": total.max,
                "when": total.when and f"{total.when[0]}.{total.when[1]}",
            }
            for total in limits.totals
        ],
    }


def _known(limits: ImageLimits | ClipLimits | PromptLimits) -> dict[str, Any]:
    return _plain({field.name: getattr(limits, field.name) for field in fields(limits)})


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {
        key: list(cast("tuple[Any, ...]", value)) if isinstance(value, tuple) else value
        for key, value in values.items()
    }


def _skus(price: Price) -> tuple[str, ...]:
    """The names of a price; two where the seconds of a video input cost as much, which no single name expresses."""
    video_input = [_sku(replace(price, input="video"))] if price.input_seconds and price.input is None else []
    return (_sku(price), *video_input)


def _sku(price: Price) -> str:
    """The name of a price in OpenRouter's terms, such as `duration_seconds_with_audio_1080p`."""
    if price.unit == "minimum":
        return "minimum_cents_per_generation"
    unit = UNITS[price.unit]
    audio = {True: "_with_audio", False: "_without_audio", None: ""}[price.audio]
    prefix = {"text": "text_to_video_", "image": "image_to_video_"}.get(price.input or "", "")
    clips = "_with_video_input" if price.input == "video" else ""
    return f"{prefix}{unit}{audio}{''.join(f'_{name.lower()}' for name in price.resolutions)}{clips}"


def _usd(price: Price) -> str:
    """The amount of a price: dollars, except for the one whose name is in cents."""
    return format_usd(price.usd * 100 if price.unit == "minimum" else price.usd)


def _price(price: Price) -> dict[str, Any]:
    return {
        "unit": price.unit,
        "usd": format_usd(price.usd),
        "resolutions": list(price.resolutions) or None,
        "audio": price.audio,
        "input": price.input,
        "input_seconds": price.input_seconds,
    }


def _per_second(model: Model) -> dict[str, str] | None:
    """Prices per second of the first offer that has any, by name."""
    return {_sku(price): format_usd(price.usd) for price in model.prices if price.unit == "second"} or None


def _offer(offer: Offer) -> dict[str, Any]:
    return {
        "provider": offer.provider,
        "id": offer.id,
        "prices": [_price(price) for price in offer.prices] or None,
        "narrowed": offer.has_own_limits,
        "ended": None
        if offer.ended is None
        else {"since": offer.ended.since or None, "instead": list(offer.ended.successors)},
        "sources": _sources(offer.sources),
    }


def _sources(sources: Iterable[Source]) -> list[dict[str, Any]]:
    return [_plain(asdict(source)) for source in sources]

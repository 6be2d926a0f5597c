"""Codes of problems and warnings, and what each means. `docs/reference/validation-codes.md` lists them."""

from collections.abc import Mapping
from types import MappingProxyType

PROBLEMS: Mapping[str, str] = MappingProxyType(
    {
        "model_unknown": "no model or alias has this name; `nearest` is the most similar one",
        "model_unavailable": "the model is known, but no provider account is configured for it",
        "model_ended": "the service has retired the model, or no longer lists it; `allowed` lists successors",
        "model_paused": "the service lists the model as inactive; `allowed` lists alternatives",
        "provider_unsupported": "`provider.only` or `provider.ignore` excludes every provider of the model",
        "too_many_fallbacks": "`models` lists more than eight models",
        "duration_unsupported": "the model does not support this duration, in general or with the other options",
        "resolution_unsupported": "the model does not support this resolution, or no choice of resolution",
        "aspect_ratio_unsupported": "the model does not support this aspect ratio, or no choice of aspect ratio",
        "size_unsupported": "the model does not support this size, or no choice of size",
        "size_conflict": "`size` contradicts `resolution` and `aspect_ratio`",
        "fps_unsupported": "the model does not support this frame rate, or no choice of frame rate",
        "role_unsupported": "the model does not accept references with this role",
        "kind_unsupported": "the model accepts this role, but not this kind of file (image, video, audio)",
        "too_many_references": (
            "more references of one role and kind, or in total, than the model accepts or has time for"
        ),
        "too_few_references": "fewer references than the model requires",
        "references_exclude_frames": "the model accepts references or frames, not both in one request",
        "last_frame_needs_first": "the model accepts a last frame only together with a first frame",
        "audio_reference_alone": "the model accepts audio only together with an image or a video",
        "reference_name_invalid": "the name cannot be used in a prompt",
        "reference_name_duplicate": "two references have the same name",
        "reference_name_unknown": "the prompt uses an `@name` that no reference has",
        "reference_ordinal_unknown": (
            "the prompt refers to a reference number that does not exist, as in `the third image`"
        ),
        "too_many_shots": "the prompt asks for more shots than fit into the video",
        "prompt_required": "the model requires a prompt",
        "prompt_too_short": "the prompt has fewer characters than the model requires",
        "prompt_too_long": "the prompt has more characters, or bytes, than the model accepts",
        "negative_prompt_unsupported": "the model does not accept a negative prompt",
        "negative_prompt_too_long": "the negative prompt has more characters than the model accepts",
        "audio_unsupported": "the model does not make sound",
        "audio_required": "the sound of the model cannot be turned off",
        "seed_unsupported": "the model does not accept a seed",
        "previous_job_unsupported": "the model cannot extend an earlier job",
        "clip_length_unsupported": "a video or sound is shorter or longer than the model accepts, alone or with others",
        "reference_too_large": "a video or sound has more bytes than the model accepts",
        "reference_out_of_reach": "the provider cannot download the reference, and it cannot be included in the order",
        "budget_exceeded": "the job would exceed the key's budget",
        "price_unknown_with_budget": "the key has a budget, and no price is known for this video",
        "cost_cap_invalid": "`max_cost_usd` is not an amount of money",
        "cost_over_cap": "the estimate is above `max_cost_usd`; `nearest` is the estimate",
        "cost_unknown": "`max_cost_usd` is set, but no price is known for this video",
    }
)

WARNINGS: Mapping[str, str] = MappingProxyType(
    {
        "no_pictures": "the animatic renderer has no picture to move over and makes a title card",
        "price_unknown": "the request is valid, but its cost is not known",
        "provider_unknown": "`provider.order` or `provider.only` names a provider that does not offer the model",
        "fallback_unfit": "a model of `models` does not accept the request, so it cannot be used as a fallback",
        "reference_unnamed": "prompts of the model refer to references by name, and this one has no name",
        "prompt_not_made": "the prompt asks for something that the model cannot do; it is left out",
        "options_unused": "`provider.options` for a provider that does not offer the model",
        "option_unknown": "an option that OpenRouter does not pass on, or that a server of your own does not know",
    }
)

"""Every code that the check can give, and what it says. Clients may rely on them; `docs/catalogue.md` lists them."""

from collections.abc import Mapping
from types import MappingProxyType

PROBLEMS: Mapping[str, str] = MappingProxyType(
    {
        "model_unknown": "no model or alias has that name; `nearest` is the one that looks most like it",
        "model_unavailable": "the model is known, but no account or engine here makes it",
        "model_ended": "its service makes it no more, or no longer lists it; `allowed` are models to ask for instead",
        "model_paused": "its service lists the model, and makes none for now; `allowed` are models to ask for instead",
        "provider_unsupported": "`provider.only` or `provider.ignore` leaves no provider of the model",
        "too_many_fallbacks": "`models` names more than eight",
        "duration_unsupported": "the model does not make so many seconds, at all or with what else is asked",
        "resolution_unsupported": "the model does not make that resolution, or takes no choice",
        "aspect_ratio_unsupported": "the model does not make that shape, or takes no choice",
        "size_unsupported": "the model does not make that size, or takes no choice",
        "size_conflict": "`size` says something else than `resolution` and `aspect_ratio`",
        "fps_unsupported": "the model does not make that frame rate, or takes no choice",
        "role_unsupported": "the model takes no reference of that role",
        "kind_unsupported": "the model takes that role, but not made of that (image, video, audio)",
        "too_many_references": "more of one role and kind, or of several together, than it takes or has time for",
        "too_few_references": "fewer than the model needs",
        "references_exclude_frames": "the model takes references or frames, not both in one request",
        "last_frame_needs_first": "the model takes a last frame only together with a first one",
        "audio_reference_alone": "the model takes audio only together with an image or a video",
        "reference_name_invalid": "the name cannot be called by a prompt",
        "reference_name_duplicate": "two references bear the same name",
        "reference_name_unknown": "the prompt calls an `@name` that no reference bears",
        "reference_ordinal_unknown": "the prompt counts further than there are references, as in `the third image`",
        "too_many_shots": "the prompt asks for more shots than the video has time for",
        "prompt_required": "there is no prompt, and the model needs one",
        "prompt_too_short": "the prompt has fewer characters than the model needs",
        "prompt_too_long": "the prompt has more characters, or bytes, than the model takes",
        "negative_prompt_unsupported": "the model takes no negative prompt",
        "negative_prompt_too_long": "the negative prompt has more characters than the model takes",
        "audio_unsupported": "the model makes no sound",
        "audio_required": "the sound of the model cannot be switched off",
        "seed_unsupported": "the model takes no seed",
        "previous_job_unsupported": "the model does not go on from an earlier job",
        "clip_length_unsupported": "a video or a sound is shorter or longer than the model takes, alone or with others",
        "reference_too_large": "a video or a sound has more bytes than the model takes",
        "reference_out_of_reach": "the provider cannot fetch the reference, and it cannot be sent along",
        "budget_exceeded": "the key's budget does not reach for the job",
        "price_unknown_with_budget": "the key has a budget, and no price is known for such a video",
        "cost_cap_invalid": "`max_cost_usd` is not a sum of money",
        "cost_over_cap": "the estimate is above `max_cost_usd`; `nearest` is the estimate",
        "cost_unknown": "`max_cost_usd` is given, but no price is known for such a video",
    }
)

WARNINGS: Mapping[str, str] = MappingProxyType(
    {
        "price_unknown": "the request is legal, but what it costs is not known",
        "provider_unknown": "`provider.order` or `provider.only` names one that does not offer the model",
        "fallback_unfit": "a model of `models` does not take the request, so it cannot stand in",
        "reference_unnamed": "the model's prompts call references by name, and this one has none",
        "prompt_not_made": "the prompt asks for what the model does not do, so it is left out",
        "options_unused": "`provider.options` for a provider that does not offer the model",
        "option_unknown": "an option that OpenRouter does not hand on to the model",
    }
)

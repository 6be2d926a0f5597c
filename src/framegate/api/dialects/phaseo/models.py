"""Models in Phaseo's form: the list of video models, and the lookup that its client makes before each job."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import JSONResponse

from framegate.api.context import Owner, context_of
from framegate.api.dialects.phaseo.errors import ERRORS
from framegate.catalogue import Limits, Model, Price
from framegate.domain import Kind, Role
from framegate.domain.money import format_usd

# Phaseo's aliases of parameters; the filter accepts them too.
ALIASES = {
    "resolution": ["size"],
    "duration": ["duration_seconds", "seconds"],
    "input_references": ["input_reference", "frame_images"],
}
PARAMETER_BY_ALIAS = {alias: name for name, aliases in ALIASES.items() for alias in aliases}

router = APIRouter(tags=["models"], responses=ERRORS)


@router.get("/videos/models")
async def list_models(
    request: Request, _: Owner, *, params: Annotated[str | None, Query(max_length=1000)] = None
) -> Response:
    """List every model, by its id and by Phaseo's; with `params=a,b` only those that support all these parameters."""
    required = {PARAMETER_BY_ALIAS.get(name, name) for name in _split(params)}
    catalogue = context_of(request).jobs.catalogue
    models = [{**show(model), "model": name} for model in catalogue for name in _names(model)]
    data = [model for model in models if required <= set(model["supported_params"])]
    return JSONResponse({"object": "list", "data": data})


@router.get("/data/models", openapi_extra={"security": []})
async def look_up(request: Request, model_id: Annotated[str | None, Query(max_length=256)] = None) -> Response:
    """Look up whether a model is in service. The Python package asks before each job."""
    model = context_of(request).jobs.catalogue.get(model_id) if model_id else None
    rows = [{"model_id": model_id, "name": model.name, "status": "active"}] if model else []
    return JSONResponse({"models": rows})


def _split(params: str | None) -> list[str]:
    return [name.strip().lower() for name in (params or "").split(",") if name.strip()]


def _names(model: Model) -> Sequence[str]:
    offer = model.offer("phaseo")
    return list(dict.fromkeys((model.id, offer.id))) if offer else [model.id]


def show(model: Model) -> dict[str, Any]:
    """Return a model in Phaseo's form."""
    params = _params(model.limits)
    return {
        "model": model.id,
        "name": model.name,
        "status": "active",
        "input_types": _inputs(model.limits),
        "output_types": ["video"],
        **_supported(params),
        "providers": [{"id": offer.provider, **_supported(_params(offer.limits))} for offer in model.offers],
        "pricing": {_sku(price): format_usd(price.usd) for price in model.prices},
    }


def _supported(params: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    names = list(params)
    return {
        "supported_params": names,
        "supported_parameters": names,
        "supported_params_detail": params,
        "supported_parameters_detail": params,
    }


def _inputs(limits: Limits) -> list[str]:
    kinds = {kind for kinds in limits.references.values() for kind in kinds}
    return ["text", *(kind.value for kind in Kind if kind in kinds)]


def _params(limits: Limits) -> dict[str, dict[str, Any]]:
    """Return the supported parameters. A limit of None is unknown: the parameter may be sent."""
    params = {
        "prompt": {"type": "string", "max": limits.prompt.max_chars},
        "duration": _choice("integer", limits.durations),
        "resolution": _choice("string", limits.resolutions),
        "aspect_ratio": _choice("string", limits.aspect_ratios),
        "seed": {"type": "integer"} if limits.seed is not False else None,
        "negative_prompt": {"type": "string"} if limits.negative_prompt is not False else None,
        "generate_audio": {"type": "boolean"} if limits.audio != "never" else None,
        "input_references": _references(limits),
    }
    return {name: _detail(name, detail) for name, detail in params.items() if detail is not None}


def _detail(name: str, detail: Mapping[str, Any]) -> dict[str, Any]:
    aliases = {"aliases": ALIASES[name]} if name in ALIASES else {}
    return {"supported": True, **{key: value for key, value in detail.items() if value is not None}, **aliases}


def _choice(kind: str, values: Sequence[Any] | None) -> dict[str, Any] | None:
    if values is None:
        return {"type": kind}
    if not values:
        return None
    bounds = {"min": min(values), "max": max(values)} if kind == "integer" else {}
    return {"type": kind, "values": list(values), **bounds}


def _references(limits: Limits) -> dict[str, Any] | None:
    if not limits.references:
        return None
    roles = [role.value for role in Role if role in limits.references]
    maxima = [count.max for kinds in limits.references.values() for count in kinds.values()]
    total = None if None in maxima else sum(number or 0 for number in maxima)
    return {"type": "array", "values": roles, "max": total}


def _sku(price: Price) -> str:
    audio = {True: "with_audio", False: "without_audio", None: ""}[price.audio]
    return "_".join(part for part in (price.unit, price.input or "", audio, *map(str.lower, price.resolutions)) if part)

"""`GET /videos/models`: what can be asked for. Needs no key."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from framegate.api.context import ApiContext, context_of
from framegate.api.dialects.native.errors import ERRORS, operation_id
from framegate.catalogue import Model, record
from framegate.domain.errors import NotFound

router = APIRouter(tags=["models"], responses=ERRORS, generate_unique_id_function=operation_id)
PUBLIC: dict[str, Any] = {"security": []}


@router.get("/videos/models", openapi_extra=PUBLIC)
async def list_models(request: Request) -> JSONResponse:
    """Every model, with OpenRouter's record and what Framegate adds: roles, references, image limits, prompt tokens."""
    gate = context_of(request)
    return JSONResponse({"data": [_told(model, gate) for model in gate.jobs.catalogue]})


@router.get("/videos/models/{author}/{slug}", openapi_extra=PUBLIC)
async def get_model(request: Request, author: str, slug: str) -> JSONResponse:
    """One model, by its id or any other of its names."""
    name = f"{author}/{slug}"
    gate = context_of(request)
    catalogue = gate.jobs.catalogue
    model = catalogue.get(name)
    if model is None:
        near = ", ".join(f"`{other}`" for other in catalogue.suggest(name))
        hint = f" Did you mean one of {near}?" if near else ""
        raise NotFound(f"There is no model `{name[:100]}` here.{hint}")
    return JSONResponse(_told(model, gate))


def _told(model: Model, gate: ApiContext) -> dict[str, Any]:
    """Its record, each offer with whether this gate can order by it."""
    told = record(model)
    can = [{"available": offer.ended is None and gate.orderable(offer)} for offer in model.offers]
    return told | {"offers": [row | more for row, more in zip(told["offers"], can, strict=True)]}

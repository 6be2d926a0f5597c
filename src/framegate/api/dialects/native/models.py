"""Routes of models. They need no key."""

from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from framegate.api.context import ApiContext, context_of
from framegate.api.dialects.native.errors import ERRORS, operation_id
from framegate.catalogue import Model, record
from framegate.domain.errors import NotFound

router = APIRouter(tags=["models"], responses=ERRORS, generate_unique_id_function=operation_id)
PUBLIC: dict[str, Any] = {"security": []}
NAME_CHARS_MAX = 100  # in a message


@router.get("/videos/models", openapi_extra=PUBLIC)
async def list_models(request: Request) -> JSONResponse:
    """List the models: OpenRouter's record, with roles, references, image limits and prompt tokens besides."""
    context = context_of(request)
    return JSONResponse({"data": [_record(model, context) for model in context.jobs.catalogue]})


@router.get("/videos/models/{author}/{slug}", openapi_extra=PUBLIC)
async def get_model(request: Request, author: str, slug: str) -> JSONResponse:
    """Get a model by its id or an alias."""
    name = f"{author}/{slug}"
    context = context_of(request)
    catalogue = context.jobs.catalogue
    model = catalogue.get(name)
    if model is None:
        suggestions = ", ".join(f"`{other}`" for other in catalogue.suggest(name))
        hint = f" Did you mean one of {suggestions}?" if suggestions else ""
        raise NotFound(f"Model not found: `{name[:NAME_CHARS_MAX]}`.{hint}")
    return JSONResponse(_record(model, context))


def _record(model: Model, context: ApiContext) -> dict[str, Any]:
    """Return the record of a model; each offer says whether this gateway can order it."""
    fields = record(model)
    available = [{"available": offer.ended is None and context.orderable(offer)} for offer in model.offers]
    return fields | {"offers": [row | more for row, more in zip(fields["offers"], available, strict=True)]}

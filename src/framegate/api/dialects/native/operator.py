"""Routes of the operator: facts about the gateway."""

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from framegate import __version__
from framegate.api.context import Owner, context_of
from framegate.api.dialects.native.errors import ERRORS, operation_id
from framegate.api.dialects.native.responses import Answer
from framegate.api.http.query import KNOWN_QUERY_ONLY

router = APIRouter(tags=["operator"], responses=ERRORS, generate_unique_id_function=operation_id)


class GatewayAnswer(Answer):
    """Facts about the gateway. In a `sandbox`, no provider is called and nothing is charged."""

    version: str
    sandbox: bool


@router.get("/gateway", responses={200: {"model": GatewayAnswer}}, dependencies=[KNOWN_QUERY_ONLY])
async def gateway(request: Request, _: Owner) -> Response:
    """Get facts about the gateway: its version, and whether it is a sandbox."""
    settings = context_of(request).settings
    return JSONResponse(GatewayAnswer(version=__version__, sandbox=settings.sandbox).sent())

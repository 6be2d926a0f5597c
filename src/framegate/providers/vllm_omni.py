"""vLLM-Omni, on a GPU of one's own. Facts: the PyPI package `vllm-omni` 0.30.0 (its OpenAI-compatible video server)."""

import base64
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio.to_thread

from framegate.errors import Refused, Unsure
from framegate.providers.engine import Engine, form, frames
from framegate.providers.letterbox import letterboxed
from framegate.providers.service import handle_of, listed, made_at, prompt
from framegate.types import Handle, Kind, Made, Order, Role
from framegate.upstream import at

BASE_URL = "http://127.0.0.1:8091"
LISTED_MAX = 100
SKEW = timedelta(minutes=5)  # how far its clock may be from ours


class VllmOmni(Engine):
    """One vLLM-Omni server and the one model that it serves."""

    name = "vllm_omni"
    title = "vLLM-Omni"

    async def request(self, order: Order) -> dict[str, Any]:
        """The order as a form."""
        return {"files": await body(order)}

    async def cancel(self, handle: Handle) -> bool:
        """Stop the render: it is aborted at once, and 409 says that this is still going on."""
        answer = await self.upstream.ask("DELETE", f"v1/videos/{handle['id']}")
        return answer.ok or answer.status in (404, 409)

    async def reconcile(self, order: Order) -> Handle | None:
        """Find the one job as new as the order that has its prompt. Raises `Unsure` where there are several."""
        answer = await self.upstream.ask("GET", "v1/videos", params={"limit": LISTED_MAX, "order": "desc"})
        jobs = listed(answer)
        since = (made_at(order) - SKEW).timestamp()
        ours = [job for job in jobs if _is(job, order, since)]
        if len(ours) > 1 or (len(jobs) == LISTED_MAX and not ours):
            raise Unsure("Which of the server's jobs is this order cannot be told.")
        return handle_of(str(at(ours[0], "id"))) if ours else None

    def files(self, job: dict[str, Any], handle: Handle) -> list[Made]:  # noqa: ARG002 - its address follows from the id
        """Where the finished file lies."""
        return [self.made(f"v1/videos/{handle['id']}/content")]

    def progress(self, job: dict[str, Any]) -> object:  # noqa: ARG002 - it says 0 until it says 100
        """Nothing: the server does not tell."""
        return None


async def body(order: Order) -> dict[str, tuple[None, str]]:
    """The order as a form.

    Pictures go in as `image_reference`: files in `input_references` are taken for videos. They are laid on white in the
    video's size, since the server would stretch them to it. The frames are said, since it would round them down.
    """
    for prepared in order.references:
        role, kind = prepared.reference.role, prepared.reference.kind
        if (role, kind) != (Role.REFERENCE, Kind.IMAGE):
            raise Refused(f"vLLM-Omni takes reference images alone by HTTP, no {kind} as {role.replace('_', ' ')}.")
    target, pictures = order.target, [await _picture(prepared.path, order) for prepared in order.references]
    fields: dict[str, Any] = {
        "prompt": prompt(order),
        "model": order.model_id or order.model,
        "width": target.width,
        "height": target.height,
        "num_frames": frames(order),
        "fps": target.fps,
        "seed": target.seed,
        "negative_prompt": order.request.negative_prompt,
        "image_reference": json.dumps(pictures) if pictures else None,
    }
    return form(fields, order.request.options.get("vllm_omni", {}), "vllm_omni")


async def _picture(path: str, order: Order) -> dict[str, str]:
    width, height = order.target.width, order.target.height
    png = await anyio.to_thread.run_sync(letterboxed, Path(path), width, height)
    return {"image_url": f"data:image/png;base64,{base64.b64encode(png).decode()}"}


def _is(job: object, order: Order, since: float) -> bool:
    created = at(job, "created_at")
    new = not isinstance(created, int | float) or datetime.fromtimestamp(created, UTC).timestamp() >= since
    return new and at(job, "prompt") == prompt(order)

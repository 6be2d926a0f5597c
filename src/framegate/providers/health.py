"""A look at a service that costs nothing: whether its address answers as that service does, and takes the key."""

import json
from collections.abc import Callable
from typing import Any, cast

from framegate.domain.errors import ProviderError
from framegate.net.vendor_client import Response, VendorClient

SECONDS_MAX = 5.0
NO_JOB = "00000000-0000-0000-0000-000000000000"  # an id that no service gives out
KEY_REFUSED, UNREACHABLE, STRANGE, BUSY = "key_refused", "unreachable", "strange", "busy"


async def look(
    upstream: VendorClient,
    path: str,
    *,
    known: Callable[[Response], bool],
    **request: Any,  # noqa: ANN401 - httpx2's own arguments
) -> Response:
    """The answer to a look, where it is `known` as one of the service with that key.

    Raises `ProviderError` whose code tells what is wrong: the key, the address, what answers there, or the moment.
    """
    try:
        answer = await upstream.query("GET", path, any_status=True, seconds_max=SECONDS_MAX, **request)
    except ProviderError as error:
        raise _unanswered(error) from error
    here = fields(answer)
    if answer.status == 401 or (answer.status == 403 and here):
        why = upstream.error_message(answer) if here else f"{upstream.name} answered {answer.status}."
        raise ProviderError(f"the key is refused. {why}", code=KEY_REFUSED)
    if known(answer):
        return answer
    if answer.status >= 500:
        raise ProviderError(f"it answers, but serves nothing now ({answer.status})", code=BUSY)
    raise ProviderError(f"it answers, but not as {upstream.name} does ({_told(answer, path)})", code=STRANGE)


def fields(answer: Response) -> dict[str, Any]:
    """The body's fields; none where it is no JSON object."""
    try:
        value = json.loads(answer.body)
    except ValueError:
        return {}
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def lists(answer: Response) -> bool:
    """Whether it is a list of things, as most services put one."""
    return answer.ok and isinstance(fields(answer).get("data"), list)


def _told(answer: Response, path: str) -> str:
    kind = answer.headers.get("content-type", "").partition(";")[0].strip()
    sent_on = " that sends on elsewhere" if answer.headers.get("location") else ""
    return f"{answer.status}{sent_on} with {kind[:80] or 'no content type'} for {path}; is the base URL right?"


def _unanswered(error: ProviderError) -> ProviderError:
    cause = error.__cause__
    if cause is None:  # an answer that says "not now"
        return ProviderError(f"it answers, but not now. {error.message}", code=BUSY)
    kind = type(cause).__name__
    if "Timeout" in kind:
        return ProviderError(f"it cannot be reached: nothing came within {SECONDS_MAX:g} s", code=UNREACHABLE)
    if kind == "ConnectError":
        return ProviderError(f"it cannot be reached: {cause}", code=UNREACHABLE)
    return ProviderError(f"something is there, but it breaks off ({kind}); is the base URL right?", code=STRANGE)

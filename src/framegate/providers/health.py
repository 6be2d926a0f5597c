"""Account check without an order: whether the address responds like the service, and whether it accepts the key."""

from collections.abc import Callable
from typing import Any

from framegate.domain.errors import GatewayLoop, ProviderError
from framegate.net.answers import Response
from framegate.net.tls import certificate_problem
from framegate.net.vendor_client import VendorClient

SECONDS_MAX = 5.0
NO_JOB = "00000000-0000-0000-0000-000000000000"  # an id that no service issues
KEY_REFUSED, UNREACHABLE, STRANGE, BUSY = "key_refused", "unreachable", "strange", "busy"


async def probe(
    client: VendorClient,
    path: str,
    *,
    is_expected: Callable[[Response], bool],
    **request: Any,  # noqa: ANN401 - httpx2's own arguments
) -> Response:
    """Send a GET request and return the response if it is one that the service sends for a valid key.

    Raises `ProviderError` whose code says what is wrong: the key, the address, the service there, or only the time.
    """
    try:
        response = await client.query("GET", path, any_status=True, seconds_max=SECONDS_MAX, **request)
    except ProviderError as error:
        if error.code == GatewayLoop.code:
            raise
        raise _without_response(error) from error
    has_fields = bool(response.fields())
    if response.status == 401 or (response.status == 403 and has_fields):
        detail = client.error_message(response) if has_fields else f"{client.name} returned {response.status}."
        raise ProviderError(f"the key was rejected. {detail}", code=KEY_REFUSED)
    if is_expected(response):
        return response
    if response.status >= 500:
        raise ProviderError(f"it responds, but is not available ({response.status})", code=BUSY)
    raise ProviderError(
        f"it responds, but not like {client.name} ({_summary(response, path)}): check the base URL", code=STRANGE
    )


def is_list(response: Response) -> bool:
    """Whether it is a list in the form that most services use."""
    return response.ok and isinstance(response.fields().get("data"), list)


def _summary(response: Response, path: str) -> str:
    media_type = response.headers.get("content-type", "").partition(";")[0].strip()
    redirect = ", a redirect," if response.headers.get("location") else ""
    return f"{response.status}{redirect} with {media_type[:80] or 'no content type'} for {path}"


def _without_response(error: ProviderError) -> ProviderError:
    cause = error.__cause__
    if cause is None:  # there was a response: "too many requests"
        return ProviderError(f"it responds, but is busy. {error.message}", code=BUSY)
    kind = type(cause).__name__
    if "Timeout" in kind:
        return ProviderError(f"it cannot be reached: no response within {SECONDS_MAX:g} s", code=UNREACHABLE)
    if kind == "ConnectError":
        reason = certificate_problem(cause)
        return ProviderError(f"it cannot be reached: {cause}. {reason}".rstrip(". "), code=UNREACHABLE)
    return ProviderError(f"the connection was interrupted ({kind}): check the base URL", code=STRANGE)

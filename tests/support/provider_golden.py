"""Golden cases of providers: the order, the whole requests of the adapter, the responses, and what it makes of them."""

import json
from dataclasses import MISSING, fields, is_dataclass
from functools import partial
from pathlib import Path
from typing import Any

from framegate.config.accounts import Account
from framegate.domain.errors import FramegateError
from framegate.providers.base import Provider
from framegate.providers.gpu.base import GpuServer
from framegate.providers.registry import build_provider
from support.inline_decoder import InlineDecoder
from support.ordering import make_order
from support.paths import PROVIDER_GOLDEN
from support.replaying import KEY, Tape, replaying

FOLDER = PROVIDER_GOLDEN


def cases() -> list[Path]:
    """Every case of every provider."""
    return sorted(FOLDER.glob("*/*.json"))


async def played(case: dict[str, Any], provider: str, folder: Path) -> list[dict[str, Any]]:
    """The steps of a case as they happen: the requests, and the results."""
    steps: list[dict[str, Any]] = []
    handle: dict[str, Any] = dict(case.get("handle", {}))
    tape = Tape([exchange["answer"] for step in case["steps"] for exchange in step["exchanges"]])
    with replaying(tape) as server_url:
        account = Account(provider=provider, api_key=KEY, base_url=server_url + case.get("base_path", ""))
        adapter = build_provider(account)
        adapter.decoder = InlineDecoder()
        if isinstance(adapter, GpuServer):  # which asks before each order what it serves: the subject of other tests
            adapter.names = partial(_served, case)  # type: ignore[method-assign]
        try:
            for step in case["steps"]:
                start = len(tape.requests)
                result = await _call(adapter, step["do"], case, handle, folder)
                exchanges = [
                    {"request": request, "answer": response}
                    for request, response in zip(tape.requests[start:], tape.responses[start:], strict=False)
                ]
                text = json.dumps(result).replace(server_url, "{{here}}")
                steps.append({"do": step["do"], "exchanges": exchanges, "gives": json.loads(text)})
        finally:
            await adapter.close()
    assert len(tape.requests) == len(tape.responses), (
        f"{len(tape.requests)} requests for {len(tape.responses)} responses"
    )
    return steps


async def _served(case: dict[str, Any]) -> tuple[str, ...]:
    return (case["order"].get("model_id", "google/veo-3.1"),)


def plain(value: Any) -> Any:
    """An update as JSON, without the fields that have their default."""
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    if not is_dataclass(value) or isinstance(value, type):
        return value
    defaults = {
        field.name: field.default if field.default_factory is MISSING else field.default_factory()
        for field in fields(value)
    }
    values = {name: getattr(value, name) for name in defaults}
    return {name: plain(item) for name, item in values.items() if item != defaults[name]}


async def _call(adapter: Provider, method: str, case: dict[str, Any], handle: dict[str, Any], folder: Path) -> Any:
    try:
        match method:
            case "submit":
                new_handle = dict(await adapter.submit(make_order(folder, **case["order"])))
                new_handle.pop("served", None)
                handle.update(new_handle)
                handle["at"] = 0.0
                return {name: value for name, value in new_handle.items() if name != "at"}
            case "poll":
                update = await adapter.poll(handle)
                return {"is": type(update).__name__, **json.loads(json.dumps(plain(update)))}
            case "reconcile":
                new_handle = await adapter.reconcile(make_order(folder, **case["order"]))
                return new_handle and {name: value for name, value in new_handle.items() if name != "at"}
            case _:
                return await adapter.cancel(handle)
    except FramegateError as error:
        retry_after = getattr(error, "retry_after", None)
        raised = {"raises": type(error).__name__, "message": error.message}
        return raised | ({} if retry_after is None else {"retry_after": retry_after})

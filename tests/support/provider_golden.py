"""One golden case: what is asked of an adapter, the whole of what it then sends, and what it makes of the answers."""

import json
from dataclasses import MISSING, fields, is_dataclass
from pathlib import Path
from typing import Any

from framegate.config.accounts import Account
from framegate.domain.errors import FramegateError
from framegate.providers.registry import build_provider
from support.ordering import order
from support.paths import PROVIDER_GOLDEN
from support.replaying import KEY, Tape, replaying

FOLDER = PROVIDER_GOLDEN


def cases() -> list[Path]:
    """Every case of every provider."""
    return sorted(FOLDER.glob("*/*.json"))


async def played(case: dict[str, Any], provider: str, folder: Path) -> list[dict[str, Any]]:
    """The steps of a case as they went: what was sent, and what it gave."""
    steps: list[dict[str, Any]] = []
    handle: dict[str, Any] = dict(case.get("handle", {}))
    tape = Tape([exchange["answer"] for step in case["steps"] for exchange in step["exchanges"]])
    with replaying(tape) as here:
        account = Account(provider=provider, api_key=KEY, base_url=here + case.get("base_path", ""))
        adapter = build_provider(account)
        try:
            for step in case["steps"]:
                before = len(tape.asked)
                gave = await _do(adapter, step["do"], case, handle, folder)
                exchanges = [
                    {"request": asked, "answer": answer}
                    for asked, answer in zip(tape.asked[before:], tape.answers[before:], strict=False)
                ]
                text = json.dumps(gave).replace(here, "{{here}}")
                steps.append({"do": step["do"], "exchanges": exchanges, "gives": json.loads(text)})
        finally:
            await adapter.close()
    assert len(tape.asked) == len(tape.answers), f"asked {len(tape.asked)} times, {len(tape.answers)} are written"
    return steps


def plain(value: Any) -> Any:
    """What an update says: what it leaves at its usual value is not said."""
    if isinstance(value, tuple):
        return [plain(item) for item in value]
    if not is_dataclass(value) or isinstance(value, type):
        return value
    usual = {
        one.name: one.default if one.default_factory is MISSING else one.default_factory() for one in fields(value)
    }
    said = {name: had for name in usual if (had := getattr(value, name)) != usual[name]}
    return {name: plain(item) for name, item in said.items()}


async def _do(adapter, what: str, case: dict[str, Any], handle: dict[str, Any], folder: Path) -> Any:
    try:
        match what:
            case "submit":
                given = await adapter.submit(order(folder, **case["order"]))
                handle.update(given)
                handle["at"] = 0.0
                return {name: value for name, value in given.items() if name != "at"}
            case "poll":
                update = await adapter.poll(handle)
                return {"is": type(update).__name__, **json.loads(json.dumps(plain(update)))}
            case "reconcile":
                given = await adapter.reconcile(order(folder, **case["order"]))
                return given and {name: value for name, value in given.items() if name != "at"}
            case _:
                return await adapter.cancel(handle)
    except FramegateError as error:
        told = {"raises": type(error).__name__, "message": error.message}
        wait = getattr(error, "retry_after", None)
        return told | ({} if wait is None else {"retry_after": wait})

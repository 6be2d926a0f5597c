"""`models`: what each model takes and costs."""

from typing import Annotated, Any

import typer

from framegate.cli import console
from framegate.cli.gates import Data, Json, Sandbox, Server, open_gate


def models(
    *,
    model: Annotated[str | None, typer.Argument(metavar="[MODEL]", help="Show this one whole.")] = None,
    json: Json = False,
    server: Server = None,
    data: Data = None,
    sandbox: Sandbox = False,
) -> None:
    """List the models, or show one whole.

    Example: framegate models google/veo-3.1
    """
    with open_gate(server, data, sandbox=sandbox) as gate:
        found = [record.raw for record in gate.models.list()]
    if model is not None:
        _show_one(model, found, json=json)
        return
    if json:
        console.out_json({"data": found})
        return
    rows = [
        (
            str(one["id"]),
            spans(one.get("supported_durations")),
            ",".join(one.get("supported_resolutions") or ()) or "-",
            ",".join(one.get("supported_aspect_ratios") or ()) or "-",
        )
        for one in found
    ]
    console.table(("MODEL", "SECONDS", "RESOLUTIONS", "RATIOS"), rows)


def spans(numbers: list[int] | None) -> str:
    """Numbers as people write them: 2-5,8,10."""
    runs: list[list[int]] = []
    for number in sorted(numbers or ()):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ",".join(str(run[0]) if len(run) == 1 else f"{run[0]}-{run[-1]}" for run in runs) or "-"


def _show_one(name: str, found: list[Any], *, json: bool) -> None:
    import difflib

    by_name = {str(known): one for one in found for known in (one["id"], *(one.get("aliases") or ()))}
    record = by_name.get(name)
    if record is None:
        close = difflib.get_close_matches(name, by_name, n=3)
        helpful = f"did you mean {', '.join(close)}?" if close else "`framegate models` lists them."
        console.fail(f"There is no model `{name}` here.", console.Exit.NOT_FOUND, helpful)
    if json:
        console.out_json(record)
        return
    width = max(len(key) for key in record)
    for key, value in record.items():
        if value is not None and value not in ([], {}):
            console.out(f"{key:<{width}}  {_plain(value)}")


def _plain(value: object) -> str:
    import json

    if isinstance(value, list) and all(isinstance(item, (str, int)) for item in value):  # pyright: ignore[reportUnknownVariableType] - JSON
        return ", ".join(map(str, value))  # pyright: ignore[reportUnknownArgumentType] - JSON
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)

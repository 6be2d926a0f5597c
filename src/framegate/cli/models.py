"""`models`: what each model takes and costs."""

from collections.abc import Iterator
from typing import Annotated, Any, cast

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
    with open_gate(server, data, sandbox=sandbox, brief=True) as gate:
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
    lines = list(_lines("", record))
    width = max(len(key) for key, _ in lines)
    for key, value in lines:
        console.out(f"{key:<{width}}  {value}")


def _lines(name: str, value: Any) -> Iterator[tuple[str, str]]:  # noqa: ANN401 - JSON
    """One line for each fact, with a dotted name for those inside another; what nobody knows is left out."""
    if isinstance(value, dict):
        for key, inner in cast("dict[str, Any]", value).items():
            yield from _lines(f"{name}.{key}" if name else key, inner)
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        for index, inner in enumerate(cast("list[Any]", value)):
            yield from _lines(f"{name}.{index}", inner)
    elif isinstance(value, list):
        items = cast("list[Any]", value)
        numbers = all(isinstance(item, int) for item in items)
        if items:
            yield name, spans(items) if numbers else ", ".join(map(str, items))
    elif value is not None:
        yield name, ("yes" if value else "no") if isinstance(value, bool) else str(value)

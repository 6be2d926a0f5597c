"""`config` and `init` commands: the settings in force, and a file to set them in."""

import json as encoder
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from framegate.cli import console
from framegate.cli.connection import Data, Json
from framegate.cli.console import Exit

if TYPE_CHECKING:
    from framegate.config.settings import Settings

app = typer.Typer(
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Show the settings in force.\n\nExample: framegate config show",
)
REDACTED = "(set)"
FILE = Path("framegate.toml")
HEADER = """# Settings of Framegate. Remove the # in front of a setting to change it from its default.
# Each can also be set by an environment variable: FRAMEGATE_ and the name in capitals.
"""
ACCOUNT = """
# [[accounts]]  # one entry for each account at a provider
# provider = "fal"
# api_key_env = "FAL_KEY"
"""


@app.command()
def show(*, json: Json = False, data: Data = None) -> None:
    """Show each setting with its value and where it comes from. Keys and passwords are not shown.

    Example: framegate config show
    """
    from framegate.config.loading import load, sources

    settings = load(data_dir=data)
    origins = {**sources(), **({"data_dir": "--data"} if data is not None else {})}
    rows = [
        {"name": name, "value": shown_value(settings, name), "source": origins.get(name, "default")}
        for name in type(settings).model_fields
    ]
    if json:
        console.print_json({"data": rows})
        return
    console.table(("SETTING", "SOURCE", "VALUE"), [(row["name"], row["source"], _text(row["value"])) for row in rows])


def init(
    *,
    force: Annotated[bool, typer.Option("--force", "-f", help="Overwrite an existing file.")] = False,
) -> None:
    """Write a framegate.toml with every setting. Each has its description and its default.

    Example: framegate init
    """
    from framegate.config.settings import TABLES, Settings
    from framegate.storage.private import make_private_file

    if FILE.exists() and not force:
        console.fail(f"File already exists: {FILE}", Exit.USAGE, "overwrite it with --force")
    lines = [HEADER]
    for name, field in Settings.model_fields.items():
        if name not in TABLES:
            has_value = field.default_factory is None and field.default is not None
            value = _toml(field.default) if has_value else ""
            lines.append(f"# {field.description}\n# {name} = {value}\n")
    make_private_file(FILE)
    FILE.write_text("\n".join([*lines, ACCOUNT]), encoding="utf-8")
    console.print_data(str(FILE))
    console.print_hint("check it with: framegate config show")


def shown_value(settings: "Settings", name: str) -> Any:  # noqa: ANN401 - JSON
    """The value of a setting as JSON, without keys and passwords."""
    if name == "database_url" and settings.database_url:
        address, _, query = settings.database_url.partition("?")
        return re.sub(r"://([^:/@]*):.*@", rf"://\1:{REDACTED}@", address) + (f"?{REDACTED}" if query else "")
    return _without_secrets(settings.model_dump(mode="json", include={name})[name], name)


def _without_secrets(value: Any, name: str) -> Any:  # noqa: ANN401 - JSON
    if isinstance(value, dict):
        return {key: _without_secrets(inner, key) for key, inner in cast("dict[str, Any]", value).items()}
    if isinstance(value, list):
        return [_without_secrets(inner, name) for inner in cast("list[Any]", value)]
    is_secret = name in ("api_key", "secret") or name.endswith(("_password", "_token"))
    return REDACTED if is_secret and value is not None else value


def _text(value: object) -> str:
    return "-" if value in (None, [], {}) else value if isinstance(value, str) else encoder.dumps(value)


def _toml(value: object) -> str:
    """A default as TOML."""
    if isinstance(value, tuple):
        return "[]"
    return encoder.dumps(value if isinstance(value, (bool, int, float)) else str(value))

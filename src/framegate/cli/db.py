"""`db` commands: the version of the database's schema."""

from contextlib import ExitStack
from typing import TYPE_CHECKING

import typer

from framegate.cli import console
from framegate.cli.connection import Data, Json
from framegate.domain.errors import Unavailable

if TYPE_CHECKING:
    from framegate.config.settings import Settings

app = typer.Typer(
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Show or upgrade the schema of the database.\n\nExample: framegate db current",
)


@app.command()
def current(*, json: Json = False, data: Data = None) -> None:
    """Show the version of the schema, without changing it. Exits 2 if a newer version of Framegate wrote it.

    Example: framegate db current
    """
    from framegate.config.loading import load
    from framegate.store.engine import SCHEMA, SchemaUnknown, known_versions

    version = read_version(load(data_dir=data))
    if json:
        console.print_json({"version": version, "newest": SCHEMA})
    else:
        console.print_data(version or "none")
    if version is not None and version not in known_versions():
        raise SchemaUnknown(version)
    if version is None:
        console.print_message("There is no database yet. It is created on first use.")
    elif version != SCHEMA:
        console.print_hint(f"the newest schema is {SCHEMA}; upgrade with: framegate db upgrade")


@app.command()
def upgrade(*, json: Json = False, data: Data = None) -> None:
    """Upgrade the schema to the newest version, or create the database. A gateway also does so when it starts.

    Stop the gateways that use the database and make a backup first.

    Example: framegate db upgrade
    """
    import asyncio

    from framegate.config.loading import load
    from framegate.store import FolderLock
    from framegate.store.engine import SCHEMA

    settings = load(data_dir=data)
    before = read_version(settings)
    with ExitStack() as stack:
        if settings.database_url is None:
            lock = FolderLock(settings.data_dir)
            lock.acquire()
            stack.callback(lock.release)
        asyncio.run(_open(settings))
    if json:
        console.print_json({"before": before, "version": SCHEMA})
    else:
        console.print_data(SCHEMA)
        console.print_message("The schema is the newest." if before == SCHEMA else f"Upgraded from {before or 'none'}.")


def read_version(settings: "Settings") -> str | None:
    """The version of the database's schema; None if there is no database. Raises `Unavailable`."""
    import asyncio

    from framegate.store.engine import FAILURES, make_engines, schema_version, sqlite_file, sqlite_url

    if settings.database_url is None and not sqlite_file(settings.data_dir).is_file():
        return None

    async def read() -> str | None:
        writer, reader = make_engines(settings.database_url or sqlite_url(settings.data_dir))
        try:
            return await schema_version(reader)
        except FAILURES as error:
            raise Unavailable(f"The database cannot be opened: {getattr(error, 'orig', error)}.") from error
        finally:
            await writer.dispose()
            await reader.dispose()

    return asyncio.run(read())


async def _open(settings: "Settings") -> None:
    from framegate.store import Store
    from framegate.store.engine import sqlite_url

    async with Store(settings.database_url or sqlite_url(settings.data_dir)):
        pass

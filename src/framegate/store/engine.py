"""Database engines, SQLite configured for durability, and the version of the schema."""

from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, event, inspect, make_url, text
from sqlalchemy.exc import DBAPIError, InterfaceError, InternalError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from framegate.domain.errors import StorageFull, Unavailable
from framegate.storage.private import make_private_file
from framegate.store.tables import metadata

SCHEMA = "0005"  # the newest migration
IDLE_TRANSACTION_SECONDS_MAX = 30  # a process that is frozen during a write blocks others no longer
SCHEMA_LOCK = 0x6672616D65  # arbitrary; no other program on the database should use it
_MIGRATIONS = Path(__file__).parent / "migrations"
FAILURES = (SQLAlchemyError, OSError)  # of a query; `OSError` without a connection
_SQLITE_FULL = 13  # https://www.sqlite.org/rescode.html
# https://www.postgresql.org/docs/current/errcodes-appendix.html
_POSTGRESQL_FULL = "53100"
_POSTGRESQL_CONFLICT = "40"
_POSTGRESQL_OUTAGES = ("08", "53", "57", "58", "25006")  # connection, resources, shutdown, system, read-only


def make_engines(url: str, *, readers: int = 4) -> tuple[AsyncEngine, AsyncEngine]:
    """Return the engine for writes and the one for reads; the same one on PostgreSQL."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        engine = create_async_engine(parsed, pool_pre_ping=True)
        event.listen(engine.sync_engine, "connect", _limit_idle_transactions)
        return engine, engine
    return _sqlite(parsed, pool=1, begin="BEGIN IMMEDIATE"), _sqlite(parsed, pool=readers, begin="BEGIN")


def unavailable(error: Exception, what: str) -> Unavailable:
    """Return a failed query as an error that clients may read: it names neither addresses nor paths."""
    cause: object = getattr(error, "orig", None) or error
    full = getattr(cause, "sqlite_errorcode", None) == _SQLITE_FULL
    if full or getattr(cause, "sqlstate", None) == _POSTGRESQL_FULL:
        return StorageFull()
    return Unavailable(f"The database could not be {what}. Try again later.")


def is_outage(error: Exception) -> bool:
    """Whether a failed query says that the database is away, full or cannot be written; else it is a bug."""
    if isinstance(error, DBAPIError):
        sqlstate = getattr(error.orig, "sqlstate", None) or ""
        is_away = isinstance(error, OperationalError | InterfaceError | InternalError)
        return error.connection_invalidated or is_away or sqlstate.startswith(_POSTGRESQL_OUTAGES)
    return isinstance(error, OSError | TimeoutError | PoolTimeout)


def is_conflict(error: Exception) -> bool:
    """Whether a transaction met another one, such as in a deadlock: the same one may succeed now."""
    return str(getattr(getattr(error, "orig", None), "sqlstate", None) or "").startswith(_POSTGRESQL_CONFLICT)


def outage_reason(error: Exception) -> str:
    """Return the first line of what the driver says about an outage, for the log."""
    return f"{getattr(error, 'orig', None) or error}".split("\n", 1)[0][:300]


def sqlite_file(folder: Path) -> Path:
    """Return the path of the database in a data folder."""
    return folder / "framegate.db"


def sqlite_url(folder: Path) -> str:
    """Return the URL of the database in a data folder."""
    return URL.create("sqlite+aiosqlite", database=str(sqlite_file(folder))).render_as_string(hide_password=False)


def _sqlite(url: URL, *, pool: int, begin: str) -> AsyncEngine:
    engine = create_async_engine(url, pool_size=pool, max_overflow=0, connect_args={"timeout": 30})

    def create_file(*_: object) -> None:  # SQLite gives its other files the permissions of this one
        if url.database and url.database != ":memory:":
            make_private_file(Path(url.database))

    def on_connect(connection: Any, _record: object) -> None:  # noqa: ANN401 - the driver's connection
        connection.isolation_level = None  # `on_begin` begins transactions, not the driver
        cursor = connection.cursor()
        for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=30000"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    def on_begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)

    event.listen(engine.sync_engine, "do_connect", create_file)
    event.listen(engine.sync_engine, "connect", on_connect)
    event.listen(engine.sync_engine, "begin", on_begin)
    return engine


def _limit_idle_transactions(connection: Any, _record: object) -> None:  # noqa: ANN401 - the driver's connection
    cursor = connection.cursor()
    cursor.execute(f"SET idle_in_transaction_session_timeout = '{IDLE_TRANSACTION_SECONDS_MAX}s'")
    cursor.close()
    connection.commit()


class SchemaUnknown(Unavailable):
    """The database has the schema of a newer version of Framegate."""

    code = "schema_unknown"
    retryable = False

    def __init__(self, version: str) -> None:
        super().__init__(
            f"The database was written by a newer version of Framegate (schema {version[:32]}; this version reads "
            f"{SCHEMA} and earlier): install the newer version, or use another data folder or database."
        )


async def schema_version(engine: AsyncEngine) -> str | None:
    """Return the version of a database's schema without changing it; None for an empty database."""
    async with engine.connect() as connection:
        return await connection.run_sync(_version)


async def migrate_to_current(engine: AsyncEngine) -> None:
    """Create the schema in an empty database, or migrate an older one; of several processes one does so.

    Raises `SchemaUnknown` for the schema of a newer version, and changes nothing.
    """
    async with engine.begin() as connection:
        await connection.run_sync(_lock_schema)
        version = await connection.run_sync(_version)
        if version is None:
            await connection.run_sync(_create)
            return
    if version not in known_versions():
        raise SchemaUnknown(version)
    if version != SCHEMA:
        async with engine.begin() as connection:
            await connection.run_sync(_lock_schema)
            await connection.run_sync(migrate)


def known_versions() -> frozenset[str]:
    """Return the versions of the schema that this version of Framegate can read."""
    return frozenset(path.name[:4] for path in (_MIGRATIONS / "versions").glob("[0-9]*.py"))


def _lock_schema(connection: Connection) -> None:
    """Wait until no other process changes the schema. On SQLite the transaction has locked the database."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": SCHEMA_LOCK})


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _create(connection: Connection) -> None:
    # Equal to the result of all migrations, as a test verifies.
    metadata.create_all(connection)
    connection.execute(text("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL PRIMARY KEY)"))
    connection.execute(text("INSERT INTO alembic_version VALUES (:version)"), {"version": SCHEMA})


def migrate(connection: Connection, *, to: str = "head") -> None:
    """Run the migrations from the database's version."""
    from alembic import command  # noqa: PLC0415 - slow, and only needed by an older database
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    config.attributes["connection"] = connection
    command.upgrade(config, to)

"""`doctor`: look at the machine. Needs no server."""

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from framegate.cli import console
from framegate.cli.connection import Data, Json, Server
from framegate.cli.console import Exit
from framegate.domain.errors import FramegateError

if TYPE_CHECKING:
    from framegate.cli.doctor_probe import Asked
    from framegate.config.accounts import Account
    from framegate.config.settings import Settings

FREE_BYTES_LEAST = 2 * 2**30
LIBRARIES = (
    "av",
    "opencv-python-headless",
    "numpy",
    "pillow",
    "fastapi",
    "uvicorn",
    "sqlalchemy",
    "httpx2",
    "pydantic",
)
Mark = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor."""

    name: str
    mark: Mark
    detail: str
    hint: str = ""
    code: str = ""  # what an account's service said, where it was asked


Ask = Annotated[
    bool, typer.Option("--ask", help="Ask each account's service too whether it takes the key. Orders nothing.")
]


def doctor(*, ask: Ask = False, json: Json = False, server: Server = None, data: Data = None) -> None:
    """Look at this machine and these settings. Says what would not work, and exits 1 when something would not.

    Example: framegate doctor --ask
    """
    findings = list(_examine(server, data, ask=ask))
    if json:
        console.out_json(
            {"ok": all(one.mark != "fail" for one in findings), "findings": [asdict(one) for one in findings]}
        )
    else:
        for one in findings:
            console.out_hanging(
                f"{one.mark:<4}  {one.name:<12}  ", one.detail + (f"  ({one.hint})" if one.hint else "")
            )
    if any(one.mark == "fail" for one in findings):
        raise typer.Exit(Exit.FAILED)


def _examine(server: str | None, data: Path | None, *, ask: bool) -> Iterator[Finding]:
    from framegate.config.environment import client_defaults, environment
    from framegate.config.loading import load, unused_variables

    yield Finding("python", "ok", sys.version.split()[0])
    yield _guarded("libraries", _libraries)
    yield _guarded("encoder", _encoder)
    try:
        settings = load(data_dir=data)
    except FramegateError as error:
        yield Finding("settings", "fail", error.message)
        return
    yield _guarded("data folder", lambda: _data_folder(settings))
    yield _owner(settings)
    yield _guarded("key", lambda: _key(settings))
    yield _guarded("models", lambda: _models(settings))
    yield from _accounts(settings, ask=ask and not settings.sandbox)
    for name, why in unused_variables(settings, environment()):
        yield Finding("variable", "warn", f"{name} sets nothing: {why}")
    if settings.sandbox:
        said = "on: no provider is called" + (", so none was asked" if ask else "")
        yield Finding("sandbox", "warn", said, "FRAMEGATE_SANDBOX=0 turns it off")
    url = server or client_defaults()[0]
    if url:
        yield _server(url)


def _guarded(name: str, look: Callable[[], Finding]) -> Finding:
    try:
        return look()
    except (ImportError, OSError, FramegateError) as error:
        return Finding(name, "fail", str(error))


def _libraries() -> Finding:
    from importlib.metadata import PackageNotFoundError, version

    found: list[str] = []
    missing: list[str] = []
    for name in LIBRARIES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            missing.append(name)
    if missing:
        return Finding("libraries", "fail", f"missing: {', '.join(missing)}", "pip install framegate")
    return Finding("libraries", "ok", ", ".join(found))


def _encoder() -> Finding:
    from av.codec import Codec
    from av.codec.codec import UnknownCodecError

    try:
        return Finding("encoder", "ok", f"H.264 by {Codec('libx264', 'w').name}")
    except UnknownCodecError:
        return Finding(
            "encoder", "fail", "PyAV has no libx264", "install PyAV's own wheel: pip install --force-reinstall av"
        )


def _data_folder(settings: "Settings") -> Finding:
    import shutil
    import tempfile

    folder = settings.data_dir
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    with tempfile.TemporaryFile(dir=there):
        free = shutil.disk_usage(there).free
    detail = f"{folder}, {free / 2**30:.1f} GiB free" + ("" if folder.exists() else ", made on first use")
    if free < FREE_BYTES_LEAST:
        return Finding("data folder", "warn", detail, "videos need room; give another folder with --data")
    return Finding("data folder", "ok", detail)


def _owner(settings: "Settings") -> Finding:
    from framegate.domain.errors import DataFolderBusy
    from framegate.store.folder_lock import FolderLock, read_owner

    if not settings.data_dir.is_dir():
        return Finding("owner", "ok", "nobody has the data folder")
    lock = FolderLock(settings.data_dir)
    try:
        lock.acquire()
    except DataFolderBusy:
        owner = read_owner(settings.data_dir)
        serves = f", serving {owner['url']}" if owner.get("url") else ""
        return Finding("owner", "ok", f"process {owner.get('pid', 'unknown')} has the data folder{serves}")
    except OSError as error:
        return Finding("owner", "fail", f"the lock cannot be taken: {error.strerror}")
    lock.release()
    return Finding("owner", "ok", "nobody has the data folder")


def _key(settings: "Settings") -> Finding:
    from framegate.cli.keys import any_key
    from framegate.config.settings import is_loopback

    if any_key(settings):
        return Finding("key", "ok", "set" if settings.api_key else "made by `framegate keys`")
    if is_loopback(settings.host):
        return Finding("key", "ok", "none: loopback only, open to this machine")
    return Finding(
        "key", "fail", f"none, and `serve` is to listen on {settings.host}", "make one: framegate keys create"
    )


def _models(settings: "Settings") -> Finding:
    from framegate.app.parts import known_models

    models = len(known_models(settings).models)
    own = f", with the rows in {settings.catalogue_dir}" if settings.catalogue_dir else ""
    return Finding("models", "ok", f"{models} in the catalogue{own}")


def _accounts(settings: "Settings", *, ask: bool) -> Iterator[Finding]:
    """Where orders go, and what is said there where it is asked. No key is shown."""
    if not settings.accounts:
        yield Finding("account", "ok", "none: framegate/animatic alone makes videos here")
    asked = _asked(settings) if ask else [None] * len(settings.accounts)
    for account, said in zip(settings.accounts, asked, strict=True):
        yield _account(account, said, linked=settings.public_url is not None)


def _asked(settings: "Settings") -> "Sequence[Asked]":
    from framegate import catalogue
    from framegate.app.parts import known_models
    from framegate.cli import doctor_probe

    try:
        book = known_models(settings)
    except FramegateError:  # told in a line of its own
        book = catalogue.builtin()
    return doctor_probe.ask(settings, book)


def _account(account: "Account", said: "Asked | None", *, linked: bool) -> Finding:
    from framegate.cli.doctor_probe import NOT_OFFERED, OK
    from framegate.providers.registry import BASE_URLS, FETCHING

    where = f"{account.provider} `{account.name}` at {account.base_url or BASE_URLS[account.provider]}"
    code, told = (said.code, [said.detail]) if said else ("", [])
    if said and code != OK:
        return Finding("account", "warn" if code == NOT_OFFERED else "fail", f"{where}: {said.detail}", said.hint, code)
    if account.provider in FETCHING and not linked:
        fix = "set public_url, so that it can fetch local and changed pictures from here"
        told = [*told, "takes references by https address alone"]
        return Finding("account", "warn", f"{where}: {'; '.join(told)}", fix, code)
    return Finding("account", "ok", ": ".join([where, *told]), code=code)


def _server(url: str) -> Finding:
    from framegate.client import Framegate

    try:
        with Framegate(url) as gate:
            models = gate.models.list()
            next(gate.videos.list(limit=1), None)
    except FramegateError as error:
        return Finding("server", "fail", error.message)
    return Finding("server", "ok", f"{url} answers, {len(models)} models")

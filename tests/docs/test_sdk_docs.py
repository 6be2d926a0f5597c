"""SDK guide: every example runs, every exception is documented."""

import runpy
from pathlib import Path

import pytest

from framegate import client as sdk
from support.pages import blocks, page, readme

PAGE = page("guides/python-sdk.md")
BLOCKS = [*blocks(PAGE, "python"), *(block for block in blocks(readme(), "python") if "Framegate(" in block)]


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_every_block_runs(block: str, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("FRAMEGATE_URL", address)
    monkeypatch.chdir(tmp_path)
    for name in ("front.jpg", "side.png"):
        Path(name).write_bytes(b"\xff\xd8\xff picture")
    Path("block.py").write_text(block.replace("http://127.0.0.1:8787", address))

    names = runpy.run_path("block.py", run_name="__main__")
    if client := names.get("client"):
        client.close()

    assert client or "AsyncFramegate" in names


def test_every_exception_of_the_client_is_on_the_page():
    kinds = [getattr(sdk, name) for name in sdk.__all__]
    raised = [kind.__name__ for kind in kinds if isinstance(kind, type) and issubclass(kind, Exception)]

    assert [name for name in raised if name != "JobEnded" and f"`{name}`" not in PAGE] == []

"""The SDK's page: every block runs, every exception is on it."""

import re
import runpy
from pathlib import Path

import pytest

from framegate import client
from support.paths import DOCS

PAGE = DOCS / "sdk.md"
BLOCKS = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(), re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_every_block_runs(block: str, address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("FRAMEGATE_URL", address)
    monkeypatch.chdir(tmp_path)
    for name in ("front.jpg", "side.png"):
        Path(name).write_bytes(b"\xff\xd8\xff picture")
    Path("block.py").write_text(block)

    names = runpy.run_path("block.py", run_name="__main__")
    if gate := names.get("gate"):
        gate.close()

    assert gate or "AsyncGate" in names


def test_every_exception_of_the_client_is_on_the_page():
    kinds = [getattr(client, name) for name in client.__all__]
    raised = [kind.__name__ for kind in kinds if isinstance(kind, type) and issubclass(kind, Exception)]

    assert [name for name in raised if name != "JobEnded" and f"`{name}`" not in PAGE.read_text()] == []

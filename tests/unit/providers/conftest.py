import pytest

from framegate.providers.base import Provider
from support.inline_decoder import InlineDecoder


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.fixture(autouse=True)
def decoder(monkeypatch):
    """Providers outside a gateway decode in this process."""
    monkeypatch.setattr(Provider, "decoder", InlineDecoder(), raising=False)

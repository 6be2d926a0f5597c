"""Every outgoing request names Framegate, its version, and the operator's contact."""

import re
from pathlib import Path

import pytest

from framegate import __version__
from framegate.config.accounts import Account
from framegate.config.settings import Settings
from framegate.net.fetcher import Fetcher
from framegate.net.user_agent import user_agent
from framegate.providers.http import HttpProvider
from framegate.providers.registry import build_provider
from support.web_server import Web, answer


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, f"Framegate/{__version__}"),
        ({"contact": "ops@studio.example"}, f"Framegate/{__version__} (+ops@studio.example)"),
        ({"public_url": "https://gate.example"}, f"Framegate/{__version__} (+https://gate.example)"),
        ({"public_url": "https://gate.example", "contact": "https://a.example/bot"}, "(+https://a.example/bot)"),
    ],
)
def test_the_contact_is_the_setting_else_the_public_url(tmp_path: Path, settings: dict[str, str], expected: str):
    assert user_agent(Settings(data_dir=tmp_path, **settings)).endswith(expected)  # type: ignore[arg-type]


@pytest.mark.parametrize("contact", ["a b", "x\r\ny: z", "(nested)", "é@x.example", ""])
def test_a_contact_that_breaks_the_header_is_rejected(tmp_path: Path, contact: str):
    with pytest.raises(ValueError, match="contact"):
        Settings(data_dir=tmp_path, contact=contact)


@pytest.mark.anyio
async def test_downloads_webhooks_and_orders_send_it(web: Web, tmp_path: Path):
    settings = Settings(data_dir=tmp_path, contact="ops@studio.example", allow_private_addresses=True)
    url = web.says("/a", answer(b"\x89PNG"))
    async with Fetcher(settings) as net:
        await net.fetch(url, tmp_path / "file", bytes_max=10, seconds_max=10)
        await net.post(url, b"{}", headers={}, seconds_max=10)
    account = Account(provider="openrouter", api_key="k", base_url=url.removesuffix("/a"))
    provider = build_provider(account, settings)
    assert isinstance(provider, HttpProvider)
    await provider.client.query("GET", "a")
    await provider.close()

    agents = [re.search(r"^user-agent: (.*?)\r?$", text, re.MULTILINE | re.IGNORECASE) for text in web.requests]
    assert [agent and agent[1] for agent in agents] == [f"Framegate/{__version__} (+ops@studio.example)"] * 3

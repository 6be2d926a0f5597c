"""Guides of the compatible APIs: every operation, field and hostname is documented."""

from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI

from framegate.api.dialects import phaseo, pictory
from framegate.api.dialects.phaseo.requests import PHASEO_OPTIONS
from framegate.api.dialects.pictory.requests import FIELDS, STUDIO
from framegate.api.http.signed_urls import UrlSigner
from framegate.api.middleware.vendor_hosts import HOSTS
from framegate.config.accounts import WebhookEndpoint
from framegate.config.loading import load
from support.pages import blocks, page


@pytest.mark.parametrize(("dialect", "name"), [(phaseo, "guides/phaseo.md"), (pictory, "guides/pictory.md")])
def test_every_operation_is_documented(dialect: Any, name: str):
    app: FastAPI = dialect.build(needs_key=lambda: True)
    described, text = app.openapi(), page(name)
    if dialect is phaseo:
        described["paths"]["/async/video/{video_id}/ws"] = {"get": {}}

    for path, operations in described["paths"].items():
        for method in operations:
            assert f"`{method.upper()} {path}`" in text
    assert described["security"] == [{"key": []}]
    assert f"`{'http://HOST:PORT' + dialect.PATH}`" in text.replace("\n", " ")


def test_every_vendor_field_and_every_setting_of_an_endpoint_is_documented():
    text = page("guides/phaseo.md")
    for name in PHASEO_OPTIONS:
        assert f"`{name}`" in text
    for name in WebhookEndpoint.model_fields:
        assert f"\n{name} = " in text


def test_the_endpoint_of_the_page_is_read_from_framegate_toml(tmp_path: Path):
    file = tmp_path / "framegate.toml"
    file.write_text(blocks(page("guides/phaseo.md"), "toml")[0], "utf-8")
    settings = load({}, file=file)

    assert [endpoint.id for endpoint in settings.webhook_endpoints] == ["we_studio"]
    assert phaseo.webhook_dialect(UrlSigner(secret=b"s", seconds=60), settings).dialect == "phaseo"


def test_every_field_and_price_of_ai_studio_is_documented():
    text = page("guides/pictory.md")
    for name in FIELDS:
        assert f"`{name}`" in text
    rates = [f"{studio.credits_per_second:g}" for studio in STUDIO.values()]
    assert f"{', '.join(rates[:-1])} and {rates[-1]} credits a second" in text


def test_every_vendor_hostname_is_documented():
    text = page("guides/vendor-hostnames.md")
    for host in HOSTS:
        assert f"`{host}`" in text

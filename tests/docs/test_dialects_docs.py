"""docs/phaseo.md and docs/pictory.md say all that there is."""

from pathlib import Path

import pytest
from fastapi import FastAPI

from framegate.api.dialects import phaseo, pictory
from framegate.api.dialects.phaseo.parse import KNOBS
from framegate.api.dialects.pictory.requests import FIELDS, STUDIO
from framegate.api.http.signed_urls import Links
from framegate.api.middleware.vendor_hosts import HOSTS
from framegate.config.settings import WebhookEndpoint, load
from support.paths import DOCS


@pytest.mark.parametrize(("dialect", "page"), [(phaseo, "phaseo.md"), (pictory, "pictory.md")])
def test_every_operation_is_documented(dialect: object, page: str):
    app: FastAPI = dialect.build(needs_key=lambda: True)
    described, text = app.openapi(), (DOCS / page).read_text("utf-8")
    if page == "phaseo.md":
        described["paths"]["/async/video/{video_id}/ws"] = {"get": {}}

    for path, operations in described["paths"].items():
        for method in operations:
            assert f"`{method.upper()} {path}`" in text
    assert described["security"] == [{"key": []}]
    assert f"`{'http://HOST:PORT' + dialect.PATH}`" in text.replace("\n", " ")


def test_every_knob_and_every_setting_of_an_endpoint_is_documented():
    text = (DOCS / "phaseo.md").read_text("utf-8")
    for name in KNOBS:
        assert f"`{name}`" in text
    for name in WebhookEndpoint.model_fields:
        assert f"\n{name} = " in text


def test_the_endpoint_of_the_page_is_read_from_framegate_toml(tmp_path: Path):
    file = tmp_path / "framegate.toml"
    file.write_text((DOCS / "phaseo.md").read_text("utf-8").partition("```toml\n")[2].partition("```")[0], "utf-8")
    settings = load({}, file=file)

    assert [endpoint.id for endpoint in settings.webhook_endpoints] == ["we_studio"]
    assert phaseo.hook(Links(secret=b"s", seconds=60), settings).dialect == "phaseo"


def test_every_field_and_every_price_of_ai_studio_is_documented():
    text = (DOCS / "pictory.md").read_text("utf-8")
    for name in FIELDS:
        assert f"`{name}`" in text
    told = [f"{studio.credits_per_second:g}" for studio in STUDIO.values()]
    assert f"{', '.join(told[:-1])} and {told[-1]} credits a second" in text


def test_every_host_is_documented():
    text = (DOCS / "hosts.md").read_text("utf-8")
    for host in HOSTS:
        assert f"`{host}`" in text

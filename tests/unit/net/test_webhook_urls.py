"""Webhook URLs: judged at create by the rules of the delivery; a user name and password become Basic credentials."""

import base64
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framegate.api.http.callbacks import callback_problem
from framegate.config.settings import Settings
from framegate.domain.errors import NotDelivered
from framegate.net.fetcher import Fetcher, webhook_target
from support.web_server import Web, answer

NEVER = [
    "https://10.0.0.5/hook", "https://192.168.1.5:8443/hook", "https://localhost/hook", "https://api.localhost./x",
    "https://[::1]/hook", "https://[::ffff:10.0.0.1]/", "https://2130706433/", "https://0x7f.1/",
    "https://exa mple.com/x",
    "https://example.com:0/x", "https://example.com:99999/", "https://example.com/a b", "https://example.com/x\n",
    " https://example.com/x", "https://example.com/\tx", "https:///x", "http://hooks.example.com/x", "ftp://a.example/x",
    "https://169.254.169.254/", "https://u:p@10.0.0.5/", "example.com/x", "", "https://",
    "https://a.example/" + "x" * 9000,
]  # fmt: skip
ALWAYS = [
    "https://hooks.example.com/x?y=1",
    "https://example.com:8443/",
    "https://93.184.216.34/x",
    "https://u:p@a.example/",
]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return Settings(data_dir=tmp_path_factory.mktemp("data"))


@pytest.mark.parametrize("url", NEVER)
def test_a_url_that_is_never_called_is_refused_at_create(plain: Settings, url: str):
    problem = callback_problem(url, plain, field="webhook.url")

    assert problem is not None
    assert problem.pointer == "/webhook/url"


@pytest.mark.parametrize("url", ALWAYS)
def test_a_url_that_can_be_called_is_taken(plain: Settings, url: str):
    assert callback_problem(url, plain, field="callback_url") is None


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/x", "http://localhost/x", "https://10.0.0.5/x", "https://[::1]/"])
def test_private_addresses_are_taken_if_the_operator_allows_them(plain: Settings, url: str):
    allowed = plain.model_copy(update={"allow_private_addresses": True})

    assert callback_problem(url, allowed, field="callback_url") is None
    assert callback_problem("http://169.254.169.254/", allowed, field="callback_url") is not None


@given(st.text(max_size=60).map(lambda text: f"https://{text}"))
def test_create_and_delivery_agree_on_any_text(url: str):
    settings = Settings.model_construct(allow_private_addresses=False, allow_http_webhooks=False)
    try:
        webhook_target(url, settings)
        is_deliverable = True
    except NotDelivered:
        is_deliverable = False

    assert (callback_problem(url, settings, field="x") is None) is is_deliverable


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("login", "sent"), [("user:pass", "user:pass"), ("token", "token:"), ("a%40b:p%3Aq", "a@b:p:q")]
)
async def test_a_login_in_the_url_is_sent_as_basic_credentials(web: Web, tmp_path: Path, login: str, sent: str):
    url = web.says("/hook", answer(b"")).replace("http://", f"http://{login}@")
    async with Fetcher(Settings(data_dir=tmp_path, allow_private_addresses=True)) as net:
        status = await net.post(url, b"{}", headers={"content-type": "application/json"}, seconds_max=10)

    assert status == 200
    assert f"authorization: basic {base64.b64encode(sent.encode()).decode()}".lower() in web.requests[0].lower()
    assert login not in web.requests[0]

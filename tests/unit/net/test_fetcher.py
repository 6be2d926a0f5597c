"""Downloads from a real local server: limits, redirects, and web pages instead of files."""

import asyncio
import hashlib
import logging
import tracemalloc
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from framegate.config.settings import Settings
from framegate.domain.errors import ReferenceUnusable
from framegate.net.fetcher import Fetched, Fetcher, Resolver
from framegate.net.ssrf import blocked_address_reason
from support.web_server import Web, answer

pytestmark = pytest.mark.anyio

PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 1000
HTML = b"<!DOCTYPE html><html><head><title>A cat</title></head><body>Meow</body></html>"


async def fetch(net: Fetcher, url: str, tmp_path: Path, *, bytes_max: int = 10**6, seconds_max: float = 10) -> Fetched:
    return await net.fetch(url, tmp_path / "file", bytes_max=bytes_max, seconds_max=seconds_max)


async def refusal(net: Fetcher, url: str, tmp_path: Path, **limits: float) -> ReferenceUnusable:
    with pytest.raises(ReferenceUnusable) as caught:
        await fetch(net, url, tmp_path, **limits)  # pyright: ignore[reportArgumentType] - two limits of two types
    assert not (tmp_path / "file").exists()
    return caught.value


async def test_a_download_saves_the_complete_file_with_its_hash(net: Fetcher, web: Web, tmp_path: Path):
    body = bytes(range(256)) * 4000
    url = web.says("/a.png?token=1", answer(body, content_type="image/PNG; charset=x"))
    fetched = await fetch(net, url, tmp_path, bytes_max=len(body))
    assert (tmp_path / "file").read_bytes() == body
    assert fetched == Fetched(
        path=tmp_path / "file",
        size_bytes=len(body),
        media_type="image/png",
        final_url=url,
        sha256=hashlib.sha256(body).hexdigest(),
    )


async def test_requests_contain_no_cookies_and_no_credentials(
    net: Fetcher, web: Web, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1/")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password secret\n")
    url = web.says("/a.png", answer(PNG, set_cookie="session=1; Path=/"))
    for _ in range(2):
        await fetch(net, url, tmp_path)
    for request in web.requests:
        assert "cookie" not in request.lower()
        assert "authorization" not in request.lower()
        assert "accept-encoding: identity" in request.lower()


@pytest.mark.parametrize(
    ("reply", "code", "retryable"),
    [
        (answer(HTML, content_type="text/html"), "reference_is_html", False),
        (answer(HTML, content_type="image/png"), "reference_is_html", False),
        (answer(b"\xef\xbb\xbf\n <!-- x --><html>", content_type="image/png"), "reference_is_html", False),
        (answer(b"Just text", content_type="text/html; charset=utf-8"), "reference_is_html", False),
        (answer(HTML.replace(b"A cat", b"Sign in - Drive")), "reference_login_wall", False),
        (answer(HTML.replace(b"Meow", b"<input type='password'>")), "reference_login_wall", False),
        (answer(HTML, "401 Unauthorized"), "reference_login_wall", False),
        (answer(HTML, "403 Forbidden"), "reference_forbidden", False),
        (answer(HTML, "404 Not Found"), "reference_not_found", False),
        (answer(b"", "410 Gone"), "reference_not_found", False),
        (answer(b""), "reference_is_empty", False),
        (b"HTTP/1.1 204 No Content\r\n\r\n", "reference_is_empty", False),
        (answer(b"x", "418 Teapot"), "reference_unreachable", False),
        (answer(b"x", "429 Too Many Requests"), "reference_unreachable", True),
        (answer(b"x", "500 Oops"), "reference_unreachable", True),
        (answer(b"x", "503 Busy"), "reference_unreachable", True),
        (answer(b"x", "302 Found"), "reference_unreachable", False),
        (answer(b"\x1f\x8b\x08", content_encoding="gzip"), "reference_truncated", True),
        (answer(b"\x8b\x02", content_encoding="br"), "reference_unreachable", False),
        (b"220 smtp.example ESMTP\r\n", "reference_unreachable", True),
        (b"", "reference_unreachable", True),
        (answer(PNG)[:-10], "reference_truncated", True),
    ],
)
async def test_each_unusable_response_has_its_own_error_code(
    net: Fetcher, web: Web, tmp_path: Path, reply: bytes, code: str, retryable: bool
):
    error = await refusal(net, web.says("/a.png", reply), tmp_path)
    assert (error.code, error.retryable) == (code, retryable)


async def test_a_redirect_to_a_login_page_is_a_login_wall(net: Fetcher, web: Web, tmp_path: Path):
    web.says("/accounts/login?next=a.png", answer(HTML))
    url = web.says("/a.png", answer(b"", "302 Found", location="/accounts/login?next=a.png"))
    assert (await refusal(net, url, tmp_path)).code == "reference_login_wall"


async def test_a_picture_served_as_html_is_accepted(net: Fetcher, web: Web, tmp_path: Path):
    assert (await fetch(net, web.says("/a", answer(PNG, content_type="text/html")), tmp_path)).size_bytes == len(PNG)


async def test_an_svg_is_not_taken_for_a_web_page(net: Fetcher, web: Web, tmp_path: Path):
    drawing = b"<!-- drawn by hand --><svg xmlns='http://www.w3.org/2000/svg'/>"
    assert (await fetch(net, web.says("/a.svg", answer(drawing)), tmp_path)).size_bytes == len(drawing)


async def test_a_closed_port_is_unreachable(net: Fetcher, web: Web, tmp_path: Path):
    free = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
    port = free.sockets[0].getsockname()[1]
    free.close()
    await free.wait_closed()
    error = await refusal(net, f"http://127.0.0.1:{port}/a.png", tmp_path)
    assert (error.code, error.retryable) == ("reference_unreachable", True)


async def test_five_redirects_are_followed_and_a_sixth_is_not(net: Fetcher, web: Web, tmp_path: Path):
    web.says("/0", answer(PNG))
    for hops in range(1, 7):
        web.says(f"/{hops}", answer(b"", "302 Found", location=f"{hops - 1}"))
    fetched = await fetch(net, web.url("/5"), tmp_path)
    assert fetched.final_url == web.url("/0")
    (tmp_path / "file").unlink()
    assert (await refusal(net, web.url("/6"), tmp_path)).code == "reference_too_many_redirects"


async def test_an_endless_redirect_ends(net: Fetcher, web: Web, tmp_path: Path):
    url = web.says("/a", answer(b"", "301 Moved Permanently", location="/a"))
    assert (await refusal(net, url, tmp_path)).code == "reference_too_many_redirects"
    assert len(web.requests) == 6


@pytest.mark.parametrize(
    ("location", "code"),
    [
        ("http://169.254.169.254/latest/meta-data/", "reference_private_address"),
        ("http://[::ffff:10.0.0.1]/", "reference_private_address"),
        ("//10.0.0.1/a.png", "reference_private_address"),
        ("http://0x7f000001/", "reference_private_address"),
        ("http://127.0.0.2/", "reference_private_address"),
        ("file:///etc/passwd", "reference_bad_url"),
        ("http://[", "reference_bad_url"),
        ("http://me:secret@93.184.215.14/", "reference_bad_url"),
    ],
)
async def test_a_redirect_passes_the_guard_again(net: Fetcher, web: Web, tmp_path: Path, location: str, code: str):
    url = web.says("/a.png", answer(b"", "302 Found", location=location))
    assert (await refusal(net, url, tmp_path)).code == code


def rebinding(answers: list[list[str]]) -> tuple[list[str], Resolver]:
    hosts: list[str] = []

    async def resolve(host: str, port: int) -> Sequence[str]:
        hosts.append(host)
        return answers[min(len(hosts), len(answers)) - 1]

    return hosts, resolve


async def test_the_address_that_was_checked_is_the_one_that_is_used(settings: Settings, web: Web, tmp_path: Path):
    hosts, resolve = rebinding([["127.0.0.1"], ["169.254.169.254"]])
    web.says("/a.png", answer(PNG))
    async with Fetcher(
        settings, resolve=resolve, blocked_reason=lambda ip: blocked_address_reason(ip, private_allowed=True)
    ) as net:
        await fetch(net, web.url("/a.png", host="pictures.example"), tmp_path)
    assert hosts == ["pictures.example"]
    assert f"host: pictures.example:{web.port}" in web.requests[0].lower()


async def test_a_name_that_turns_private_between_two_hops_is_refused(settings: Settings, web: Web, tmp_path: Path):
    hosts, resolve = rebinding([["127.0.0.1"], ["169.254.169.254"]])
    web.says("/a.png", answer(b"", "302 Found", location="/b.png"))
    web.says("/b.png", answer(PNG))
    async with Fetcher(
        settings, resolve=resolve, blocked_reason=lambda ip: blocked_address_reason(ip, private_allowed=True)
    ) as net:
        error = await refusal(net, web.url("/a.png", host="pictures.example"), tmp_path)
    assert error.code == "reference_private_address"
    assert (len(hosts), len(web.requests)) == (2, 1)


async def test_the_next_address_of_a_name_is_tried_if_one_is_dead(settings: Settings, web: Web, tmp_path: Path):
    _, resolve = rebinding([["::1", "127.0.0.1"]])  # the server listens on the second alone
    web.says("/a.png", answer(PNG))
    async with Fetcher(settings, resolve=resolve, blocked_reason=lambda _: None) as net:
        assert (await fetch(net, web.url("/a.png", host="pictures.example"), tmp_path)).size_bytes == len(PNG)


async def test_a_slow_trickle_ends_at_the_deadline(net: Fetcher, web: Web, tmp_path: Path):
    async def drip() -> AsyncIterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n"
        for _ in range(100_000):
            await asyncio.sleep(0.01)
            yield b"x"

    error = await refusal(net, web.does("/a.png", drip), tmp_path, seconds_max=0.3)
    assert (error.code, error.retryable) == ("reference_too_slow", True)


async def test_a_server_that_never_answers_ends_at_the_deadline(net: Fetcher, web: Web, tmp_path: Path):
    async def silence() -> AsyncIterator[bytes]:
        await asyncio.Event().wait()
        yield b""

    assert (await refusal(net, web.does("/a.png", silence), tmp_path, seconds_max=0.2)).code == "reference_too_slow"


async def test_the_deadline_counts_for_all_redirects_together(net: Fetcher, web: Web, tmp_path: Path):
    async def slowly() -> AsyncIterator[bytes]:
        await asyncio.sleep(0.15)
        yield answer(b"", "302 Found", location="/a.png")

    assert (await refusal(net, web.does("/a.png", slowly), tmp_path, seconds_max=0.4)).code == "reference_too_slow"


async def test_an_announced_gigabyte_is_rejected_before_its_body(net: Fetcher, web: Web, tmp_path: Path):
    url = web.says("/a.png", b"HTTP/1.1 200 OK\r\ncontent-length: 1073741824\r\n\r\n", PNG)
    assert (await refusal(net, url, tmp_path)).code == "reference_too_large"


@pytest.mark.parametrize("limit", [10**6, 48 * 2**20])
async def test_an_unannounced_gigabyte_is_cut_at_the_limit_with_memory_flat(
    net: Fetcher, web: Web, tmp_path: Path, limit: int
):
    sent = 0

    async def flood() -> AsyncIterator[bytes]:
        nonlocal sent
        yield b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
        chunk = b"10000\r\n" + b"\1" * 0x10000 + b"\r\n"
        for _ in range(2**30 // 0x10000):
            sent += 0x10000
            yield chunk

    url = web.does("/a.png", flood)
    tracemalloc.start()
    try:
        error = await refusal(net, url, tmp_path, bytes_max=limit, seconds_max=60)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert error.code == "reference_too_large"
    assert sent < limit + 16 * 2**20
    assert peak < 8 * 2**20


async def test_a_cancelled_download_leaves_no_file(net: Fetcher, web: Web, tmp_path: Path):
    begun = asyncio.Event()

    async def half() -> AsyncIterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\n" + b"x" * 500_000
        begun.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(fetch(net, web.does("/a.png", half), tmp_path))
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not (tmp_path / "file").exists()


async def test_neither_messages_nor_logs_repeat_a_signed_address(
    net: Fetcher, web: Web, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.DEBUG)
    url = web.says("/a.png?signature=verysecret", answer(b"", "403 Forbidden"))
    assert "verysecret" not in (await refusal(net, url, tmp_path)).message
    assert "verysecret" not in caplog.text

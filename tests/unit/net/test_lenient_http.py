"""A strict HTTP parser accepts every response head after its repair."""

import re

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from framegate.net.lenient_http import repaired_head
from support.soak import examples

HEADS = {
    "plain": b"HTTP/1.1 202 Accepted\r\ncontent-length: 2\r\nx-a: b\r\n\r\n",
    "no reason": b"HTTP/1.1 202\r\n\r\n",
    "bare line feeds": b"HTTP/1.1 202 OK\ncontent-length: 2\n\n",
    "unknown version": b"HTTP/2 202\r\n\r\n",
    "NUL in a header": b"HTTP/1.1 202 OK\r\nx-a: a\x00b\r\ncontent-length: 2\r\n\r\n",
    "no name": b"HTTP/1.1 202 OK\r\n: x\r\nno colon\r\n\r\n",
    "blank in a name": b"HTTP/1.1 202 OK\r\nx a: b\r\ncontent-length : 2\r\n\r\n",
    "folded header": b"HTTP/1.1 202 OK\r\nx-a: b\r\n  and more\r\n\r\n",
    "long header": b"HTTP/1.1 202 OK\r\nx-a: " + b"x" * 2**20 + b"\r\ncontent-length: 2\r\n\r\n",
    "many headers": b"HTTP/1.1 202 OK\r\n" + b"x-a: b\r\n" * 50_000 + b"content-length: 2\r\n\r\n",
    "two lengths": b"HTTP/1.1 202 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n",
    "length of letters": b"HTTP/1.1 202 OK\r\ncontent-length: many\r\n\r\n",
    "length of a thousand digits": b"HTTP/1.1 202 OK\r\ncontent-length: " + b"9" * 1000 + b"\r\n\r\n",
    "length and chunks": b"HTTP/1.1 202 OK\r\ncontent-length: 2\r\ntransfer-encoding: gzip, chunked\r\n\r\n",
    "unknown transfer encoding": b"HTTP/1.1 202 OK\r\ntransfer-encoding: identity\r\ncontent-length: 2\r\n\r\n",
    "bytes above ASCII": b"HTTP/1.1 202 Caf\xe9\r\nx-a: caf\xe9\r\n\r\n",
}
LINES = st.lists(st.binary(max_size=40).filter(lambda line: b"\n" not in line), max_size=8)


def parsed(head: bytes) -> h11.Response:
    connection = h11.Connection(h11.CLIENT)
    connection.send(h11.Request(method="GET", target="/", headers=[("host", "a")]))
    connection.receive_data(head)
    event = connection.next_event()
    assert isinstance(event, h11.Response)
    return event


@pytest.mark.parametrize("case", HEADS)
def test_a_sloppy_head_is_accepted(case: str):
    assert parsed(repaired_head(HEADS[case])).status_code == 202


@given(LINES)
@examples(200, 20_000)
def test_a_head_of_any_lines_is_accepted(lines: list[bytes]):
    assert parsed(repaired_head(b"\r\n".join([b"HTTP/1.1 202 OK", *lines, b"", b""]))).status_code == 202


def test_the_headers_of_a_sound_head_are_kept():
    headers = dict(parsed(repaired_head(HEADS["plain"])).headers)
    assert headers == {b"content-length": b"2", b"x-a": b"b"}


def test_anything_but_http_is_unchanged():
    assert repaired_head(b"SSH-2.0-OpenSSH_9.6\r\n\r\n") == b"SSH-2.0-OpenSSH_9.6\r\n\r\n"
    assert not re.match(b"HTTP", repaired_head(b"<html>\n\n"))

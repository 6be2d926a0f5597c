"""A signed link opens one file until it expires, and nothing else."""

from urllib.parse import parse_qs

from framegate.api.http.signed_urls import UrlSigner
from support.fixed_clock import FixedClock

NOW = 1_800_000_000.5


def links(at: float = NOW, *, secret: bytes = b"s" * 32, seconds: int = 86_400) -> UrlSigner:
    return UrlSigner(secret=secret, seconds=seconds, clock=FixedClock(at))


def parts(query: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(query).items()}


def test_a_link_opens_its_own_file_until_it_expires():
    query = parts(links().query("job", "content/0"))

    assert links().permits("job", "content/0", query)
    assert links(int(query["expires"]) - 1).permits("job", "content/0", query)
    assert not links(int(query["expires"])).permits("job", "content/0", query)


def test_a_link_opens_nothing_else():
    query = parts(links().query("job", "content/0"))

    assert not links().permits("job", "content/1", query)
    assert not links().permits("job", "poster/0", query)
    assert not links().permits("other", "content/0", query)
    assert not links(secret=b"t" * 32).permits("job", "content/0", query)


def test_a_link_that_was_tampered_with_opens_nothing():
    query = parts(links().query("job", "content/0"))
    later = str(int(query["expires"]) + 1)

    for expires, signature in (
        (later, query["signature"]),
        (query["expires"], query["signature"][:-1]),
        (query["expires"], query["signature"].upper()),
        (query["expires"], "ä" * 64),
        ("", query["signature"]),
        ("-1", query["signature"]),
        ("٣", query["signature"]),
        ("9" * 5000, query["signature"]),
    ):
        assert not links().permits("job", "content/0", {"expires": expires, "signature": signature})
    assert not links().permits("job", "content/0", {})


def test_a_link_never_lives_longer_than_the_setting_and_hardly_shorter():
    for seconds in (60, 3600, 86_400):
        left = links(seconds=seconds).expires_at() - NOW

        assert seconds * 22 / 24 <= left <= seconds


def test_links_made_a_moment_apart_mostly_are_the_same():
    assert links(NOW).query("job", "content/0") == links(NOW + 1).query("job", "content/0")


def test_a_link_is_bound_to_the_key_that_it_was_given_to():
    query = parts(links().for_key("k" * 12).query("job", "content/0"))

    assert links().permits("job", "content/0", query)
    assert query["key"] == "k" * 12
    assert not links().permits("job", "content/0", query | {"key": "l" * 12})
    assert not links().permits("job", "content/0", {name: query[name] for name in ("expires", "signature")})

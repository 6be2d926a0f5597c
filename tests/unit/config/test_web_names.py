"""Hosts and origins in the settings: read as meant, or refused at the start with a sentence that says how."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from framegate.config.loading import load
from framegate.config.settings import SettingsInvalid
from framegate.config.web_names import normal_origin, parse_origin


@pytest.mark.parametrize(
    ("text", "origins"),
    [
        ("https://a.example,https://b.example", ("https://a.example", "https://b.example")),
        ("https://a.example , https://b.example ,", ("https://a.example", "https://b.example")),
        ("https://a.example/", ("https://a.example",)),
        ("HTTPS://A.example", ("https://a.example",)),
        ("https://a.example:443,http://a.example:80", ("https://a.example", "http://a.example")),
        ("http://a.example:443", ("http://a.example:443",)),
        ("http://[::1]:3000", ("http://[::1]:3000",)),
        ("http://127.0.0.1:80/", ("http://127.0.0.1",)),
        ("https://bücher.example", ("https://xn--bcher-kva.example",)),
        ("chrome-extension://abcdefgh,tauri://localhost", ("chrome-extension://abcdefgh", "tauri://localhost")),
        ("https://a.example,https://a.example/", ("https://a.example",)),
    ],
)
def test_origins_are_read_as_meant(text: str, origins: tuple[str, ...]):
    assert load({"FRAMEGATE_ALLOWED_ORIGINS": text}).allowed_origins == origins


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("*", "name each origin"),
        ("null", "https://null"),
        ("a.example", "`https://a.example`"),
        ('["https://a.example"]', "separated by commas, without brackets"),
        ("'https://a.example'", "separated by commas, without brackets"),
        ("https://a.example https://b.example", "`https://a.example, https://b.example`"),
        ("https://a.example/app", "`https://a.example`, not"),
        ("https://a.example?x", "without a path"),
        ("https://u:p@a.example", "`https://a.example`, not"),
        ("https://*.example", "name each host"),
        ("https://a.example:0", "an origin such as"),
        ("https://a.example:99999", "an origin such as"),
        ("https://", "an origin such as"),
        ("://a", "an origin such as"),
        ("https://a.example;https://b.example", "must be"),
    ],
)
def test_what_cannot_be_an_origin_is_refused_with_what_can(text: str, says: str):
    with pytest.raises(SettingsInvalid) as caught:
        load({"FRAMEGATE_ALLOWED_ORIGINS": text})

    assert "FRAMEGATE_ALLOWED_ORIGINS" in caught.value.message
    assert says in caught.value.message


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("a.example, b.example", ("a.example", "b.example")),
        ("A.example.", ("a.example",)),
        ("[::1],::2,10.0.0.7", ("::1", "::2", "10.0.0.7")),
        ("bücher.example", ("xn--bcher-kva.example",)),
        ("my_box", ("my_box",)),
    ],
)
def test_hosts_are_read_as_meant(text: str, hosts: tuple[str, ...]):
    assert load({"FRAMEGATE_ALLOWED_HOSTS": text}).allowed_hosts == hosts


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("*", "name each host"),
        ("*.example", "name each host"),
        ("a.example:8787", "without a port: `a.example`"),
        ("https://a.example", "without a scheme"),
        ("a.example/x", "without a scheme and a path"),
        ("a.example b.example", "`a.example, b.example`"),
        ('["a.example"]', "separated by commas, without brackets"),
        ("-a", "must be a hostname"),
    ],
)
def test_what_cannot_be_a_host_is_refused_with_what_can(text: str, says: str):
    with pytest.raises(SettingsInvalid) as caught:
        load({"FRAMEGATE_ALLOWED_HOSTS": text})

    assert "FRAMEGATE_ALLOWED_HOSTS" in caught.value.message
    assert says in caught.value.message


def test_a_list_of_the_settings_file_is_read_in_the_same_way():
    assert load({}, allowed_origins=[" https://A.example/ "]).allowed_origins == ("https://a.example",)


@given(st.text(max_size=80))
def test_a_parsed_origin_is_parsed_to_itself_and_nothing_else_is_an_error(text: str):
    origin = normal_origin(text)

    assert origin is None or parse_origin(origin) == origin

"""The account of a job: the one that received its order, whatever its name is now."""

from dataclasses import replace

import pytest

from framegate.config.accounts import Account
from framegate.domain import Job, Request, Target
from framegate.providers.registry import ProviderRegistry, build_provider

TARGET = Target(width=1280, height=720, fps=24, duration=8, audio=False, seed=None)


def at_fal(*rows: tuple[str, str, str]) -> ProviderRegistry:
    """Accounts at fal, each with name, key and base URL."""
    accounts = [Account(provider="fal", name=name, api_key=key, base_url=url) for name, key, url in rows]
    return ProviderRegistry(build_provider(account) for account in accounts)


def ordered_with(name: str, key: str, url: str) -> Job:
    """A job whose order was accepted by this account."""
    [account] = at_fal((name, key, url))
    return Job(
        id="j",
        owner="o",
        dialect="native",
        request=Request(model="m"),
        model="m",
        target=TARGET,
        created_at=0.0,
        updated_at=0.0,
        deadline_at=1.0,
        provider="fal",
        account=name,
        account_url=account.base_url,
        account_key=account.key_fingerprint,
    )


@pytest.mark.parametrize(
    ("accounts", "expected"),
    [
        ([("old", "k2", "https://a.test"), ("other", "k3", "https://a.test")], "old"),  # its key was rotated
        ([("new", "k1", "https://a.test"), ("other", "k3", "https://a.test")], "new"),  # it was renamed
        ([("other", "k1", "https://a.test"), ("old", "k3", "https://a.test")], "other"),  # two names were exchanged
        ([("new", "k1", "https://a.test"), ("other", "k1", "https://a.test")], "new"),  # two accounts have its key
        ([("new", "k2", "https://a.test")], "new"),  # both were changed, and there is no other account
        ([("old", "k1", "https://b.test")], None),  # another server does not know the order
        ([("x", "k2", "https://a.test"), ("y", "k3", "https://a.test")], None),
        ([], None),
    ],
)
def test_a_job_keeps_its_account_after_a_rename_or_a_key_rotation(
    accounts: list[tuple[str, str, str]], expected: str | None
):
    account = at_fal(*accounts).for_job(ordered_with("old", "k1", "https://a.test"))
    assert (account and account.account) == expected


def test_a_job_of_a_gpu_server_follows_it_to_a_new_address():
    account = Account(provider="vllm_omni", name="gpu", base_url="http://10.0.0.6:8091")
    offers = ProviderRegistry([build_provider(account)])
    job = ordered_with("gpu", "k", "http://10.0.0.5:8091")
    assert offers.for_job(replace(job, provider="vllm_omni")) is not None


def test_key_fingerprints_differ_and_do_not_contain_the_key():
    first, second = at_fal(("a", "secret-of-one", "https://a.test"), ("b", "secret-of-another", "https://a.test"))
    assert first.key_fingerprint != second.key_fingerprint
    assert "secret" not in first.key_fingerprint + second.key_fingerprint

"""Accounts: created or found by key, kept by URL, never without consent."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from dnsbroker.acme import Client
from dnsbroker.errors import AcmeError, ConfigError, Problem
from fake_ca import FakeCA, answer, opened, refusal


def _played(play: Callable[[FakeCA, Client], Awaitable[None]], key: str = "P-256") -> None:
    async def run() -> None:
        ca = FakeCA()
        async with ca.server, opened(ca, key=key) as client:
            await play(ca, client)

    asyncio.run(run())


@pytest.mark.parametrize("key", ["P-256", "P-384", "RSA"])
def test_a_key_gets_an_account_and_finds_it_again(key: str) -> None:
    """Twice asked, once created, the same URL; elliptic keys included."""

    async def play(ca: FakeCA, client: Client) -> None:
        first = await client.register(["hostmaster@a.test"], agree_tos=True)
        async with opened(ca, key=key) as second:
            assert await second.register((), agree_tos=True) == first
        assert list(ca.accounts) == [first]
        assert client.account_url == first

    _played(play, key)


def test_contacts_are_mail_addresses_and_optional() -> None:
    """What has a scheme keeps it; none at all is left out of the request."""

    async def play(ca: FakeCA, client: Client) -> None:
        await client.register(["a@a.test", "mailto:b@a.test"], agree_tos=True)
        await client.register((), agree_tos=True)
        assert [post.json() for post in ca.posts] == [
            {"contact": ["mailto:a@a.test", "mailto:b@a.test"], "termsOfServiceAgreed": True},
            {"termsOfServiceAgreed": True},
        ]

    _played(play)


def test_fail_without_consent_nothing_is_sent() -> None:
    """Neither to create an account nor to read the directory."""

    async def play(ca: FakeCA, client: Client) -> None:
        with pytest.raises(ConfigError, match=r"acme\.agree_tos") as refused:
            await client.register((), agree_tos=False)
        assert "agree_tos = true" in refused.value.hint
        assert ca.paths == []

    _played(play)


def test_an_account_is_used_by_the_url_that_was_kept() -> None:
    """No newAccount is needed for it."""

    async def play(ca: FakeCA, client: Client) -> None:
        kept = await client.register((), agree_tos=True)
        async with opened(ca) as second:
            second.account_url = kept
            await second.new_order(["a.test"])
        assert ca.paths.count("POST new-account") == 1
        assert ca.posts[-1].protected["kid"] == kept

    _played(play)


def test_fail_without_an_account_nothing_is_signed() -> None:
    """The key itself goes only to newAccount."""

    async def play(ca: FakeCA, client: Client) -> None:
        with pytest.raises(AcmeError, match="no account"):
            await client.new_order(["a.test"])
        assert ca.posts == []

    _played(play)


def test_fail_an_account_without_a_url_is_none() -> None:
    """A CA that does not say where the account is has not made one for us."""

    async def play(ca: FakeCA, client: Client) -> None:
        ca.scripts["new-account"] = [answer(201, {"status": "valid"})]
        with pytest.raises(AcmeError, match="did not say where the account is"):
            await client.register((), agree_tos=True)
        assert client.account_url == ""

    _played(play)


@pytest.mark.parametrize(
    ("kind", "hint"),
    [
        ("externalAccountRequired", "eab_kid and eab_hmac_key"),
        ("unsupportedContact", "acme.contact"),
        ("invalidContact", "acme.contact"),
        ("badPublicKey", "state_dir/accounts"),
    ],
)
def test_fail_a_refused_account_has_a_way_out(kind: str, hint: str) -> None:
    """The CA's words are the message, the hint says what to change."""

    async def play(ca: FakeCA, client: Client) -> None:
        ca.scripts["new-account"] = [refusal(400, kind, "we will not")]
        with pytest.raises(Problem, match="refused the account: we will not") as refused:
            await client.register((), agree_tos=True)
        assert hint in refused.value.hint

    _played(play)


def test_fail_an_account_that_the_ca_has_forgotten_says_what_to_do() -> None:
    """The kept URL may be another CA's, or gone."""

    async def play(ca: FakeCA, client: Client) -> None:
        await client.register((), agree_tos=True)
        ca.scripts["new-order"] = [refusal(400, "accountDoesNotExist")]
        with pytest.raises(Problem) as refused:
            await client.new_order(["a.test"])
        assert "state_dir/accounts" in refused.value.hint

    _played(play)

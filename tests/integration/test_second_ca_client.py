"""The ACME client at acme2certifier: what Pebble 2.4 lacks, and what both have, said in other words."""

from __future__ import annotations

import asyncio
import base64
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Literal

import pytest

from dnsbroker import keys
from dnsbroker.acme import Binding, Client
from dnsbroker.clock import Deadline, SystemClock
from dnsbroker.errors import AcmeError, ConfigError, Problem
from dnsbroker.transport import Connections, Session
from lab.acme2certifier import SecondCA

CLOCK = SystemClock()
CONTACT = ["hostmaster@example.test"]
KID = "kid-1"
MAC = base64.urlsafe_b64encode(secrets.token_bytes(64)).rstrip(b"=").decode()
PROFILES = {"usual": "what most want", "brief": "for a week"}
NAMES = ["example.test", "*.example.test"]


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecondCA]:
    """A CA with profiles, which believes everybody."""
    with SecondCA(tmp_path_factory.mktemp("ca"), port=14610, profiles=PROFILES, trusting=True) as running:
        yield running


@pytest.fixture(scope="module")
def binding_ca(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecondCA]:
    """A CA that knows its customers."""
    with SecondCA(tmp_path_factory.mktemp("binding"), port=14612, binding_keys={KID: MAC}) as running:
        yield running


@asynccontextmanager
async def client_of(ca: SecondCA, key: str) -> AsyncIterator[Client]:
    """A client with that account key, which has no account yet."""
    session: Session = Connections({}).session(timeout=20.0, ca_bundle=str(ca.ca_file))
    try:
        yield Client(ca.url, key, session, CLOCK)
    finally:
        await session.aclose()


def played(ca: SecondCA, play: Callable[[Client], Awaitable[None]], *, account: bool = True) -> None:
    """Run ``play`` with a client that has a new key, and an account unless told otherwise."""

    async def run() -> None:
        async with client_of(ca, keys.generate("ecdsa-p256")) as client:
            if account:
                await client.register(CONTACT, agree_tos=True)
            await play(client)

    asyncio.run(run())


async def issued(client: Client, names: Sequence[str] = NAMES) -> str:
    """The default chain of a new certificate."""
    order = await client.new_order(names)
    for item in await client.authorizations(order):
        assert item.challenge is not None
        await client.answer(item.challenge)
        await client.validated(item, Deadline.after(CLOCK, 20))
    request = keys.csr(keys.generate("ecdsa-p256"), names)
    return (await client.chains(await client.finalize(order, request, Deadline.after(CLOCK, 20))))[0]


# Accounts


@pytest.mark.parametrize("algorithm", ["HS256", "HS384", "HS512"])
def test_an_account_is_bound(binding_ca: SecondCA, algorithm: Literal["HS256", "HS384", "HS512"]) -> None:
    """With each of the three algorithms; afterwards the key alone opens it."""

    async def play(client: Client) -> None:
        url = await client.register(CONTACT, agree_tos=True, binding=Binding(KID, MAC, algorithm))
        assert (await client.account()).status == "valid"
        assert await client.find() == url
        assert await client.register(CONTACT, agree_tos=True) == url

    played(binding_ca, play, account=False)


@pytest.mark.parametrize(("kid", "mac"), [("kid-2", MAC), (KID, MAC[::-1])], ids=["other kid", "other key"])
def test_fail_an_account_bound_to_nobody(binding_ca: SecondCA, kid: str, mac: str) -> None:
    """The CA's own words, and a hint that names the configuration's keys; the MAC key is in neither."""

    async def play(client: Client) -> None:
        with pytest.raises(Problem, match="invalid eab credentials") as refused:
            await client.register(CONTACT, agree_tos=True, binding=Binding(kid, mac))
        assert "eab_kid" in refused.value.hint
        assert mac not in f"{refused.value} {refused.value.hint}"
        assert await client.find() is None

    played(binding_ca, play, account=False)


def test_fail_an_account_that_is_not_bound(binding_ca: SecondCA) -> None:
    """Nothing is sent but the question whether the key has an account."""

    async def play(client: Client) -> None:
        with pytest.raises(ConfigError, match=r"acme\.eab_kid"):
            await client.register(CONTACT, agree_tos=True)

    played(binding_ca, play, account=False)


def test_an_account_has_one_key_after_another(ca: SecondCA) -> None:
    """EC, RSA, EC: the URL stays, orders are made with the new key, and the old one opens nothing."""

    async def play() -> None:
        first = keys.generate("ecdsa-p256")
        async with client_of(ca, first) as client, client_of(ca, first) as old:
            url = await client.register(CONTACT, agree_tos=True)
            for key_type in ("rsa2048", "ecdsa-p384"):
                await client.roll_over(keys.generate(key_type))
            assert client.account_url == url
            assert await client.find() == url
            assert (await client.new_order(NAMES)).url
            assert await old.find() is None

    asyncio.run(play())


def test_fail_a_key_that_opens_another_account(ca: SecondCA) -> None:
    """The twin: both accounts keep their keys."""

    async def play(client: Client) -> None:
        taken, url = keys.generate("ecdsa-p256"), client.account_url
        async with client_of(ca, taken) as other:
            theirs = await other.register(CONTACT, agree_tos=True)
            with pytest.raises(Problem):
                await client.roll_over(taken)
            assert (await other.find(), await client.find()) == (theirs, url)

    played(ca, play)


def test_an_account_changes_its_address_and_is_closed(ca: SecondCA) -> None:
    """A closed one orders nothing."""

    async def play(client: Client) -> None:
        assert (await client.update(["other@example.test"])).contact == ("mailto:other@example.test",)
        await client.deactivate_account()
        with pytest.raises(Problem):
            await client.new_order(NAMES)

    played(ca, play)


# Orders and certificates


def test_a_profile_reaches_the_order(ca: SecondCA) -> None:
    """One that is advertised; without one the CA chooses."""

    async def play(client: Client) -> None:
        assert dict((await client.directory()).profiles) == PROFILES
        await client.new_order(NAMES, profile="brief")
        await client.new_order(NAMES)
        assert ca.profiles_ordered()[-2:] == ["brief", ""]

    played(ca, play)


def test_fail_a_profile_that_is_not_offered(ca: SecondCA) -> None:
    """The CA's own word for it."""

    async def play(client: Client) -> None:
        with pytest.raises(Problem) as refused:
            await client.new_order(NAMES, profile="shiny")
        assert refused.value.type == "invalidProfile"

    played(ca, play)


def test_the_window_is_the_cas_own(ca: SecondCA) -> None:
    """For a new certificate it is to come; the CA moves it, and it is past."""

    async def ask(client: Client) -> None:
        chain = await issued(client)
        name = keys.renewal_id(keys.read_chain(chain)[0])
        assert name
        told = await client.renewal_info(name)
        assert told.end - told.start == timedelta(days=1)
        assert told.start > datetime.now(UTC) + timedelta(days=70)
        assert told.retry_after == 86400
        before, ca.window = ca.window, (0.0, timedelta(seconds=1))
        try:
            ca.restart()
            moved = await client.renewal_info(name)
        finally:
            ca.window = before
            ca.restart()
        assert moved.start < moved.end <= datetime.now(UTC) + timedelta(seconds=1)

    played(ca, ask)


def test_fail_a_window_for_a_certificate_of_nobodys(ca: SecondCA) -> None:
    """Lasting: it is not worth asking again soon. And a CA without windows is asked for none."""

    async def play(client: Client) -> None:
        with pytest.raises(AcmeError) as unknown:
            await client.renewal_info("_____w._____w")
        assert not unknown.value.transient
        ca.renewal_info = False
        try:
            ca.restart()
            async with client_of(ca, keys.generate("ecdsa-p256")) as other:
                with pytest.raises(AcmeError, match="offers no renewal information"):
                    await other.renewal_info("_____w._____w")
        finally:
            ca.renewal_info = True
            ca.restart()

    played(ca, play)


def test_a_revocation_is_on_the_list(ca: SecondCA) -> None:
    """Signed by the account; the list that the certificate names has it from then on. A second time changes nothing."""

    async def play(client: Client) -> None:
        chain, other = await issued(client), await issued(client)
        assert keys.crl_urls(chain) == (ca.crl_url,)
        assert await client.revoke(chain, 4)
        assert not await client.revoke(chain, 4)
        session = Connections({}).session(timeout=5.0)
        try:
            reply = await session.request("GET", ca.crl_url)
        finally:
            await session.aclose()
        now = datetime.now(UTC)
        assert keys.revoked_at(reply.body, chain, now) is not None
        assert keys.revoked_at(reply.body, other, now) is None

    played(ca, play)


def test_fail_the_revocation_of_anothers_certificate(ca: SecondCA) -> None:
    """Another account may not."""

    async def play(client: Client) -> None:
        chain = await issued(client)
        async with client_of(ca, keys.generate("ecdsa-p256")) as stranger:
            await stranger.register(CONTACT, agree_tos=True)
            with pytest.raises(Problem):
                await stranger.revoke(chain, 0)

    played(ca, play)

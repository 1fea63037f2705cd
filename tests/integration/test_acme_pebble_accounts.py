"""Accounts and revocation at a real CA program that opens an account only for whom it knows."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import get_args

import pytest

from dnsbroker import keys
from dnsbroker.acme import Binding, Client, preferred
from dnsbroker.acme.binding import Algorithm
from dnsbroker.clock import Deadline, SystemClock
from dnsbroker.errors import ConfigError, Problem
from dnsbroker.transport import Connections, Session
from lab.pebble import Pebble

CLOCK = SystemClock()
MAC = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"
ALGORITHMS: tuple[Algorithm, ...] = get_args(Algorithm)
KEY_TYPES = ("ecdsa-p256", "rsa2048")


@pytest.fixture(scope="module")
def ca(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pebble]:
    """A CA that wants bindings, believes every challenge and has a second root."""
    kind = {"PEBBLE_VA_ALWAYS_VALID": "1", "PEBBLE_ALTERNATE_ROOTS": "1"}
    directory = tmp_path_factory.mktemp("binding")
    with Pebble(directory, port=14421, management_port=15421, mac_keys={"kid-1": MAC}, environment=kind) as running:
        yield running


def played(ca: Pebble, play: Callable[[Session], Awaitable[None]]) -> None:
    """Run ``play`` with connections that trust the CA."""

    async def run() -> None:
        session = Connections({}).session(timeout=20.0, ca_bundle=str(ca.ca_file))
        try:
            await play(session)
        finally:
            await session.aclose()

    asyncio.run(run())


async def registered(ca: Pebble, session: Session, key_type: str = "ecdsa-p256") -> Client:
    """A client that has a new account."""
    client = Client(ca.url, keys.generate(key_type), session, CLOCK)
    await client.register(["a@example.test"], True, Binding("kid-1", MAC))
    return client


async def issued(client: Client, key: str) -> tuple[str, ...]:
    """The chains of a certificate for the private key."""
    order = await client.new_order(["example.test"])
    for item in await client.authorizations(order):
        if item.challenge is not None and not item.is_valid:
            await client.answer(item.challenge)
            await client.validated(item, Deadline.after(CLOCK, 20))
    return await client.chains(await client.finalize(order, keys.csr(key, ["example.test"]), Deadline.after(CLOCK, 20)))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize("key_type", KEY_TYPES)
def test_an_account_is_bound_with_each_algorithm(ca: Pebble, algorithm: Algorithm, key_type: str) -> None:
    """And found again without the binding, by its key."""

    async def play(session: Session) -> None:
        client = Client(ca.url, keys.generate(key_type), session, CLOCK)
        assert (await client.directory()).external_account_required
        assert await client.find() is None
        url = await client.register([], True, Binding("kid-1", MAC, algorithm))
        assert await client.find() == await client.register([], True) == url

    played(ca, play)


def test_fail_an_account_that_is_not_bound_or_wrongly(ca: Pebble) -> None:
    """The twins: none, another's identifier, another key."""

    async def play(session: Session) -> None:
        client = Client(ca.url, keys.generate("ecdsa-p256"), session, CLOCK)
        with pytest.raises(ConfigError) as unbound:
            await client.register([], True)
        assert "eab_kid and eab_hmac_key" in unbound.value.hint
        for kid, mac in (("kid-2", MAC), ("kid-1", MAC[:-4] + "AAAA")):
            with pytest.raises(Problem) as refused:
                await client.register([], True, Binding(kid, mac))
            assert "eab_hmac_key" in refused.value.hint
        assert await client.find() is None

    played(ca, play)


def test_an_account_is_read_changed_and_closed(ca: Pebble) -> None:
    """With and without contacts; after its end it orders nothing."""

    async def play(session: Session) -> None:
        client = await registered(ca, session)
        facts = await client.account()
        assert (facts.url, facts.status, facts.contact) == (client.account_url, "valid", ("mailto:a@example.test",))
        assert facts.orders
        changed = await client.update(["b@example.test", "mailto:c@example.test"])
        assert changed.contact == ("mailto:b@example.test", "mailto:c@example.test")
        assert (await client.update([])).status == "valid"
        await client.deactivate_account()
        with pytest.raises(Problem) as refused:
            await client.new_order(["example.test"])
        assert refused.value.type == "unauthorized"

    played(ca, play)


@pytest.mark.parametrize("before", KEY_TYPES)
@pytest.mark.parametrize("after", KEY_TYPES)
def test_an_account_gets_another_key_and_keeps_its_url(ca: Pebble, before: str, after: str) -> None:
    """The new key orders, the old one is refused."""

    async def play(session: Session) -> None:
        old = keys.generate(before)
        client = Client(ca.url, old, session, CLOCK)
        url = await client.register([], True, Binding("kid-1", MAC))
        new = keys.generate(after)
        await client.roll_over(new)
        assert (client.account_url, await client.find()) == (url, url)
        assert (await client.new_order(["example.test"])).names == ("example.test",)
        forgotten = Client(ca.url, old, session, CLOCK)
        assert await forgotten.find() is None
        forgotten.account_url = url
        with pytest.raises(Problem):
            await forgotten.new_order(["example.test"])

    played(ca, play)


def test_fail_a_key_that_is_another_accounts(ca: Pebble) -> None:
    """Pebble calls it an error of its own; who has the key is found out all the same, and the account keeps its own."""

    async def play(session: Session) -> None:
        client, other = await registered(ca, session), await registered(ca, session)
        new = keys.generate("ecdsa-p256")
        await other.roll_over(new)
        with pytest.raises(Problem, match="in use") as taken:
            await client.roll_over(new)
        assert other.account_url in taken.value.hint
        assert not taken.value.transient
        assert await client.find() == client.account_url != other.account_url

    played(ca, play)


@pytest.mark.parametrize("by_own_key", [False, True])
def test_a_certificate_is_revoked_for_its_reason(ca: Pebble, by_own_key: bool) -> None:
    """By its account, or by its own key without any; twice does no harm; a stranger cannot."""

    async def play(session: Session) -> None:
        client, stranger = await registered(ca, session), await registered(ca, session)
        key = keys.generate("ecdsa-p256")
        chain = (await issued(client, key))[0]
        with pytest.raises(Problem) as refused:
            await stranger.revoke(chain, 1)
        assert "its own private key" in refused.value.hint
        serial = keys.describe(chain).serial
        assert ca.status(serial)["Status"] == "Valid"
        revoking = Client(ca.url, keys.generate("ecdsa-p256"), session, CLOCK) if by_own_key else client
        assert await revoking.revoke(chain, 4, key_pem=key if by_own_key else "") is True
        told = ca.status(serial)
        assert (told["Status"], told["Reason"]) == ("Revoked", 4)
        assert await client.revoke(chain, 4) is False

    played(ca, play)


def test_a_chain_is_chosen_by_its_topmost_issuer(ca: Pebble) -> None:
    """Both roots sign for the same leaf; each name gives its own chain, an unknown one none."""

    async def play(session: Session) -> None:
        client = await registered(ca, session)
        chains = await issued(client, keys.generate("ecdsa-p256"))
        names = [keys.describe(ca.root(number)).issuer for number in range(2)]
        chosen = [preferred(chains, name) for name in names]
        assert set(chosen) == set(chains)
        assert [keys.top_issuer(chain or "") for chain in chosen] == names
        assert preferred(chains, "nobody's root") is None

    played(ca, play)

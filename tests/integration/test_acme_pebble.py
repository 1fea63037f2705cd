"""The ACME client against a real CA program, its validation through a real DNS answerer."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from dnsbroker import keys
from dnsbroker.acme import Authorization, Client, Order
from dnsbroker.clock import Deadline, SystemClock
from dnsbroker.errors import BrokerError, DirectoryUnreachable, OrderFailed, Problem
from dnsbroker.names import challenge_name
from dnsbroker.transport import Connections, Session
from lab.pebble import Pebble
from lab.processes import Server

HOST = "127.0.0.1"
NAMES = ["example.test", "*.example.test"]
CLOCK = SystemClock()


class ChallengeDNS(Server):
    """pebble-challtestsrv: a DNS server that answers with what its management port was told."""

    management_port = 8412

    def write_files(self) -> None:
        """It needs none."""

    def command(self) -> Sequence[str | Path]:
        """DNS and management only."""
        off = [word for option in ("-http01", "-https01", "-tlsalpn01") for word in (option, "")]
        own = ["-dns01", f"{HOST}:{self.port}", "-management", f"{HOST}:{self.management_port}"]
        return ["pebble-challtestsrv", *off, *own]

    def is_ready(self) -> bool:
        """Whether its management port takes connections."""
        with socket.socket() as probe:
            return probe.connect_ex((HOST, self.management_port)) == 0


class StrictPebble(Pebble):
    """Pebble with its ``-strict`` flag: it breaks what only works by chance."""

    def command(self) -> Sequence[str | Path]:
        """The same program with one word more."""
        return [*super().command(), "-strict"]


@pytest.fixture(scope="module")
def dns(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChallengeDNS]:
    """Where the CAs of this module look for records."""
    with ChallengeDNS("challtestsrv", tmp_path_factory.mktemp("dns"), address=HOST, port=8411) as running:
        yield running


@pytest.fixture(scope="module")
def ca(dns: ChallengeDNS, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pebble]:
    """A strict CA with two alternative chains, which validates for real."""
    with StrictPebble(
        tmp_path_factory.mktemp("ca"),
        resolver=f"{HOST}:{dns.port}",
        port=14411,
        management_port=15411,
        environment={"PEBBLE_ALTERNATE_ROOTS": "2"},
        configuration={"domainBlocklist": ["blocked.test"]},
    ) as running:
        yield running


@pytest.fixture(scope="module")
def unkind(dns: ChallengeDNS, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pebble]:
    """A CA that refuses half of all nonces."""
    directory = tmp_path_factory.mktemp("unkind")
    resolver = f"{HOST}:{dns.port}"
    with StrictPebble(directory, resolver=resolver, port=14412, management_port=15412, nonce_reject=50) as running:
        yield running


@pytest.fixture(scope="module")
def trusting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pebble]:
    """A CA that finds every challenge proved, and offers what is proved again."""
    directory = tmp_path_factory.mktemp("trusting")
    believe = {"PEBBLE_VA_ALWAYS_VALID": "1"}
    with StrictPebble(
        directory, port=14413, management_port=15413, authorization_reuse=100, environment=believe
    ) as running:
        yield running


@asynccontextmanager
async def session_for(ca: Pebble, *, trusted: bool = True) -> AsyncIterator[Session]:
    """Connections that trust the CA's own root, or only the system's."""
    session = Connections({}).session(timeout=20.0, ca_bundle=str(ca.ca_file) if trusted else "")
    try:
        yield session
    finally:
        await session.aclose()


def played(ca: Pebble, play: Callable[[Client, Session], Awaitable[None]], *, key_type: str = "ecdsa-p256") -> None:
    """Run ``play`` with a client that has a new account."""

    async def run() -> None:
        async with session_for(ca) as session:
            client = Client(ca.url, keys.generate(key_type), session, CLOCK)
            await client.register(["hostmaster@example.test"], agree_tos=True)
            await play(client, session)

    asyncio.run(run())


async def tell(session: Session, command: str, name: str, value: str = "") -> None:
    """Set or clear TXT records in the DNS server."""
    body = json.dumps({"host": name, **({"value": value} if value else {})}).encode()
    reply = await session.request("POST", f"http://{HOST}:{ChallengeDNS.management_port}/{command}", content=body)
    assert reply.status == 200


def deadline() -> Deadline:
    """Longer than any of this takes."""
    return Deadline.after(CLOCK, 30)


async def prove(client: Client, session: Session, authorizations: Sequence[Authorization]) -> None:
    """Publish every value, then answer, then see that all are valid."""
    for item in authorizations:
        assert item.challenge is not None
        await tell(session, "set-txt", challenge_name(item.identifier), item.challenge.value)
    try:
        await asyncio.gather(*(client.answer(item.challenge) for item in authorizations if item.challenge))
        done = await asyncio.gather(*(client.validated(item, deadline()) for item in authorizations))
    finally:
        for item in authorizations:
            await tell(session, "clear-txt", challenge_name(item.identifier))
    assert all(item.is_valid for item in done)


async def ordered(client: Client, session: Session, names: Sequence[str]) -> Order:
    """An order whose names are proved."""
    order = await client.new_order(names)
    found = await client.authorizations(order)
    assert {item.identifier for item in found} == set(names)
    await prove(client, session, [item for item in found if not item.is_valid])
    return order


async def issued(client: Client, session: Session, names: Sequence[str], key: str) -> tuple[str, ...]:
    """The chains of a certificate for ``names``."""
    order = await ordered(client, session, names)
    return await client.chains(await client.finalize(order, keys.csr(key, names), deadline()))


@pytest.mark.parametrize("key_type", ["ecdsa-p256", "ecdsa-p384", "rsa2048", "rsa3072", "rsa4096"])
def test_apex_and_wildcard_get_a_certificate_of_every_key_type(ca: Pebble, key_type: str) -> None:
    """In one order; the certificate is for our key and our names."""

    async def play(client: Client, session: Session) -> None:
        key = keys.generate(key_type)
        chains = await issued(client, session, NAMES, key)
        assert keys.matches(key, chains[0])
        leaf = keys.describe(keys.read_chain(chains[0])[0])
        assert (set(leaf.names), leaf.key_type) == (set(NAMES), key_type)

    played(ca, play)


def test_every_chain_is_had_and_the_default_is_first(ca: Pebble) -> None:
    """One leaf, three ways up; each chain is whole."""

    async def play(client: Client, session: Session) -> None:
        chains = await issued(client, session, NAMES, keys.generate("ecdsa-p256"))
        parts = [keys.read_chain(chain) for chain in chains]
        assert len(set(chains)) == len(chains) == 3
        assert len({part[0] for part in parts}) == 1
        assert all(len(part) > 1 for part in parts)
        tops = [keys.describe(part[-1]).issuer for part in parts]
        assert set(tops) == {keys.describe(ca.root(number)).issuer for number in range(3)}
        assert tops[0] == keys.describe(ca.root(0)).issuer

    played(ca, play)


@pytest.mark.parametrize("key_type", ["ecdsa-p256", "ecdsa-p384", "rsa2048"])
def test_an_account_is_made_found_and_used_again(ca: Pebble, key_type: str) -> None:
    """By its key, by the URL that was kept, with every kind of account key."""

    async def play() -> None:
        pem = keys.generate(key_type)
        async with session_for(ca) as session:
            url = await Client(ca.url, pem, session, CLOCK).register((), agree_tos=True)
            assert await Client(ca.url, pem, session, CLOCK).register(["a@example.test"], agree_tos=True) == url
            again = Client(ca.url, pem, session, CLOCK)
            again.account_url = url
            order = await again.new_order(NAMES)
            resumed = await again.order(order.url)
            assert (resumed.url, set(resumed.names)) == (order.url, set(NAMES))

    asyncio.run(play())


def test_fail_an_account_that_is_not_there(ca: Pebble) -> None:
    """The twin: a URL of nobody's, and one of somebody else's."""

    async def play(client: Client, session: Session) -> None:
        other = Client(ca.url, keys.generate("ecdsa-p256"), session, CLOCK)
        for url in (client.account_url, client.account_url + "7f"):
            other.account_url = url
            with pytest.raises(Problem) as refused:
                await other.new_order(NAMES)
            assert refused.value.hint

    played(ca, play)


def test_half_of_all_nonces_refused_ten_of_ten_succeed(unkind: Pebble) -> None:
    """Ten certificates at once for two names each, one account."""

    async def play(client: Client, session: Session) -> None:
        names = [[f"n{number}.example.test", f"*.n{number}.example.test"] for number in range(10)]
        key = keys.generate("ecdsa-p256")
        chains = await asyncio.gather(*(issued(client, session, pair, key) for pair in names))
        assert [set(keys.describe(keys.read_chain(each[0])[0]).names) for each in chains] == [set(n) for n in names]

    played(unkind, play)


@pytest.mark.parametrize("wrong", ["", "somebody-elses-value"])
def test_fail_the_cas_own_words_reach_the_caller(ca: Pebble, wrong: str) -> None:
    """Nothing published, or another value: type, text and name are Pebble's, and the order is lost."""

    async def play(client: Client, session: Session) -> None:
        order = await client.new_order(["*.wrong.test"])
        (authorization,) = await client.authorizations(order)
        assert authorization.challenge is not None
        if wrong:
            await tell(session, "set-txt", challenge_name("wrong.test"), wrong)
        await client.answer(authorization.challenge)
        with pytest.raises(OrderFailed) as failed:
            await client.validated(authorization, deadline())
        await tell(session, "clear-txt", challenge_name("wrong.test"))
        error = failed.value
        assert (error.identifier, error.problem_type) == ("*.wrong.test", "unauthorized")
        assert ("Correct value not found" if wrong else "No TXT records found") in error.detail
        assert error.detail in str(error)
        assert "at _acme-challenge.wrong.test:" in error.hint
        with pytest.raises(OrderFailed):
            await client.finalize(order, keys.csr(keys.generate("ecdsa-p256"), ["*.wrong.test"]), deadline())

    played(ca, play)


def test_what_is_proved_already_needs_nothing(trusting: Pebble) -> None:
    """The second order's authorizations are valid from the start, and it is finalized without a challenge."""

    async def play(client: Client, session: Session) -> None:
        for item in await client.authorizations(await client.new_order(NAMES)):
            assert item.challenge is not None
            await client.answer(item.challenge)
            await client.validated(item, deadline())
        order = await client.new_order(NAMES)
        assert [item.is_valid for item in await client.authorizations(order)] == [True, True]
        key = keys.generate("ecdsa-p256")
        done = await client.finalize(order, keys.csr(key, NAMES), deadline())
        assert keys.matches(key, (await client.chains(done))[0])

    played(trusting, play)


def test_an_answer_twice_given_does_no_harm(trusting: Pebble) -> None:
    """Pebble refuses the second one; the authorization is valid all the same."""

    async def play(client: Client, session: Session) -> None:
        (item,) = await client.authorizations(await client.new_order(["twice.test"]))
        assert item.challenge is not None
        await client.answer(item.challenge)
        assert (await client.validated(item, deadline())).is_valid
        await client.answer(item.challenge)

    played(trusting, play)


def test_what_is_given_up_cannot_be_proved_any_more(ca: Pebble) -> None:
    """A deactivated authorization is a failure, not a wait."""

    async def play(client: Client, session: Session) -> None:
        (item,) = await client.authorizations(await client.new_order(["given-up.test"]))
        await client.deactivate(item)
        with pytest.raises(OrderFailed, match="the authorization is deactivated"):
            await client.validated(item, deadline())

    played(ca, play)


async def _blocked(client: Client) -> None:
    await client.new_order(["www.blocked.test"])


async def _bad_csr(client: Client) -> None:
    """A CSR for another name."""
    order = await client.new_order(["right.test"])
    (item,) = await client.authorizations(order)
    assert item.challenge is not None
    await client.answer(item.challenge)
    await client.validated(item, deadline())
    await client.finalize(order, keys.csr(keys.generate("ecdsa-p256"), ["left.test"]), deadline())


@pytest.mark.parametrize(
    ("which", "act", "type"), [("ca", _blocked, "rejectedIdentifier"), ("trusting", _bad_csr, "unauthorized")]
)
def test_fail_a_refusal_has_its_type_and_a_hint(
    request: pytest.FixtureRequest, which: str, act: Callable[[Client], Awaitable[None]], type: str
) -> None:
    """What Pebble calls it reaches the caller."""

    async def play(client: Client, session: Session) -> None:
        with pytest.raises(Problem) as refused:
            await act(client)
        assert refused.value.type == type
        assert refused.value.hint

    played(request.getfixturevalue(which), play)


def test_fail_a_ca_that_we_do_not_trust(ca: Pebble) -> None:
    """Without its root nothing is asked, and the hint names the key for it."""

    async def play() -> None:
        async with session_for(ca, trusted=False) as session:
            with pytest.raises(DirectoryUnreachable, match="certificate is not trusted") as refused:
                await Client(ca.url, keys.generate("ecdsa-p256"), session, CLOCK).directory()
            assert "acme.ca_bundle" in refused.value.hint
            assert not refused.value.transient

    asyncio.run(play())


def test_fail_a_ca_that_went_away_in_the_middle(trusting: Pebble) -> None:
    """A refused connection is an error with a hint, and passing; the CA back, the same client goes on."""

    async def play(client: Client, session: Session) -> None:
        trusting.stop()
        with pytest.raises(BrokerError, match=f"no answer from localhost:{trusting.port}") as lost:
            await client.new_order(NAMES)
        assert lost.value.transient
        trusting.start()
        with pytest.raises(Problem, match="accountDoesNotExist"):
            await client.new_order(NAMES)  # it keeps nothing over a restart
        await client.register((), agree_tos=True)
        assert set((await client.new_order(NAMES)).names) == set(NAMES)

    played(trusting, play)

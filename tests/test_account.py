"""An account as it is kept: which key and URL are used at which CA, and what of them changes on disk."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from dnsbroker import keys
from dnsbroker.account import Accounts
from dnsbroker.config import AcmeConfig
from dnsbroker.errors import AcmeError, ConfigError
from dnsbroker.events import Emitter, Event
from dnsbroker.settings import Secret
from dnsbroker.store import Store
from dnsbroker.testing import FakeClock
from dnsbroker.transport import Connections
from fake_ca import FakeCA, refusal
from loopback import Response

#: 48 times the same octet.
MAC = "zc3N" * 16


class House:
    """A state directory, two CAs, and the account ``default`` at the first, whose staging is the second."""

    def __init__(self, state_dir: Path, ca: FakeCA, other: FakeCA) -> None:
        self.ca = ca
        self.other = other
        self.store = Store(state_dir)
        self.store.prepare()
        self.files = self.store.account("default")
        self.events: list[Event] = []
        self._opened: list[Accounts] = []

    def accounts(self, **settings: object) -> Accounts:
        """As a new process has them."""
        config = AcmeConfig(self.ca.url("dir"), staging=self.other.url("dir"), agree_tos=True, **settings)  # type: ignore[arg-type]
        clock = FakeClock()
        emit = Emitter(clock, self.events.append)
        opened = Accounts({"default": config}, 8, self.store, Connections({}), clock, emit)
        self._opened.append(opened)
        return opened

    def tree(self) -> dict[str, bytes]:
        """The files of all accounts."""
        home = self.store.state_dir / "accounts"
        return {str(path.relative_to(home)): path.read_bytes() for path in home.rglob("*") if path.is_file()}

    async def aclose(self) -> None:
        """Close what was opened."""
        for accounts in self._opened:
            await accounts.aclose()


Play = Callable[[House], Awaitable[None]]


@pytest.fixture
def play(tmp_path: Path) -> Callable[[Play], None]:
    """Run a coroutine with a house."""

    def run(scenario: Play) -> None:
        async def played() -> None:
            ca, other = FakeCA(), FakeCA()
            async with ca.server, other.server:
                house = House(tmp_path, ca, other)
                try:
                    await scenario(house)
                finally:
                    await house.aclose()

        asyncio.run(played())

    return run


def test_it_is_made_once_and_found_by_its_url(play: Callable[[Play], None]) -> None:
    """By many at the same time, and by the next process without a question."""

    async def scenario(house: House) -> None:
        account = house.accounts().get("default")
        clients = await asyncio.gather(*(account.client() for _ in range(5)))
        assert len(house.ca.accounts) == 1 and len({id(client) for client in clients}) == 1
        posts = len(house.ca.posts)
        again = await house.accounts().get("default").client()
        assert again.account_url == clients[0].account_url
        assert len(house.ca.posts) == posts

    play(scenario)


def test_fail_a_refusal_is_for_all_who_wait(play: Callable[[Play], None]) -> None:
    """One question for five; who asks afterwards asks anew, for the same broker may live for months."""

    async def scenario(house: House) -> None:
        house.ca.scripts["new-account"] = [refusal(403, "unauthorized")]
        account = house.accounts().get("default")
        found = await asyncio.gather(*(account.client() for _ in range(5)), return_exceptions=True)
        assert {str(error) for error in found if isinstance(error, AcmeError)} and len(set(map(id, found))) == 1
        assert (await account.client()).account_url

    play(scenario)


@pytest.mark.parametrize("has_taken", [True, False])
def test_a_staged_key_is_settled_by_its_own_ca(play: Callable[[Play], None], has_taken: bool) -> None:
    """Not by a rehearsal, not by another CA that is configured by then; and then once for all."""

    async def scenario(house: House) -> None:
        url = await house.accounts().get("default").register()
        old, new = house.files.key(str), keys.generate("ecdsa-p256")
        if has_taken:
            await (await house.accounts().get("default").client()).roll_over(new)
        house.files.stage(new)
        kept = house.tree()
        await house.accounts().get("default", rehearsing=True).client()
        await house.accounts().formerly("default", house.other.url("dir")).found()
        assert house.tree() == kept
        client = await house.accounts().get("default").existing()
        assert client.account_url == url
        assert house.files.key(str) == (new if has_taken else old)
        assert house.files.staged() is None

    play(scenario)


def test_a_ca_that_does_not_know_a_staged_key_at_all_leaves_it(play: Callable[[Play], None]) -> None:
    """It may be the key of an account elsewhere; at a CA whose account is known its absence is certain."""

    async def scenario(house: House) -> None:
        house.files.key(lambda: keys.generate("ecdsa-p256"))
        house.files.stage(keys.generate("ecdsa-p256"))
        await house.accounts().get("default").client()
        assert house.files.staged() is not None
        await house.accounts().get("default").client()
        assert house.files.staged() is None

    play(scenario)


def test_a_rehearsal_leaves_no_account_behind(play: Callable[[Play], None]) -> None:
    """Without a key it makes one for itself, and the same for all of the run; beside an account nothing changes."""

    async def scenario(house: House) -> None:
        rehearsal = house.accounts().get("default", rehearsing=True)
        url = (await rehearsal.client()).account_url
        assert (await rehearsal.renewed()).account_url == url
        assert not house.tree()
        await house.accounts().get("default").client()
        kept = house.tree()
        await house.accounts().get("default", rehearsing=True).client()
        assert house.tree() == kept
        assert len(house.ca.accounts) == 1 and len(house.other.accounts) == 2

    play(scenario)


def test_a_question_that_needs_no_account_leaves_none_behind(play: Callable[[Play], None]) -> None:
    """About a renewal, say: no key is made for it; where there is one, a later order makes the account of it."""

    async def scenario(house: House) -> None:
        house.ca.windows["AAAA.AQ"] = {
            "suggestedWindow": {"start": "2026-12-01T00:00:00Z", "end": "2026-12-02T00:00:00Z"}
        }
        account = house.accounts().get("default")
        for _ in range(2):
            await account.visitor().renewal_info("AAAA.AQ")
        assert not house.tree() and not house.ca.accounts
        await account.client()
        assert house.files.has_key() and len(house.ca.accounts) == 1
        assert account.visitor() is await account.client()

    play(scenario)


def test_a_former_ca_is_found_although_its_table_is_gone(play: Callable[[Play], None]) -> None:
    """The key opens the account there; the one that is configured is the usual one."""

    async def scenario(house: House) -> None:
        accounts = house.accounts()
        await accounts.get("default").client()
        assert accounts.formerly("default", house.ca.url("dir")) is accounts.get("default")
        gone = accounts.formerly("gone", house.other.url("dir"))
        assert gone.config.directory == house.other.url("dir")
        assert await gone.found() is None
        with pytest.raises(AcmeError, match="there is no account gone"):
            await gone.existing()
        with pytest.raises(ConfigError, match="no account 'gone' is configured"):
            accounts.get("gone")

    play(scenario)


def test_a_binding_is_looked_at_before_anybody_is_contacted_and_only_then(play: Callable[[Play], None]) -> None:
    """A wrong one is an error while there is no key; it is read once; afterwards it may be gone."""
    reads: list[str] = []

    def reading(text: str) -> Secret:
        def read() -> str:
            reads.append(text)
            return text

        return Secret("a test", read)

    async def scenario(house: House) -> None:
        house.ca.members.mac_keys = {"kid-1": b"\xcd" * 48}
        wrong = house.accounts(eab_kid="kid-1", eab_hmac_key=reading("plain+base64/"))
        with pytest.raises(ConfigError, match=r"\[acme\] eab_hmac_key") as refused:
            wrong.get("default").check()
        assert "plain" not in str(refused.value)
        assert not house.ca.server.requests and not house.tree()
        reads.clear()
        right = house.accounts(eab_kid="kid-1", eab_hmac_key=reading(MAC)).get("default")
        right.check()
        await right.client()
        assert len(reads) == 1
        later = house.accounts(eab_kid="kid-1", eab_hmac_key=reading(MAC)).get("default")
        later.check()
        await later.register()
        assert len(reads) == 1

    play(scenario)


@pytest.mark.parametrize("is_noted", [True, False])
def test_an_account_that_the_ca_closed_before_we_died_is_put_aside_by_the_next_try(
    play: Callable[[Play], None], is_noted: bool
) -> None:
    """Killed before that was noted, or before the key was put aside; then another one can be registered."""

    async def scenario(house: House) -> None:
        url = await house.accounts().get("default").register()
        key = house.files.key(str)
        await (await house.accounts().get("default").client()).deactivate_account()
        if is_noted:
            house.files.retire(house.ca.url("dir"), FakeClock().now())
            (house.store.state_dir / "accounts/default/key.pem").write_text(key)
        with pytest.raises(AcmeError) as refused:
            await (await house.accounts().get("default").existing()).new_order(["a.test"])
        assert "`dnsbroker account deactivate`" in refused.value.hint
        assert await house.accounts().get("default").deactivate() == url
        assert not house.files.has_key()
        assert [name for name in house.tree() if name.startswith("default/deactivated-")]
        assert await house.accounts().get("default").register() != url

    play(scenario)


@pytest.mark.parametrize("reply", [refusal(403, "unauthorized", "not yours"), refusal(400, "malformed", "deactivated")])
def test_fail_a_refusal_to_close_an_account_leaves_it(play: Callable[[Play], None], reply: Response) -> None:
    """The negative twin: it may be open still, and its key has no other copy."""

    async def scenario(house: House) -> None:
        await house.accounts().get("default").register()
        kept = house.tree()
        house.ca.scripts["account/1"] = [reply]
        with pytest.raises(AcmeError):
            await house.accounts().get("default").deactivate()
        assert house.tree() == kept

    play(scenario)


def test_a_deactivated_account_is_closed_until_another_is_registered(play: Callable[[Play], None]) -> None:
    """Also in the next process; a register that fails leaves it so."""

    async def scenario(house: House) -> None:
        url = await house.accounts().get("default").register()
        await house.accounts().get("default").deactivate()
        with pytest.raises(ConfigError, match="was deactivated on"):
            await house.accounts().get("default").client()
        house.ca.scripts["new-account"] = [refusal(403, "unauthorized")] * 2
        with pytest.raises(AcmeError):
            await house.accounts().get("default").register()
        with pytest.raises(ConfigError, match="was deactivated on"):
            house.accounts().get("default").check()
        house.ca.scripts.clear()
        assert await house.accounts().get("default").register() != url

    play(scenario)

"""The CA accounts of a run: each key and URL kept in the store, a client opened when the first order needs it.

A rehearsal uses an account's key at the CA's staging directory, a revocation may at a CA that was configured formerly:
nothing of what is learnt there is kept, and no key is made or settled for it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from dnsbroker import keys
from dnsbroker.clock import Clock, Deadline
from dnsbroker.config import AcmeConfig
from dnsbroker.errors import AcmeError, ConfigError, Problem, StoreError
from dnsbroker.events import Emitter
from dnsbroker.journal import FileLock
from dnsbroker.store import AccountFiles, Store
from dnsbroker.transport import Connections, Session

if TYPE_CHECKING:
    from dnsbroker.acme import AccountFacts, Binding, Client, Directory

T = TypeVar("T")

KEY_TYPE = "ecdsa-p256"
_REQUEST_SECONDS = 45.0
_BODY_LIMIT = 1024 * 1024
#: What CAs say of their own resolvers: the longest they keep an answer, in seconds.
_CACHE_LIMITS = {"letsencrypt.org": 60.0}


@dataclass(frozen=True)
class _Surroundings:
    """What every account of a run shares; ``parallel`` bounds the requests in flight of all of them."""

    store: Store
    connections: Connections
    clock: Clock
    emit: Emitter
    parallel: asyncio.Semaphore


@dataclass(frozen=True)
class _Unopened:
    """Why there is no client; for how long is what the CA demanded."""

    error: AcmeError
    holds_until: Deadline


class Accounts:
    """The configured accounts, by name."""

    def __init__(
        self,
        configured: Mapping[str, AcmeConfig],
        parallel: int,
        store: Store,
        connections: Connections,
        clock: Clock,
        emit: Emitter,
    ) -> None:
        self._configured = configured
        self._around = _Surroundings(store, connections, clock, emit, asyncio.Semaphore(parallel))
        self._opened: dict[tuple[str, str], Account] = {}

    def get(self, name: str, *, rehearsing: bool = False) -> Account:
        """The account ``name``. Raises ConfigError where none is configured, or nothing is known to rehearse at."""
        config = self._config(name, rehearsing)
        return self._at(config, "rehearsal" if rehearsing else "", keeping=not rehearsing)

    def formerly(self, name: str, directory: str) -> Account:
        """The account ``name`` where it was when it had this ``directory`` (URL), for what was issued there.

        How to reach a CA whose table is gone is what [acme] says. Raises ConfigError.
        """
        config = self._configured.get(name)
        if config is not None and config.directory == directory:
            return self.get(name)
        config = config or replace(self._config("default", False), name=name)
        return self._at(replace(config, directory=directory), directory, keeping=False)

    def _at(self, config: AcmeConfig, use: str, *, keeping: bool) -> Account:
        if (config.name, use) not in self._opened:
            self._opened[config.name, use] = Account(config, self._around, keeping=keeping)
        return self._opened[config.name, use]

    def _config(self, name: str, rehearsing: bool) -> AcmeConfig:
        if name not in self._configured:
            known = ", ".join(self._configured)
            raise ConfigError(f"no account {name!r} is configured", hint=f"configured: {known}; default is [acme]")
        config = self._configured[name]
        if rehearsing and not config.rehearsal_directory:
            raise ConfigError(
                f"no staging directory is known of {config.directory}",
                key=f"{config.table} staging",
                hint="set staging to the URL of the CA's directory for tests, or leave --rehearse away",
            )
        return replace(config, directory=config.rehearsal_directory) if rehearsing else config

    async def aclose(self) -> None:
        """Close the connections to every CA; may be called more than once."""
        for account in self._opened.values():
            await account.aclose()


class Account:
    """One account at its CA. ``client`` makes or finds it at its first call.

    Without ``keeping`` nothing on disk changes: a key that is not there is made for this run alone.
    """

    def __init__(self, config: AcmeConfig, around: _Surroundings, *, keeping: bool) -> None:
        self.config = config
        self._around = around
        self._keeping = keeping
        self._passing_key = ""
        self._bound: Binding | None = None
        self._files: AccountFiles = around.store.account(config.name)
        #: Held while the key is changed: until the CA has taken it, the new one has no other copy.
        self._changing = FileLock(around.store.state_dir / "locks" / f"account-{config.name}")
        self._session: Session | None = None
        self._client: Client | None = None
        self._directory: Directory | None = None
        self._opening = asyncio.Lock()
        self._unopened: _Unopened | None = None

    def check(self) -> None:
        """Raise ConfigError where nothing may be ordered; contacts nobody."""
        self._check_opening()
        gone = self._files.deactivated(self.config.directory)
        if gone is not None:
            raise ConfigError(
                f"the account {self.config.name} was deactivated on {gone:%Y-%m-%d}",
                key=self.config.table,
                hint=f"`dnsbroker account register --account {self.config.name}` makes a new one",
            )

    def _check_opening(self) -> None:
        """Raise ConfigError where no account may be made."""
        if not self.config.agree_tos:
            raise ConfigError(
                "nothing is ordered before you agree to the CA's terms of service",
                key=f"{self.config.table} agree_tos",
                hint=f"read them at the CA's site and set agree_tos = true in {self.config.table}",
            )
        if not self._files.has_key():
            self._binding()  # what is wrong with it is found before anybody is contacted

    @property
    def cache_limit(self) -> float | None:
        """The longest time in seconds that this CA keeps a DNS answer, None where it does not say."""
        host = urlsplit(self.config.directory).hostname or ""
        return next((limit for ca, limit in _CACHE_LIMITS.items() if host == ca or host.endswith("." + ca)), None)

    @property
    def is_open(self) -> bool:
        """Whether this run has a client with an account."""
        return self._client is not None

    async def client(self) -> Client:
        """The client, with an account. Raises ConfigError, StoreError, AcmeError.

        However many ask, the CA is asked once: who waits while another tries has the same answer, a refusal too.
        """
        return await self._asked_once(self._ready)

    async def directory(self) -> Directory:
        """What the CA tells everybody, for which no account is made. Raises as ``client``, and is asked as rarely."""
        return await self._asked_once(self._read)

    async def _asked_once(self, work: Callable[[], Awaitable[T]]) -> T:
        known = self._unopened
        async with self._opening:
            latest = self._unopened if self._client is None else None
            if latest is not None and (latest is not known or not latest.holds_until.has_passed()):
                raise latest.error
            try:
                return await work()
            except AcmeError as error:
                demanded = getattr(error, "retry_after", None) or 0.0
                self._unopened = _Unopened(error, Deadline.after(self._around.clock, demanded))
                raise

    async def _read(self) -> Directory:
        self._directory = self._directory or await self.visitor().directory()
        return self._directory

    async def _ready(self) -> Client:
        if self._client is None:
            self.check()
            self._client = await self._find() or await self._registered()
        return self._client

    async def renewed(self) -> Client:
        """The client, its account made again: for a CA that has forgotten it. Raises as ``client``."""
        async with self._opening:
            self._client = await self._find(by_key=True) or await self._registered()
        return self._client

    def visitor(self) -> Client:
        """A client for what the CA tells everybody; there need be no account. Raises ConfigError, StoreError.

        Nothing of it stays: where there is no key, none is kept.
        """
        return self._client or self._made(self._key() if self._files.has_key() else self._passing())

    @property
    def kept_url(self) -> str:
        """The account's URL as far as it is known here; empty where it is not. Raises StoreError."""
        return self._files.url(self.config.directory) or ""

    async def register(self) -> str:
        """The account's URL, registered now unless the CA knows its key. Raises as ``client``."""
        self._check_opening()
        return (await self.renewed()).account_url

    async def existing(self) -> Client:
        """The client for an account that is there. Raises AcmeError where none is."""
        client = await self.found()
        if client is None:
            raise AcmeError(
                f"there is no account {self.config.name} at {self.config.directory}",
                hint=f"`dnsbroker account register --account {self.config.name}` makes one",
            )
        return client

    async def found(self) -> Client | None:
        """The client for an account that is there, by its URL or found by its key; None where none is."""
        async with self._opening:
            self._client = self._client or await self._find()
        return self._client

    async def update(self) -> AccountFacts:
        """Tell the CA the contact that is configured now. Raises AcmeError."""
        return await (await self.existing()).update(self.config.contact)

    async def roll_over(self, key_type: str = "") -> str:
        """Give the account a new key, of ``key_type`` or of its present one's kind; its URL.

        RFC 8555 section 7.3.5. The new key is on disk before the CA hears of it; a run that dies in between is mended
        by the next one that opens the account. Raises AcmeError, and StoreError while another process is at it.
        """
        if not self._changing.try_acquire():
            told = f"another dnsbroker (pid {self._changing.holder()}) is changing the key of {self.config.name}"
            raise StoreError(told, path=str(self._changing.path), hint="try again when it is done")
        try:
            await self._settle_key()
            return await self._rolled_over(key_type)
        finally:
            self._changing.release()

    async def _rolled_over(self, key_type: str) -> str:
        client = await self.existing()
        kind = key_type or keys.key_type_of(self._files.key(_new_key))
        new = await asyncio.to_thread(keys.generate, kind)
        self._files.stage(new)
        await client.roll_over(new)
        self._files.promote()
        return client.account_url

    async def deactivate(self) -> str:
        """Deactivate the account for ever (RFC 8555 section 7.3.6); the URL it had, empty where that is not known now.

        One that the CA closed before, for a run that died then, is put aside here too. Raises AcmeError, StoreError.
        """
        url = self._files.url(self.config.directory) or ""
        try:
            client = await self.existing()
            url = client.account_url
            await client.deactivate_account()
        except Problem as problem:
            if not _is_deactivated(problem):
                raise
        self._files.retire(self.config.directory, self._around.clock.now())
        self._client = None
        return url

    async def _find(self, *, by_key: bool = False) -> Client | None:
        """The client of an account that the store or the CA knows, ``by_key`` the CA alone; None where neither does."""
        if not self._files.has_key():
            return None
        if self._keeping and self._files.staged() is not None and self._changing.try_acquire():
            try:
                await self._settle_key()
            finally:
                self._changing.release()
        client = self._made(self._key())
        is_known = self._keeping and not by_key
        client.account_url = (self._files.url(self.config.directory) or "") if is_known else ""
        if not client.account_url:
            url = await client.find()
            if url is None:
                return None
            self._keep(url)
        return client

    async def _registered(self) -> Client:
        client = self._made(self._key())
        self._keep(await client.register(self.config.contact, self.config.agree_tos, self._binding()))
        return client

    def _keep(self, url: str) -> None:
        if self._keeping:
            self._files.keep_url(self.config.directory, url)
        self._around.emit("account", url=url, account=self.config.name)

    def _binding(self) -> Binding | None:
        """The external account binding that is configured, its key read now. Raises ConfigError."""
        if self.config.eab_hmac_key is None or self._bound is not None:
            return self._bound
        from dnsbroker.acme import Binding

        secret = self.config.eab_hmac_key.reveal()
        try:
            self._bound = Binding(self.config.eab_kid, secret, self.config.eab_algorithm)
        except ConfigError as error:
            message = error.message.removeprefix(f"{error.key}: ")
            raise ConfigError(message, key=f"{self.config.table} {error.key}", hint=error.hint) from error
        return self._bound

    def _key(self) -> str:
        """The account's private key (PEM), made where there is none."""
        if self._keeping or self._files.has_key():
            return self._files.key(_new_key)
        return self._passing()

    def _passing(self) -> str:
        """A private key (PEM) for this run alone."""
        self._passing_key = self._passing_key or _new_key()
        return self._passing_key

    async def _settle_key(self) -> None:
        """Find out which key holds where a run died while it was changed; nobody may be changing it now."""
        staged = self._files.staged()
        if staged is None:
            return
        known = self._files.url(self.config.directory)
        found = await self._made(staged).find()
        if found is not None and found == (known or found):
            self._files.promote()
        elif known is not None:  # else it may be the key of an account at another CA
            self._files.unstage()

    def _made(self, key_pem: str) -> Client:
        from dnsbroker.acme import Client

        if self._session is None:
            self._session = self._connect()
        around = self._around
        return Client(
            self.config.directory,
            key_pem,
            self._session,
            around.clock,
            parallel=around.parallel,
            directory=self._directory,
        )

    def _connect(self) -> Session:
        config = self.config
        try:
            return self._around.connections.session(
                timeout=_REQUEST_SECONDS, proxy=config.proxy, ca_bundle=config.ca_bundle, body_limit=_BODY_LIMIT
            )
        except OSError as error:  # ssl.SSLError is one
            raise ConfigError(
                f"{config.ca_bundle} cannot be used: {error.strerror or error}",
                key=f"{config.table} ca_bundle",
                hint="name a file with the CA's certificates in PEM",
            ) from error

    async def aclose(self) -> None:
        """Close the connections to the CA; may be called more than once."""
        if self._session is not None:
            await self._session.aclose()


def _is_deactivated(problem: Problem) -> bool:
    """Whether the CA says that the account is closed already; there is no problem type for that alone."""
    return problem.type == "unauthorized" and "deactivated" in problem.detail.lower()


def _new_key() -> str:
    return keys.generate(KEY_TYPE)

"""The CA account of a run: its key and URL kept in the store, the client opened when the first order needs it."""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

from dnsbroker import keys
from dnsbroker.acme import Client
from dnsbroker.clock import Clock
from dnsbroker.config import AcmeConfig
from dnsbroker.errors import ConfigError
from dnsbroker.events import Emitter
from dnsbroker.store import Store
from dnsbroker.transport import Connections, Session

_NAME = "default"
_KEY_TYPE = "ecdsa-p256"
_REQUEST_SECONDS = 45.0
_BODY_LIMIT = 1024 * 1024
#: What CAs say of their own resolvers: the longest they keep an answer, in seconds.
_CACHE_LIMITS = {"letsencrypt.org": 60.0}


class Account:
    """The account at the configured CA. ``client`` makes or finds it at its first call."""

    def __init__(
        self, config: AcmeConfig, parallel: int, store: Store, connections: Connections, clock: Clock, emit: Emitter
    ) -> None:
        self._config = config
        self._parallel = parallel
        self._store = store
        self._connections = connections
        self._clock = clock
        self._emit = emit
        self._session: Session | None = None
        self._client: Client | None = None
        self._opening = asyncio.Lock()

    def check(self) -> None:
        """Raise ConfigError where nothing may be ordered; contacts nobody."""
        if not self._config.agree_tos:
            raise ConfigError(
                "nothing is ordered before you agree to the CA's terms of service",
                key="[acme] agree_tos",
                hint="read them at the CA's site and set agree_tos = true in [acme]",
            )

    @property
    def cache_limit(self) -> float | None:
        """The longest time in seconds that this CA keeps a DNS answer, None where it does not say."""
        host = urlsplit(self._config.directory).hostname or ""
        return next((limit for ca, limit in _CACHE_LIMITS.items() if host == ca or host.endswith("." + ca)), None)

    async def client(self) -> Client:
        """The client, with an account. Raises ConfigError, StoreError, AcmeError."""
        async with self._opening:
            if self._client is None:
                self.check()
                self._client = await self._open()
        return self._client

    async def renewed(self) -> Client:
        """The client, its account made again: for a CA that has forgotten it. Raises as ``client``."""
        async with self._opening:
            self._store.keep_account_url(_NAME, self._config.directory, "")
            self._client = await self._open()
        return self._client

    async def _open(self) -> Client:
        key = self._store.account_key(_NAME, lambda: keys.generate(_KEY_TYPE))
        if self._session is None:
            self._session = self._connect()
        client = Client(
            self._config.directory, key, self._session, self._clock, parallel=asyncio.Semaphore(self._parallel)
        )
        client.account_url = self._store.account_url(_NAME, self._config.directory) or ""
        if not client.account_url:
            url = await client.register(self._config.contact, agree_tos=self._config.agree_tos)
            self._store.keep_account_url(_NAME, self._config.directory, url)
            self._emit("account", url=url)
        return client

    def _connect(self) -> Session:
        config = self._config
        try:
            return self._connections.session(
                timeout=_REQUEST_SECONDS, proxy=config.proxy, ca_bundle=config.ca_bundle, body_limit=_BODY_LIMIT
            )
        except OSError as error:  # ssl.SSLError is one
            raise ConfigError(
                f"{config.ca_bundle} cannot be used: {error.strerror or error}",
                key="[acme] ca_bundle",
                hint="name a file with the CA's certificates in PEM",
            ) from error

    async def aclose(self) -> None:
        """Close the connections to the CA; may be called more than once."""
        if self._session is not None:
            await self._session.aclose()

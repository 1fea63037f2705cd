"""The adapter as the broker sees it: each request a piece of blocking work in a thread, for one zone at a time.

Rule: importing and constructing it contacts nobody and does not bring dns-lexicon. Refused: zones that are not
configured, for dns-lexicon cannot list them and would guess.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar, TypeVar

from dnsbroker.adapter import Surroundings
from dnsbroker.errors import AuthRejected, BrokerError, NameInvalid, ZoneMissing
from dnsbroker.findings import Evidence, Finding, Severity
from dnsbroker.names import is_within, longest_match, owner, shown
from dnsbroker.records import Change, Receipt, RecordType, RRset
from dnsbroker_lexicon.settings import INSTALL, LexiconSettings, services

if TYPE_CHECKING:
    from dnsbroker_lexicon.calls import Calls, Leash
    from dnsbroker_lexicon.driver import Driver
    from dnsbroker_lexicon.refusals import Blame

T = TypeVar("T")


class Lexicon:
    """One account at one service that dns-lexicon has a driver for."""

    Settings: ClassVar[type[LexiconSettings]] = LexiconSettings
    #: Several of the services take nothing lower.
    default_ttl: ClassVar[float] = 300.0
    default_settle: ClassVar[float] = 3.0
    request_timeout: ClassVar[float] = 120.0
    #: Seconds that a call is waited for; then it begins no further exchange with the service.
    patience: ClassVar[float] = 95.0
    #: Seconds for one exchange, the last of which may have been begun just before.
    exchange_timeout: ClassVar[float] = 20.0

    def __init__(self, settings: LexiconSettings, surroundings: Surroundings) -> None:
        self._settings = settings
        self._provider = surroundings.provider
        self._calls: Calls | None = None

    @staticmethod
    def lacks() -> str:
        """How to install dns-lexicon, where it is not there."""
        return "" if services() else INSTALL

    async def zones(self) -> tuple[str, ...] | None:
        """None: dns-lexicon has no way to list them."""
        return None

    async def find_zone(self, name: str) -> str | None:
        """The longest configured zone that holds ``name``; nobody is asked."""
        return longest_match(owner(name), self._settings.zones)

    async def apply(self, zone: str, changes: Sequence[Change]) -> Receipt:
        """Make ``changes`` record by record, and list them as proof; never atomic where they are several."""
        if not changes:
            raise ValueError("apply needs at least one change")
        from dnsbroker_lexicon import work
        from dnsbroker_lexicon.refusals import unsent

        with unsent():
            zone = self._held(zone)
            self._check(zone, changes)
        return await self._call(zone, lambda driver, blame: work.apply(driver, changes, blame))

    async def read(self, zone: str, name: str, type: RecordType) -> RRset | None:
        """The RRset as the service lists it."""
        from dnsbroker_lexicon import work

        place = (owner(name), type)
        return await self._call(self._held(zone), lambda driver, blame: work.read(driver, place, blame))

    async def examine(self, zones: Sequence[str], *, fix: bool) -> Sequence[Finding]:
        """Whether the service lets the account in for each of ``zones`` and lists its records; nothing to mend."""
        ours = [zone for zone in map(owner, zones) if zone in self._settings.zones]
        found = await asyncio.gather(*(self._examined(zone) for zone in ours))
        return [finding for finding in found if finding]

    async def aclose(self) -> None:
        """Nothing is held: every call logs in, and out where the driver does that."""

    async def _examined(self, zone: str) -> Finding | None:
        try:
            await self.read(zone, f"_acme-challenge.{zone}", "TXT")
        except BrokerError as error:
            provider = self._provider
            seen = (Evidence(server=provider, record=error.message),)
            message = f"provider {provider} cannot be used through dns-lexicon's {self._settings.service}"
            if isinstance(error, AuthRejected):
                return Finding("auth", Severity.ERROR, shown(zone), message, error.hint, seen)
            if isinstance(error, ZoneMissing):
                return Finding("zone-missing", Severity.ERROR, shown(zone), message, error.hint, seen)
            return Finding("provider-fails", Severity.ERROR, shown(zone), message, error.hint, seen)
        return None

    async def _call(self, zone: str, work: Callable[[Driver, Blame], T]) -> T:
        from dnsbroker_lexicon.calls import Calls, Late

        if self._calls is None:
            self._calls = Calls(self.patience)
        try:
            return await self._calls.make(zone, lambda leash: self._worked(zone, work, leash))
        except Late:
            raise self._blame(zone).late(self.patience) from None

    def _worked(self, zone: str, work: Callable[[Driver, Blame], T], leash: Leash) -> T:
        """In a thread: log in, ``work``, log out. Raises BrokerError, and Late."""
        from dnsbroker_lexicon.calls import Late
        from dnsbroker_lexicon.driver import opened

        secrets = {name: secret.reveal() for name, secret in self._settings.secrets.items()}
        blame = self._blame(zone, tuple(secrets.values()))
        options = {**self._settings.options, **secrets}
        try:
            driver = opened(self._settings.service, zone, options, seconds=self.exchange_timeout, leash=leash)
        except Late:
            raise
        except Exception as error:  # noqa: BLE001 - drivers raise bare exceptions; all of them leave here as ours
            raised = blame.translated(error)
            raised.nothing_done = True
        else:
            with contextlib.closing(driver):
                return work(driver, blame)
        raise raised  # outside, so that it does not carry what may hold a secret

    def _held(self, zone: str) -> str:
        zone = owner(zone)
        if zone not in self._settings.zones:
            raise self._blame(zone).missing("it is not among the zones of this provider")
        return zone

    def _check(self, zone: str, changes: Sequence[Change]) -> None:
        from dnsbroker_lexicon.plan import place_of

        for change in changes:
            try:
                name, _ = place_of(change)
            except NameInvalid as error:
                raise self._blame(zone).unusable(str(error), error.hint) from None
            if not is_within(name, zone):
                raise self._blame(zone).outside(name)

    def _blame(self, zone: str, secrets: Sequence[str] = ()) -> Blame:
        from dnsbroker_lexicon.refusals import Blame

        return Blame(self._provider, self._settings.service, zone, secrets)

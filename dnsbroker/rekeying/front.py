"""TLSA records and roll-overs at a person's or a program's word.

Rule: what is asked for is written down before anything is done about it, so that whoever comes next goes on with it. A
key is given up before its successor is covered only where a person says that this cannot wait.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from dnsbroker.certifying import Certifying, Outcome, Wishes
from dnsbroker.clock import Deadline
from dnsbroker.config import CertificateConfig
from dnsbroker.dane import Brought, Withdrawn
from dnsbroker.endpoints import Endpoint, parse
from dnsbroker.errors import BrokerError, ConfigError, StoreError
from dnsbroker.names import meant, shown
from dnsbroker.rekeying.foreign import refusal
from dnsbroker.rekeying.standing import Rekeyed, is_unfinished, moment, rekeyed, shared
from dnsbroker.rolling.gates import names
from dnsbroker.run import Run
from dnsbroker.settings import Rejected
from dnsbroker.store import Lineage
from dnsbroker.tlsa.computing import of_chain
from dnsbroker.tlsa.records import parse as parsed

if TYPE_CHECKING:
    from dnsbroker.knowing.rollovers import Rollover

if TYPE_CHECKING:
    from dnsbroker.dane.checking import Report

#: Seconds for which an emergency waits until its old records are gone, and between two looks.
_PATIENCE, _INTERVAL = 120.0, 2.0


class Rekeying:
    """Roll-overs of one run; ``Broker.dane``. Every method raises BrokerError."""

    def __init__(self, run: Run) -> None:
        self._run = run

    async def publish(self, endpoints: Sequence[str] = (), *, adopt: bool = False) -> tuple[Brought, ...]:
        """Make DNS right for ``endpoints``, or for all that are configured; one result for each certificate meant.

        ``adopt``: also for every key that their addresses serve now.
        """
        places = [_endpoint(text) for text in endpoints]
        return await self._run.dane.bring(endpoints=places, adopt=adopt, is_publishing_asked=True)

    async def withdraw(self, endpoints: Sequence[str]) -> tuple[Withdrawn, ...]:
        """Take DANE back for ``endpoints``; until when each has to serve its present key."""
        return await self._run.dane.withdraw([_endpoint(text) for text in endpoints])

    async def check(
        self, endpoints: Sequence[str] = (), *, mail: Sequence[str] = (), services: Sequence[str] = ()
    ) -> Report:
        """Look at ``endpoints``, mail servers of the domains ``mail`` and what the SRV names ``services`` lead to.

        None named: all that are configured.
        """
        from dnsbroker.dane.checking import Means, check

        run = self._run
        means = Means.of(run.config, run.store, run.rollovers, run.finder, run.exchange, run.clock, run.emit)
        return await check(means, [_endpoint(text) for text in endpoints], mail=mail, services=services)

    async def rollover(self, name: str, *, now: bool = False) -> Rekeyed:
        """Begin to roll over the key of certificate ``name``, and go as far as time allows.

        While records of the key before stand it is not asked for again, by whoever repeats the command; where they are
        another certificate's, it is, and waits for them. ``now``: the present key is given up at once, also where some
        clients refuse the next one for a time. Raises ConfigError where it is not rolled over here.
        """
        certificate, live = self._meant(name)
        name = certificate.name
        rolling = self._certifying(is_named=True)
        progress = rolling.covering.progress(name)
        replayable = await self._run.dane.old_signatures_end(name) if now else 0.0
        if now:
            self._run.dane.set_no_authority(name, live.not_after.timestamp())
            progress = replace(rolling.covering.progress(name), given_up=live.leaf.spki_sha256)
        if now or not (is_unfinished(progress.step) and self._is_own(name, live, rolling.covering.owners(name))):
            asked = replace(progress, is_asked=True, is_emergency=now or progress.is_emergency, refused="")
            self._run.rollovers.keep_progress(asked)
        (outcome,) = await rolling.bring([certificate])
        self._note(outcome)
        if outcome.error is not None and outcome.status != "held":
            raise outcome.error
        standing = self._standing(name, rolling, outcome)
        return await self._emergency(standing, rolling, replayable) if now else standing

    async def give_up(self, name: str, spki_sha256: str) -> float | None:
        """Have the key with this digest given up by the next order for ``name``, where that breaks nothing.

        So where it is the live one, and the next one may be used. Until when (seconds since the epoch) its records can
        be replayed, 0.0 where they have no signatures; None where nothing is given up.
        """
        live = self._run.store.load(name)
        rolling = self._certifying(is_named=True)
        if not rolling.covering.manages(name) or live is None or live.leaf.spki_sha256 != spki_sha256:
            return None
        if await rolling.covering.against_key(name, None) is not None:
            return None
        replayable = await self._run.dane.old_signatures_end(name)
        self._run.dane.set_no_authority(name, live.not_after.timestamp())
        progress = rolling.covering.progress(name)
        given_up = replace(progress, is_asked=True, is_emergency=True, refused="", given_up=spki_sha256)
        self._run.rollovers.keep_progress(given_up)
        return replayable

    async def see_out(self, name: str, replayable: float) -> Rekeyed:
        """Wait until the records of the key that was given up are gone, if that does not take long; how it stands then.

        ``replayable``: what ``give_up`` has said. What fails is in the result: the key is given up all the same.
        """
        rolling = self._certifying(is_named=True)
        await rolling.covering.bring([name])
        trouble = rolling.covering.trouble(name)
        standing = rekeyed(name, rolling.covering.brought.get(name), () if trouble is None else (trouble,))
        return await self._emergency(standing, rolling, replayable)

    async def advance(self) -> tuple[Rekeyed, ...]:
        """Move every roll-over as far as time and DNS allow; one result for each certificate, and each path."""
        rolling = self._certifying(is_named=False)
        managed = [item for item in self._run.config.certificates.values() if rolling.covering.tends(item.name)]
        outcomes = {outcome.name: outcome for outcome in await rolling.bring(managed)}
        for outcome in outcomes.values():
            self._note(outcome)
        brought = rolling.covering.brought
        references = dict.fromkeys([*outcomes, *brought])
        return tuple(
            rekeyed(one, brought.get(one), _errors(outcomes.get(one)), outcomes.get(one)) for one in references
        )

    async def status(self) -> tuple[Rollover, ...]:
        """Where each roll-over stands, and what stands in DNS for it, as it was last seen; contacts nobody."""
        from dnsbroker.knowing.standings import Standings

        run = self._run
        return Standings(run.config, run.store, run.journal, run.clock).rollovers

    def _certifying(self, *, is_named: bool) -> Certifying:
        return Certifying(self._run, Wishes(), is_named=is_named, is_mending=True, is_rolling=True)

    def _is_own(self, name: str, live: Lineage, owners: frozenset[str]) -> bool:
        """Whether a roll-over that is not over is that of ``name``, and not of one that is served beside it.

        It is one of another where records of ours stand, and none names what was live before. In doubt it is its own.
        """
        store, leases = self._run.store, self._run.leases
        records = [
            parsed(lease.record.value) for owner in owners for lease in leases.at(owner, "TLSA") if not lease.foreign
        ]
        try:
            earlier = store.archived(name, store.live_before(name))
        except StoreError:
            return True
        if earlier is None or not records:
            return not records
        before, present = of_chain(earlier.fullchain), of_chain(live.fullchain)
        return any(names(record, before) and not names(record, present) for record in records)

    def _note(self, outcome: Outcome) -> None:
        self._run.changed = self._run.changed or outcome.has_changed

    def _meant(self, name: str) -> tuple[CertificateConfig, Lineage]:
        """The certificate that a person calls ``name``, and what is live of it. Raises ConfigError."""
        config, path = self._run.config, str(self._run.config.path or "")
        name = meant(name, [*config.certificates, *config.broken, *self._run.store.names()])
        if name in config.broken:
            raise config.broken[name]
        certificate = config.certificates.get(name)
        if (refused := refusal(config, name, certificate)) is not None:
            raise refused
        assert certificate is not None  # noqa: S101 - else it is refused
        if not config.dane or not self._run.dane.tends(name):
            hint = f"name it in one, or `dnsbroker renew {name} --force --new-key` gets one with a new key"
            raise ConfigError(f"no [[dane]] table speaks of certificate {shown(name)!r}", path=path, hint=hint)
        live = self._run.store.load(name)
        if live is None:
            raise ConfigError(f"there is no certificate {shown(name)!r} yet", hint=f"`dnsbroker issue {name}`")
        if live.request is not None:
            hint = f"`dnsbroker issue {name} --force --csr FILE` with a request for another key: it waits until covered"
            raise ConfigError(f"the key of {shown(name)} is not here", path=path, hint=hint)
        return certificate, live

    async def _see_out(self, name: str, rolling: Certifying) -> None:
        """Wait until the records of the key that was given up are gone, if that does not take long."""
        deadline = Deadline.after(self._run.clock, _PATIENCE)
        while not deadline.has_passed():
            brought = rolling.covering.brought.get(name)
            if brought is None or brought.move is None or not is_unfinished(brought.move.step):
                return
            await self._run.clock.sleep(min(_INTERVAL, deadline.left()))
            await rolling.covering.bring([name])

    def _standing(self, name: str, rolling: Certifying, outcome: Outcome) -> Rekeyed:
        trouble = rolling.covering.trouble(name)
        if trouble is not None:
            raise trouble
        return rekeyed(name, rolling.covering.brought.get(name), _errors(outcome))

    async def _emergency(self, standing: Rekeyed, rolling: Certifying, replayable: float) -> Rekeyed:
        """The same once what is given up is gone, and what a person has to know of it."""
        name, covering = standing.reference, rolling.covering
        await self._see_out(name, rolling)
        brought, closed = covering.brought.get(name), covering.loud.get(name)
        return replace(
            rekeyed(name, brought, standing.errors),
            replayable_until=moment(replayable),
            refused_until=closed.until if closed is not None else None,
            advice=tuple(shared(covering.owners(name), brought.situation if brought else None)),
        )


def _errors(outcome: Outcome | None) -> tuple[BrokerError, ...]:
    """What failed; that something waits is told by its step."""
    if outcome is None:
        return ()
    error = None if outcome.status == "held" else outcome.error
    return tuple(found for found in (error, outcome.undeployed, outcome.uncovered) if found is not None)


def _endpoint(text: str) -> Endpoint:
    try:
        return parse(text)
    except Rejected as error:
        raise ConfigError(str(error), hint=error.hint) from error

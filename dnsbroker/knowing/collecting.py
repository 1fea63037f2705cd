"""What is known of each certificate, gathered from the configuration, the store and the journal alone; no network."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime, timedelta
from functools import cached_property
from typing import TYPE_CHECKING

from dnsbroker import keys
from dnsbroker.clock import Clock
from dnsbroker.config import CertificateConfig, Config
from dnsbroker.errors import StoreError
from dnsbroker.journal import (
    Answer,
    Attempts,
    Backoffs,
    Deployments,
    Entry,
    History,
    Journal,
    Lease,
    Leases,
    Observations,
    Observed,
    RenewalAnswers,
    Rollovers,
    Runs,
    Step,
)
from dnsbroker.journal.moments import at
from dnsbroker.knowing.health import Health, Known, judge, judge_records
from dnsbroker.lineages import ClientLineage
from dnsbroker.store import Lineage, Store

if TYPE_CHECKING:
    from dnsbroker.dane.timeline import Picture
    from dnsbroker.knowing.rollovers import Rollover, Unmanaged
    from dnsbroker.knowing.standings import Standings

#: Whoever only looks wants no lease and tells no event, and is no run.
_LOOKING = "looking"


class Collection:
    """Asks one configuration, store and journal. Each method raises StoreError where those cannot be read."""

    def __init__(self, config: Config, store: Store, journal: Journal, clock: Clock) -> None:
        self._config = config
        self._store = store
        self._journal = journal
        self._clock = clock
        self._alert_after = timedelta(seconds=config.alert_after)
        self._attempts = Attempts(journal, clock)
        self._backoffs = Backoffs(journal, clock)
        self._deployments = Deployments(journal, clock)
        self._answers = RenewalAnswers(journal)
        self._observations = Observations(journal, clock)
        self._leases = Leases(journal, _LOOKING, clock)
        self._history = History(journal, _LOOKING)

    def names(self) -> tuple[str, ...]:
        """Every certificate that is configured, rightly or not, and every one that is there besides."""
        known = [*self._config.certificates, *self._config.broken]
        return tuple(dict.fromkeys([*known, *self._store.names()]))

    def known(self, name: str) -> Known:
        """All that is known of the certificate ``name``."""
        configured = self._config.certificates.get(name)
        is_ours = configured is not None and configured.lineage is None
        account = self._config.known_accounts.get(configured.account) if configured is not None and is_ours else None
        directory = account.directory if account is not None else ""
        lineage, damage = self._loaded(name)
        return Known(
            name=name,
            configured=configured,
            trouble=self._config.broken.get(name),
            lineage=lineage,
            damage=damage,
            directory=directory,
            changed=self._changed(name),
            answer=self._answer(lineage),
            attempt=self._attempts.of(name) if configured is None or is_ours else None,
            backoff=self._backoffs.until(directory, name) if directory else None,
            steps=self._steps(name, configured, lineage),
            observed=self._observed(name),
            rollover=self._rollover(name),
        )

    def managed(self, reference: str) -> Known:
        """What is known of the records and the roll-over of ``reference`` alone, be it a certificate's name or not."""
        return Known(name=reference, observed=self._observed(reference), rollover=self._rollover(reference))

    def elsewhere(self) -> tuple[Health, ...]:
        """How those are whose records are looked after, and which are no certificate by name."""
        names = self.names()
        references = [one.reference for one in self.rollovers if one.reference not in names]
        return tuple(self.judged(self.managed(reference)) for reference in references)

    @cached_property
    def standings(self) -> Standings:
        """What is known of TLSA records and roll-overs."""
        from dnsbroker.knowing.standings import Standings

        return Standings(self._config, self._store, self._journal, self._clock)

    @property
    def rollovers(self) -> tuple[Rollover, ...]:
        """That of every certificate that a ``[[dane]]`` table speaks of; without a table, nothing is even imported."""
        return self.standings.rollovers if self._config.dane else ()

    def _rollover(self, reference: str) -> Rollover | None:
        return next((one for one in self.rollovers if one.reference == reference), None)

    def unmanaged(self) -> tuple[Unmanaged, ...]:
        """As those of ``standings``; where nothing was ever published, nothing is imported either."""
        return self.standings.unmanaged() if Rollovers(self._journal, self._clock).published() else ()

    def picture(self, begin: datetime | None = None) -> Picture | None:
        """Roll-overs as they went, each certificate's last one or all from ``begin`` on; None where none was seen."""
        from dnsbroker.dane.timeline import picture

        chronicles = [self.standings.chronicle(one) for one in self.rollovers]
        since = begin.timestamp() if begin is not None else None
        return picture(chronicles, self._clock.now().timestamp(), since)

    @cached_property
    def observed(self) -> tuple[Observed, ...]:
        """What TLSA records were last seen to say: by the guard, and where a table speaks of them, by what stands."""
        managed = [seen for one in self.rollovers for seen in self.standings.observed(one)]
        endpoints = {seen.endpoint for seen in managed}
        guarded = [seen for seen in self._observations.all() if seen.endpoint not in endpoints]
        return tuple(sorted([*guarded, *managed], key=lambda seen: (seen.endpoint, seen.certificate)))

    def _observed(self, name: str) -> tuple[Observed, ...]:
        return tuple(seen for seen in self.observed if seen.certificate == name)

    def _changed(self, name: str) -> datetime | None:
        """When a file that may configure ``name`` was last changed on this host; None where there is none.

        The inode's own time is asked, for that of the content may come from elsewhere with it.
        """
        paths = [self._config.state_dir / "certificates" / f"{name}.toml"]
        if self._config.path is not None:
            paths += [self._config.path, self._config.path.parent / "certificates.d" / f"{name}.toml"]
        moments = []
        for path in paths:
            with suppress(OSError):
                moments.append(path.stat().st_ctime)
        return at(max(moments)) if moments else None

    def _steps(self, name: str, configured: CertificateConfig | None, lineage: Lineage | None) -> tuple[Step, ...]:
        """Those of the deployment; of another client's certificate that was never deployed, all are still to come."""
        found = self._deployments.of(name, lineage.serial if lineage is not None else "")
        if found or lineage is None or configured is None or configured.lineage is None:
            return found
        from dnsbroker.deploying import steps

        return tuple(Step(step, "planned", lineage.leaf.not_before, "") for step in steps(configured))

    def _loaded(self, name: str) -> tuple[Lineage | None, StoreError | None]:
        """What is there, and what is wrong with it."""
        try:
            lineage = self._store.load(name)
        except StoreError as error:
            return None, error
        return lineage, lineage.trouble if isinstance(lineage, ClientLineage) else None

    def _answer(self, lineage: Lineage | None) -> Answer | None:
        ident = keys.renewal_id(lineage.fullchain) if lineage is not None else None
        return self._answers.get(ident) if ident is not None else None

    def health(self, names: Iterable[str] = ()) -> tuple[Health, ...]:
        """How the certificates ``names`` are, or all."""
        chosen = tuple(names) or self.names()
        return tuple(self.judged(self.known(name)) for name in chosen)

    def judged(self, known: Known) -> Health:
        """How that certificate is now."""
        return judge(known, self._clock.now(), self._alert_after)

    def left(self) -> tuple[Lease, ...]:
        """The records in DNS that nobody alive answers for."""
        return self._leases.sweepable(Runs(self._config.state_dir).is_alive)

    def log(self, name: str = "", since: datetime | None = None) -> tuple[Entry, ...]:
        """What happened, oldest first: everything, or what concerns the certificate ``name``; ``since`` a moment."""
        return self._history.entries(name, since, self.known(name).names if name else ())

    def open(self) -> tuple[Lease, ...]:
        """Every record that is, or may be, in DNS by us."""
        return self._leases.open()

    def records(self) -> Health:
        """How DNS is: what is left in it."""
        return judge_records(self.left(), self._clock.now(), self._alert_after)

    def about(self, known: Known) -> tuple[Lease, ...]:
        """The open leases of records by which the CA validates a certificate, as far as that is known."""
        owners = self._history.owners(known.name, known.names)
        return tuple(lease for lease in self.open() if lease.record.name in owners)

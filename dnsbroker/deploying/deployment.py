"""The deployments of one run: each certificate is spread as it comes, and what is shared is done once at the end.

Rule: the journal says what is still to be done for a live certificate, the disk whether its copies are right; a failure
is kept and told, never raised. A hook waits for the copies before it; a reload waits for nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from dnsbroker.clock import Clock
from dnsbroker.config import CertificateConfig
from dnsbroker.config.certificate import CopyConfig
from dnsbroker.config.toml import written_key
from dnsbroker.deploying import commands, copies, looking, units
from dnsbroker.deploying.hooks import HookEnd
from dnsbroker.deploying.record import Record, has_work
from dnsbroker.deploying.steps import Failed, copy_step, hook_step, post_step, reload_step, verify_step
from dnsbroker.errors import BrokerError, DeployFailed, StoreError
from dnsbroker.events import Emitter
from dnsbroker.journal import Deployments
from dnsbroker.store import Access, Lineage, Store
from dnsbroker.tasks import together, uninterrupted

#: The name under which owner, group and mode of the live files fail; a step of no plan.
ACCESS = "owner and mode"


@dataclass
class _Work:
    """One certificate's deployment: the steps ``todo``, and whether something has ``reached`` those who use it."""

    certificate: CertificateConfig
    lineage: Lineage
    emit: Emitter
    todo: set[str]
    reached: bool = False

    @property
    def key(self) -> tuple[str, str]:
        """Its name and serial number."""
        return self.certificate.name, self.lineage.serial

    def wants(self, step: str) -> bool:
        """Whether ``step`` is to be done: it is unfinished, or what comes before it was done now."""
        return self.reached or step in self.todo


class Deploying:
    """Copies, hooks, reloads and looks in one run.

    ``environment`` is what hooks and systemctl get beside our own variables; ``addresses`` finds a host's addresses.
    ``changed``: whether anything is different now.
    """

    def __init__(
        self,
        store: Store,
        deployments: Deployments,
        environment: Mapping[str, str],
        clock: Clock,
        emit: Emitter,
        addresses: looking.Addresses,
    ) -> None:
        self._store = store
        self._record = Record(deployments)
        self._commands = commands.Commands(environment)
        self._clock = clock
        self._emit = emit
        self._addresses = addresses
        self._begun: dict[str, _Work] = {}
        self._spread: dict[str, _Work] = {}
        self._owing: dict[str, tuple[CertificateConfig, tuple[str, ...]]] = {}
        self._before: dict[str, asyncio.Task[HookEnd]] = {}
        self.changed = False

    def plan(self, certificate: CertificateConfig, serial: str) -> None:
        """Write down all steps for the certificate that is about to go live as ``serial``. Raises StoreError."""
        self._record.plan(certificate, serial)

    def is_unfinished(self, certificate: CertificateConfig, lineage: Lineage) -> bool:
        """Whether a step is left to do, or a copy not as it is to be. Raises StoreError."""
        return has_work(self._record, certificate, lineage)

    def failures(self, name: str) -> tuple[Failed, ...]:
        """What failed in this run for the certificate ``name``."""
        return self._record.failures(name)

    def error(self, name: str) -> DeployFailed | None:
        """The same as an error, None where nothing failed."""
        found = self.failures(name)
        if not found:
            return None
        told = "; ".join(f"{failed.step}: {failed.message}" for failed in found)
        state = "is issued, but not deployed" if self._live_serial(name) else "is not issued, and a hook has failed"
        hint = found[0].hint or "`dnsbroker renew` tries just that again"
        return DeployFailed(
            f"{name} {state}: {told}",
            certificate=name,
            steps=[failed.step for failed in found],
            hint=hint,
        )

    async def pre(self, certificate: CertificateConfig) -> None:
        """Run the pre hooks of ``certificate``, each distinct one once in a run. Raises BrokerError when one fails."""
        variables = {commands.CERTIFICATE: certificate.name}
        for command in certificate.pre_hooks:
            end = self._before.get(command)
            if end is None:
                emit = self._emit.bound(certificate=certificate.name)
                ran = self._commands.run("pre", command, certificate.hook_timeout, variables, emit)
                end = self._before[command] = asyncio.ensure_future(ran)
            result = await end
            if not result.succeeded:
                hint = "mend the command, or take it out of pre_hooks; nothing was ordered"
                raise BrokerError(f"pre hook {command!r} {commands.reason(result)}", hint=hint)

    def owe(self, certificate: CertificateConfig, lineage: Lineage | None) -> None:
        """Have the post hooks that an earlier run could not bring to success run at this one's end, attempted or not.

        Raises StoreError.
        """
        commands = self._record.owed(certificate, lineage.serial if lineage is not None else "")
        self._owing[certificate.name] = certificate, commands

    async def spread(
        self, certificate: CertificateConfig, lineage: Lineage, emit: Emitter, *, again: bool = False
    ) -> None:
        """Bring a live certificate to its users: permissions and copies as they are to be, hooks that are not done yet.

        ``again``: every step anew. Raises StoreError where the journal cannot be read; what fails, ``failures`` tells.
        """
        todo = self._record.take_up(certificate, lineage.serial, again)
        work = self._begun[certificate.name] = _Work(certificate, lineage, emit, todo)
        await self._conform(work)
        missing = [copy for copy in certificate.copies if not await self._copy(work, copy)]
        for command in dict.fromkeys(certificate.deploy_hooks):
            if hook_step(command) in todo:
                await self._deploy(work, command, missing)
        self._spread[certificate.name] = self._begun.pop(certificate.name)

    async def _conform(self, work: _Work) -> None:
        wanted = work.certificate
        table = f"[certificates.{written_key(wanted.name)}]"
        access = Access(wanted.owner, wanted.group, wanted.mode, table)
        try:
            self.changed |= self._store.conform(wanted.name, access)
        except BrokerError as error:
            self._record.failed(wanted.name, None, Failed(ACCESS, error.message, error.hint), work.emit)

    async def _copy(self, work: _Work, copy: CopyConfig) -> bool:
        """Whether the files of ``copy`` are as they are to be now."""
        making = asyncio.to_thread(copies.make, copy, work.lineage, self._clock.now())
        try:
            written = await uninterrupted(making)
        except BrokerError as error:
            self._record.failed(*work.key, Failed(copy_step(copy), error.message, error.hint), work.emit)
            return False
        if written:
            self._reached(work)
            work.emit("copied", paths=[str(path) for path in written])
        if copy_step(copy) in work.todo:
            self._record.done(*work.key, copy_step(copy), work.emit)
        return True

    async def _deploy(self, work: _Work, command: str, missing: Sequence[CopyConfig]) -> None:
        step = hook_step(command)
        if missing:
            waits = Failed(step, f"not run yet: it waits for {copy_step(missing[0])}")
            self._record.failed(*work.key, waits, work.emit)
            return
        variables = {
            commands.LINEAGE: str(work.lineage.path),
            commands.RENEWED: commands.listed(work.lineage.names),
            commands.CERTIFICATE: work.certificate.name,
        }
        end = await self._commands.run("deploy", command, work.certificate.hook_timeout, variables, work.emit)
        self._reached(work)
        self._settle(*work.key, step, end)

    def _settle(self, name: str, serial: str | None, step: str, end: HookEnd) -> None:
        emit = self._emit.bound(certificate=name)
        if end.succeeded:
            self._record.done(name, serial, step, emit)
        else:
            self._record.failed(name, serial, Failed(step, commands.reason(end)), emit)

    def _reached(self, work: _Work) -> None:
        work.reached = self.changed = True

    async def finish(self, attempted: Iterable[tuple[CertificateConfig, bool]] = ()) -> None:
        """End a run: units reloaded once each, post hooks for what was ``attempted``, and a look at the endpoints.

        ``attempted``: the certificates for which an order was to be made, and whether they are issued.
        """
        works, self._spread = self._spread, {}
        try:
            await self._reload(works.values())
        finally:
            # What a hook before the order stopped is started again, also where the run is stopped.
            await uninterrupted(self._close(attempted, works))
        await self._look(works.values())

    async def _reload(self, works: Iterable[_Work]) -> None:
        wanted: dict[str, list[_Work]] = {}
        for work in works:
            for unit in dict.fromkeys(work.certificate.reload):
                if work.wants(reload_step(unit)):
                    wanted.setdefault(unit, []).append(work)
        await together(self._reload_one(unit, works) for unit, works in wanted.items())

    async def _reload_one(self, unit: str, works: Sequence[_Work]) -> None:
        end = await units.reload(unit, self._commands.environment)
        step = reload_step(unit)
        if not end.error:
            names = [work.certificate.name for work in works]
            self._emit("reloaded", unit=unit, state=end.state, running=end.is_running, certificates=names)
        for work in works:
            if end.error:
                self._record.failed(*work.key, Failed(step, end.error, end.hint), work.emit)
            else:
                work.reached |= end.is_running
                self.changed |= end.is_running
                self._record.done(*work.key, step, work.emit)

    async def close(self, attempted: Iterable[tuple[CertificateConfig, bool]]) -> None:
        """Run the post hooks alone, each distinct one once: for a run that is stopped before it comes to its end."""
        works, self._spread = self._spread, {}
        await self._close(attempted, works)

    async def _close(self, attempted: Iterable[tuple[CertificateConfig, bool]], works: Mapping[str, _Work]) -> None:
        """The post hooks of ``attempted`` and of ``works``, stopped ones included, and those that are still owed."""
        self._before.clear()
        begun, self._begun = self._begun, {}
        owed: dict[str, list[tuple[CertificateConfig, bool]]] = {}
        owing, self._owing = self._owing, {}
        for certificate, issued, command in _owed(list(attempted), {**works, **begun}, owing):
            owed.setdefault(command, []).append((certificate, issued))
        for command, those in owed.items():
            await self._post(command, those, works)

    async def _post(
        self, command: str, those: Sequence[tuple[CertificateConfig, bool]], works: Mapping[str, _Work]
    ) -> None:
        certificates = [certificate for certificate, _ in those]
        variables = {
            commands.RENEWED: commands.listed(name for one, issued in those if issued for name in one.names),
            commands.FAILED: commands.listed(name for one, issued in those if not issued for name in one.names),
            commands.CERTIFICATE: commands.listed(one.name for one in certificates),
        }
        timeout = max(one.hook_timeout for one in certificates)
        names = list(dict.fromkeys(one.name for one in certificates))
        end = await self._commands.run("post", command, timeout, variables, self._emit.bound(certificates=names))
        issued = {certificate.name for certificate, is_issued in those if is_issued}
        for name in names:
            # Of one that is issued, and whose deployment was stopped, the next run does the whole rest.
            unspread = None if name in issued else self._live_serial(name)
            serial = works[name].lineage.serial if name in works else unspread
            self._settle(name, serial, post_step(command), end)

    def _live_serial(self, name: str) -> str:
        """The serial number of what is live; empty where nothing is, or nothing that can be read."""
        try:
            lineage = self._store.load(name)
        except StoreError:
            return ""
        return lineage.serial if lineage is not None else ""

    async def _look(self, works: Iterable[_Work]) -> None:
        """At each endpoint whose certificate is not known to be served, all at once."""
        looks = [
            self._look_at(work, endpoint)
            for work in works
            for endpoint in work.certificate.verify
            if work.wants(verify_step(endpoint))
        ]
        await together(looks)

    async def _look_at(self, work: _Work, endpoint: str) -> None:
        look = await looking.look(endpoint, work.lineage, self._addresses, self._clock)
        step = verify_step(endpoint)
        for item in look.seen:
            if item.state == "untested":
                work.emit("warning", message=str(item))
        if look.error:
            self._record.failed(*work.key, Failed(step, look.error, look.hint), work.emit)
        else:
            seen = [item.address for item in look.seen if item.state == "serves"]
            work.emit("verified", endpoint=endpoint, addresses=seen)
            self._record.done(*work.key, step, work.emit)


def _owed(
    attempted: Sequence[tuple[CertificateConfig, bool]],
    works: Mapping[str, _Work],
    owing: Mapping[str, tuple[CertificateConfig, tuple[str, ...]]],
) -> Iterator[tuple[CertificateConfig, bool, str]]:
    """Each certificate with each post hook that is to be run for it, and whether it is issued."""
    for certificate, issued in attempted:
        yield from ((certificate, issued, command) for command in certificate.post_hooks)
    names = {certificate.name for certificate, _ in attempted}
    for work in works.values():
        if work.certificate.name not in names:
            left = (command for command in work.certificate.post_hooks if post_step(command) in work.todo)
            yield from ((work.certificate, True, command) for command in left)
    for name, (certificate, left_over) in owing.items():
        if name not in names and name not in works:
            yield from ((certificate, False, command) for command in left_over)

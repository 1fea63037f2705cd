"""What is still to be done for each live certificate, and what failed in this run: the journal's word, and ours.

Rule: a journal that cannot be written stops no deployment; what it does not know is done once more.
"""

from __future__ import annotations

from dnsbroker.config import CertificateConfig
from dnsbroker.deploying import copies
from dnsbroker.deploying.steps import Failed, copy_step, post_step, steps
from dnsbroker.errors import StoreError
from dnsbroker.events import Emitter
from dnsbroker.journal import Deployments
from dnsbroker.store import Lineage


class Record:
    """The steps of a run, in ``deployments`` and in memory."""

    def __init__(self, deployments: Deployments) -> None:
        self._deployments = deployments
        self._failures: dict[str, dict[str, Failed]] = {}

    def plan(self, certificate: CertificateConfig, serial: str) -> None:
        """Write down every step for the certificate that is about to go live as ``serial``. Raises StoreError."""
        self._deployments.plan(certificate.name, serial, steps(certificate))

    def has_unfinished(self, name: str, serial: str) -> bool:
        """Whether the journal has a step that is not done, be it one to be forgotten. Raises StoreError."""
        return bool(self._deployments.unfinished(name, serial))

    def take_up(self, certificate: CertificateConfig, serial: str, again: bool) -> set[str]:
        """The steps to be done now, from what is unfinished, or all of them ``again``. Raises StoreError.

        Those that are configured no longer are forgotten. Those configured since are not caught up with: a hook is for
        a new certificate. Copies are, so they are known from now on.
        """
        self._failures.pop(certificate.name, None)
        wanted = steps(certificate)
        known = {step.name: step for step in self._deployments.of(certificate.name, serial)}
        copied = {copy_step(copy) for copy in certificate.copies}
        post = {post_step(command) for command in certificate.post_hooks}
        kept = [step for step in wanted if step in known or step in copied or (again and step not in post)]
        if set(kept) != set(known):
            self._deployments.plan(certificate.name, serial, kept)
        todo = {step for step in kept if step not in known or known[step].state != "done"}
        return todo | set(kept) - post if again else todo

    def owed(self, certificate: CertificateConfig, serial: str) -> tuple[str, ...]:
        """The post hooks that are not done; of those for no live certificate (no ``serial``) unconfigured ones go.

        Raises StoreError.
        """
        left = {step.name for step in self._deployments.unfinished(certificate.name, serial)}
        found = tuple(command for command in certificate.post_hooks if post_step(command) in left)
        if not serial and len(found) < len(left):
            self._deployments.plan(certificate.name, serial, [post_step(command) for command in found])
        return found

    def done(self, name: str, serial: str | None, step: str, emit: Emitter) -> None:
        """Keep that ``step`` of certificate ``name`` is done; with an empty ``serial`` only where it was not.

        With None for this run alone.
        """
        self._failures.get(name, {}).pop(step, None)
        try:
            if serial or (serial is not None and self._deployments.unfinished(name, serial)):
                self._deployments.done(name, serial, step)
        except StoreError as error:
            emit("warning", message=error.message, hint=error.hint)

    def failed(self, name: str, serial: str | None, failed: Failed, emit: Emitter) -> None:
        """Keep, and tell, that a step of certificate ``name`` has failed; with None as ``serial`` for this run alone.

        An empty one says that nothing is live.
        """
        self._failures.setdefault(name, {})[failed.step] = failed
        emit("deploy_failed", step=failed.step, message=failed.message, hint=failed.hint or None)
        try:
            if serial is not None:
                self._deployments.failed(name, serial, failed.step, failed.message)
        except StoreError as error:
            emit("warning", message=error.message, hint=error.hint)

    def failures(self, name: str) -> tuple[Failed, ...]:
        """What failed in this run for certificate ``name``, in the order in which it did."""
        return tuple(self._failures.get(name, {}).values())


def has_work(record: Record, certificate: CertificateConfig, lineage: Lineage) -> bool:
    """Whether a step is unfinished, or a copy not as it is to be. Raises StoreError."""
    if record.has_unfinished(certificate.name, lineage.serial):
        return True
    return not all(copies.are_current(copy, lineage) for copy in certificate.copies)

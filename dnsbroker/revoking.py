"""Certificates taken back and put aside: revoked at the CA (RFC 8555 section 7.6), or deleted from the store.

A key that was compromised is barred before anybody is asked, and for ever. What is deleted stays for a time where
nothing serves it from.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from dnsbroker import keys
from dnsbroker.account import Account
from dnsbroker.certifying.outcome import Outcome
from dnsbroker.certifying.permission import heeding
from dnsbroker.endpoints import parse
from dnsbroker.errors import BrokerError, ConfigError, Held, PemInvalid, Problem, StoreError
from dnsbroker.journal import Answer, FileLock
from dnsbroker.lineages import client_of
from dnsbroker.run import Run
from dnsbroker.store import Lineage

if TYPE_CHECKING:
    from dnsbroker.rekeying import Rekeyed

#: The words for reasons, and their codes (RFC 5280 section 5.3.1).
REASONS = {
    "unspecified": 0,
    "keycompromise": 1,
    "affiliationchanged": 3,
    "superseded": 4,
    "cessationofoperation": 5,
}
#: How long what was deleted is kept.
KEPT = timedelta(days=30)


@dataclass(frozen=True)
class Revocation:
    """Which certificate of a lineage is meant, and why it is revoked.

    The live one unless ``serial`` (hex) names another one in the archive, or ``cert`` is a file with it.
    """

    reason: str = "unspecified"
    serial: str = ""
    cert: Path | None = None
    replace: bool = False

    @property
    def is_compromise(self) -> bool:
        """Whether somebody else may have the key."""
        return self.reason == "keycompromise"


@dataclass(frozen=True)
class Target:
    """The certificate to be revoked; ``lineage`` holds it where it is in the store."""

    name: str
    fullchain: str
    leaf: keys.Leaf
    lineage: Lineage | None


@dataclass(frozen=True)
class Revoked:
    """What was revoked; ``by_us`` is false where it had been before. ``replaced`` is what came in its place.

    ``rolled``: how it stands with the TLSA records of a key that was given up for it; None where there are none.
    """

    target: Target
    by_us: bool
    replaced: Outcome | None = None
    rolled: Rekeyed | None = None


def find_target(run: Run, name: str, revocation: Revocation) -> Target:
    """The certificate that is meant. Raises ConfigError where there is none, StoreError."""
    if revocation.reason not in REASONS:
        raise ConfigError(f"no reason {revocation.reason!r} is known", hint=f"reasons are {', '.join(REASONS)}")
    if revocation.replace:
        _check_ours(run, name, "replace")
    if revocation.cert is not None:
        target = _from_file(run, name, revocation.cert)
        if target.lineage is None:
            _check_ours(run, name, "revoke")
        return target
    lineage = _archived(run, name, revocation.serial) if revocation.serial else _live(run, name)
    return Target(name, lineage.fullchain, lineage.leaf, lineage)


def _archived(run: Run, name: str, serial: str) -> Lineage:
    lineage = run.store.archived(name, serial)
    if lineage is None:
        _check_ours(run, name, "revoke")
        where = run.config.state_dir / "archive" / name
        raise ConfigError(
            f"there is no certificate {name!r} with the serial number {serial}",
            hint=f"`ls {where}` shows those that are kept; --cert FILE revokes one that is elsewhere",
        )
    return lineage


def _live(run: Run, name: str) -> Lineage:
    _check_ours(run, name, "revoke")
    lineage = run.store.load(name)
    if lineage is None:
        raise ConfigError(
            f"there is no certificate {name!r}",
            hint=f"there are {', '.join(run.store.names()) or 'none'}; --cert FILE revokes one that is elsewhere",
        )
    return lineage


def _check_ours(run: Run, name: str, what: str) -> None:
    """Raise ConfigError for a certificate that another client keeps."""
    configured = run.config.certificates.get(name)
    if configured is not None and configured.lineage is not None:
        client = client_of(configured.lineage)
        raise ConfigError(
            f"certificate {name!r} is not dnsbroker's to {what}: {client} keeps it in {configured.lineage}",
            path=str(run.config.path or ""),
            hint=f"let {client} {what} it; an older one that dnsbroker obtained is revoked by --serial",
        )


def _from_file(run: Run, name: str, path: Path) -> Target:
    try:
        text = path.read_bytes().decode("ascii", "replace")
        leaf = keys.describe(text)
    except OSError as error:
        words = (error.strerror or str(error)).lower()
        raise ConfigError(f"cannot be read: {words}", path=str(path), hint="name a certificate in PEM") from error
    except PemInvalid as error:
        raise ConfigError(error.message, path=str(path), hint="name a certificate in PEM") from error
    kept = run.store.archived(name, leaf.serial_text)
    return Target(name, text, leaf, kept if kept is not None and kept.leaf == leaf else None)


def bar(run: Run, target: Target) -> None:
    """Never use the key of ``target`` again. Raises StoreError."""
    run.barred.bar(target.leaf.spki_sha256, f"certificate {target.leaf.serial_text} was revoked as compromised")


def check_replaced(replaced: Outcome, target: Target) -> None:
    """Raise what kept ``replaced`` from taking the place of ``target``, which is still served then."""
    later = f"`dnsbroker revoke {target.name} --serial {target.leaf.serial_text}` does it once that is mended"
    if isinstance(replaced.error, Held):
        at_once = f"`dnsbroker tlsa rollover {target.name} --now` has it live at once, and some clients refuse it then"
        replaced.error.hint = f"nothing was revoked: {later}; {at_once}"
    if replaced.error is not None:
        raise replaced.error
    if replaced.undeployed is not None:
        error = replaced.undeployed
        error.hint = f"{error.hint}; nothing was revoked: {later}" if error.hint else f"nothing was revoked: {later}"
        raise error
    if replaced.status != "issued":
        raise BrokerError(f"{target.name} is not replaced: {replaced.reason}", hint=f"nothing was revoked: {later}")


async def revoke(run: Run, target: Target, revocation: Revocation) -> bool:
    """Ask the CA to revoke ``target``; False where it had been revoked before. Raises AcmeError, StoreError.

    At the CA that issued it, by the account that ordered it. Where that account is gone, or the CA says that it was
    another one, by the certificate's own key.
    """
    account = _account(run, target)
    with heeding(run, account.config.directory, account.config.name):
        by_us = await _revoked(account, target, REASONS[revocation.reason])
    run.emit("revoked", certificate=target.name, serial=target.leaf.serial_text, reason=revocation.reason)
    _note(run, target)
    return by_us


async def _revoked(account: Account, target: Target, code: int) -> bool:
    own_key = _own_key(target)
    try:
        client = await (account.found() if own_key else account.existing())
        by_us = await client.revoke(target.fullchain, code) if client is not None else None
    except Problem as problem:
        if problem.type not in ("unauthorized", "accountDoesNotExist") or not own_key:
            raise
        by_us = None
    if by_us is None:
        by_us = await account.visitor().revoke(target.fullchain, code, key_pem=own_key)
    return by_us


def _own_key(target: Target) -> str:
    """The certificate's private key; empty where it is not here, or not whole: it may have been destroyed already."""
    try:
        return target.lineage.private_key if target.lineage is not None else ""
    except StoreError:
        return ""


def _account(run: Run, target: Target) -> Account:
    """The account that ordered ``target``, as far as that is known."""
    origin = target.lineage.provenance if target.lineage else None
    if origin is not None:
        return run.accounts.formerly(origin.account, origin.directory)
    configured = run.config.certificates.get(target.name)
    return run.accounts.get(configured.account if configured else "default")


def _note(run: Run, target: Target) -> None:
    """Let the next ``renew`` know, where the revoked one is live and nothing has taken its place."""
    ident = keys.renewal_id(target.fullchain)
    if ident is not None:
        now = run.clock.now()
        # One that came from elsewhere was never asked about.
        unasked = Answer(id=ident, source="none", url="", asked_at=now, ask_again_at=now)
        run.renewal_answers.keep(replace(run.renewal_answers.get(ident) or unasked, revoked_at=now))


def delete(run: Run, name: str) -> Path:
    """Put certificate ``name`` aside; where its files are then. Raises ConfigError, StoreError.

    Not where it is configured, or clients are told by TLSA records to expect its key.
    """
    _check_ours(run, name, "delete")
    configured = run.config.certificates.get(name)
    if (configured is not None and not configured.remembered) or name in run.config.broken:
        raise ConfigError(
            f"certificate {name!r} is configured",
            path=str(run.config.path or ""),
            hint="take its table or its file in certificates.d out first: the next renew would get it anew",
        )
    _check_unneeded(run, name)
    lock = FileLock(run.config.state_dir / "locks" / f"certificate-{name}")
    if not lock.try_acquire():
        raise StoreError(
            f"another dnsbroker (pid {lock.holder()}) has {name}", path=str(lock.path), hint="try again when it is done"
        )
    try:
        path = run.store.delete(name, run.clock.now())
        run.attempts.forget(name)
        run.deployments.forget(name)
        run.observations.forget(name)
        run.rollovers.forget_progress(name)
    finally:
        lock.release()
    run.emit("deleted", certificate=name, path=str(path))
    return path


def _check_unneeded(run: Run, name: str) -> None:
    """Raise ConfigError where ``[[dane]]`` names the certificate, or TLSA records of ours that stand name its key."""
    tables = [table for table in run.config.dane if name in table.certificate]
    if tables:
        withdraw = _withdraw(endpoint for table in tables for endpoint in table.endpoint)
        raise ConfigError(
            f"[[dane]] names certificate {name!r}",
            path=str(run.config.path or ""),
            hint=f"first {withdraw}, then take it out of [[dane]]: that would name nobody",
        )
    named = [one for one in run.rollovers.published() if name in one.certificates and not one.is_withdrawn]
    standing = [one.endpoint for one in named if any(run.leases.at(owner, "TLSA") for owner in one.owners)]
    if standing:
        raise ConfigError(
            f"TLSA records of ours name the key of {name!r}",
            hint=f"first {_withdraw(standing)}, and serve the key for as long as that says",
        )


def _withdraw(endpoints: Iterable[str]) -> str:
    return f"`dnsbroker tlsa withdraw {' '.join(parse(endpoint).shown() for endpoint in dict.fromkeys(endpoints))}`"


def prune_deleted(run: Run) -> None:
    """Take away what was deleted long enough ago. Raises StoreError."""
    run.store.prune_deleted(run.clock.now() - KEPT)

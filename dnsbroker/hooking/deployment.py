"""What a client says of a certificate that it keeps itself: it is about to go live, or it is live.

Rule: of a directory that no certificate has as ``lineage`` nothing is asked and nothing done; but where what is said
of it cannot be used, nothing goes live. What fails after that takes nothing back: it is told, and later runs make up
for it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from dnsbroker import due, keys
from dnsbroker.config import CertificateConfig, Config
from dnsbroker.config.certificate import BrokenLineage
from dnsbroker.deploying.unordered import catch_up, planned
from dnsbroker.endpoints import parse
from dnsbroker.errors import BrokerError, ConfigError, DeployFailed, Held, KeyGuarded, PemInvalid, StoreError
from dnsbroker.events import Emitter
from dnsbroker.guarding import CURE, Guarded, coverage, refusal, warn_of_certificates
from dnsbroker.hooking import Answer, has_dane
from dnsbroker.hooking.calls import Admit, Deploy
from dnsbroker.journal import FileLock, Sessions
from dnsbroker.lineages.reading import is_damaged
from dnsbroker.lineages.tree import read_text
from dnsbroker.names import shown
from dnsbroker.run import Run
from dnsbroker.store import Lineage
from dnsbroker.tasks import uninterrupted

_DAMAGED = "the certificate that is live stays; look at what the client has written there"
_KEEP = f'let dehydrated keep its key (PRIVATE_KEY_RENEW="no"), or {CURE}'
_LATE = "publish a TLSA record for the new key, or take away those that match nothing"


async def deploy(call: Deploy, run: Run) -> Answer:
    """Do what is not done yet for the certificate in ``call.lineage``: for a new one, all of its deployment.

    Which certificate that is, is told by what stands there now, be it newer than the one the client speaks of. While
    another process has it, nothing is done. What fails is in the answer; raises nothing but what ends a run.
    """
    certificate = _kept_in(call.lineage, run.config)
    broken = _broken_in(call.lineage, run.config)
    if certificate is None and broken:
        return _answered(broken[0].error, broken[0].name, call, run)
    managed = _managed_in(call.lineage, run)
    if certificate is None and managed:
        return Answer(failures=await _seen_to(call, managed, run), changed=run.changed)
    if certificate is None:
        run.emit("unknown_lineage", path=str(call.lineage))
        return Answer(told=_unknown_to(call.lineage, run.config) if call.is_new else ())
    lock = FileLock(run.config.state_dir / "locks" / f"certificate-{certificate.name}")
    if not lock.try_acquire():
        told = f"{shown(certificate.name)}: another dnsbroker (pid {lock.holder()}) has it: left to it"
        return Answer(told=(f"{told}; what it does not do, the next `dnsbroker renew` does",))
    try:
        error = await _deployed(certificate, call, run)
    finally:
        lock.release()
    run.changed = run.changed or run.deploying.changed
    answer = _answered(error, certificate.name, call, run)
    more = () if isinstance(error, Held) else await _seen_to(call, managed, run)
    lines = (*answer.told, *(_line(one.error) for one in broken))
    return replace(answer, told=lines, failures=(*answer.failures, *more), changed=run.changed)


async def admit(call: Admit, run: Run) -> Answer:
    """Whether the certificate in the files of ``call`` may go live in its lineage; a failure says that it may not.

    Of a certificate whose key is not there, the certificate itself tells the key.
    """
    certificate = _kept_in(call.lineage, run.config)
    broken = _broken_in(call.lineage, run.config)
    managed = _managed_in(call.lineage, run)
    if certificate is None and not managed:
        told = () if broken else _unknown_to(call.lineage, run.config)
        return Answer(told=told, failures=tuple(one.error for one in broken))
    told = tuple(_line(one.error) for one in broken)
    try:
        chain_pem = _coming(call)
        refused = await _is_uncovered(chain_pem, certificate, managed, run) if managed else None
        if refused is None and certificate is not None:
            refused = await _is_guarded(chain_pem, certificate, managed, run)
    except BrokerError as error:
        return Answer(told=told, failures=(error,), changed=run.changed)
    return Answer(told=told, failures=(refused,) if refused is not None else (), changed=run.changed)


def _managed_in(directory: Path, run: Run) -> tuple[str, ...]:
    """What ``[[dane]]`` tables call what is kept there."""
    if not has_dane(run.config):
        return ()
    from dnsbroker.hooking.dane import managed_in  # and with it all that looks after TLSA records

    return managed_in(directory, run)


async def _is_uncovered(
    chain_pem: str, certificate: CertificateConfig | None, managed: Sequence[str], run: Run
) -> BrokerError | None:
    """Why caches would not know of this chain, leaf first. What they lack is published, for a later one."""
    from dnsbroker.hooking.dane import does_not_go_live, still_held

    live = _present(certificate, run, run.emit.bound(certificate=certificate.name)) if certificate else None
    is_pressing = live is not None and due.is_pressing(live.leaf, run.clock.now())
    return await still_held(managed, chain_pem, run, *does_not_go_live(managed[0]), is_pressing=is_pressing)


async def _is_guarded(
    chain_pem: str, certificate: CertificateConfig, managed: Sequence[str], run: Run
) -> BrokerError | None:
    """Why this chain, leaf first, may not take the place of what is live: records that nobody here looks after.

    Raises PemInvalid; StoreError where what is live cannot be read here, though others may.
    """
    if not certificate.tlsa_guard:
        return None
    emit = run.emit.bound(certificate=certificate.name)
    present = _present(certificate, run, emit)
    new = keys.public_key_in(chain_pem)
    if present is None or new == keys.public_key_in(present.fullchain):
        return None
    found = await _seen(run, certificate, present.fullchain, new)
    warn_of_certificates(found, emit)
    ours = frozenset[str]().union(*(run.dane.owners(reference) for reference in managed))
    held = [item for item in found if item.holds_key and item.owner not in ours]
    return refusal(f"{certificate.name} does not go live with its new key", held, _KEEP) if held else None


async def _seen_to(call: Deploy, managed: Sequence[str], run: Run) -> Sequence[BrokerError]:
    """What goes wrong with the TLSA records of a certificate whose client has said all by now.

    Another client tells of its end: then.
    """
    if not managed or not call.is_alone:
        return ()
    from dnsbroker.hooking.dane import bring

    try:
        return await bring(managed, run)
    except BrokerError as error:
        return (error,)


async def _is_held(certificate: CertificateConfig, lineage: Lineage, run: Run) -> BrokerError | None:
    """Why what is to be done with ``lineage`` has to wait: whoever uses it would serve what caches do not know."""
    managed = _managed_in(certificate.lineage, run) if certificate.lineage is not None else ()
    if not managed or not run.deploying.is_unfinished(certificate, lineage):
        return None
    from dnsbroker.hooking.dane import is_not_deployed, still_held

    return await still_held(managed, lineage.fullchain, run, *is_not_deployed(certificate.name))


async def _deployed(certificate: CertificateConfig, call: Deploy, run: Run) -> BrokerError | None:
    """Deploy what is there; what failed, or what it waits for."""
    emit = run.emit.bound(certificate=certificate.name)
    try:
        lineage = planned(run.store, run.deployments, certificate)
        held = await _is_held(certificate, lineage, run)
        if held is not None:
            return held
        try:
            has_work = await catch_up(run.deploying, certificate, lineage, emit)
            await run.deploying.finish()
        except BaseException:
            # What a post hook starts again is started again, also where the client is stopped.
            await uninterrupted(run.deploying.close(()))
            raise
        if call.is_new and has_work and certificate.tlsa_guard:
            await _look_after(run, certificate, lineage, emit)
    except BrokerError as error:
        return error
    return run.deploying.error(certificate.name)


async def _look_after(run: Run, certificate: CertificateConfig, lineage: Lineage, emit: Emitter) -> None:
    """Tell which services have TLSA records, but none for what is live by now; and keep that for ``status``."""
    found = await _seen(run, certificate, lineage.fullchain, keys.public_key_in(lineage.fullchain))
    services = coverage(found, lineage.fullchain)
    run.observations.observe(certificate.name, services)
    for endpoint, is_covered, told in services:
        if not is_covered:
            emit("warning", message=f"{endpoint}: {told}", hint=_LATE)


async def _seen(run: Run, certificate: CertificateConfig, present: str, new: bytes) -> tuple[Guarded, ...]:
    endpoints = [parse(text) for text in certificate.verify]
    return await run.guard.look(keys.describe(present).names, endpoints, present, new)


def _answered(error: BrokerError | None, name: str, call: Deploy, run: Run) -> Answer:
    """A failure that would end the client's whole run is told now, and once more at the end of its session.

    What only waits for its time is told now alone.
    """
    if error is None or call.is_heeded:
        return Answer(failures=(error,) if error is not None else (), changed=run.changed)
    told = _line(error)
    if isinstance(error, Held | KeyGuarded):
        return Answer(told=(told,), changed=run.changed)
    if not isinstance(error, DeployFailed):
        error = DeployFailed(error.message, certificate=name, steps=[], hint=error.hint)
    try:
        Sessions(run.journal, run.clock).failed(call.session, error)
    except StoreError as trouble:
        return Answer(told=(told, trouble.message), changed=run.changed)
    return Answer(told=(told,), changed=run.changed)


def _kept_in(directory: Path, config: Config) -> CertificateConfig | None:
    """The certificate whose lineage is ``directory``, by whatever path either is known."""
    real = os.path.realpath(directory)
    known = (item for item in config.certificates.values() if item.lineage is not None)
    return next((item for item in known if os.path.realpath(item.lineage or "") == real), None)


def _broken_in(directory: Path, config: Config) -> list[BrokenLineage]:
    """What is said of ``directory`` and cannot be used."""
    real = os.path.realpath(directory)
    return [one for one in config.broken_lineages if one.path is not None and os.path.realpath(one.path) == real]


def _unknown_to(directory: Path, config: Config) -> tuple[str, ...]:
    """That ``directory`` may be meant by what cannot be read, and is passed over; for people."""
    unknown = (one for one in config.broken_lineages if one.path is None)
    return tuple(f"{_line(one.error)}; {directory} is passed over, should that one be meant" for one in unknown)


def _line(error: BrokerError) -> str:
    return f"{error.message}; {error.hint}" if error.hint else error.message


def _coming(call: Admit) -> str:
    """The new chain, leaf first. Raises StoreError where it is damaged, or not for the certificate or key beside it."""
    with _named(call.fullchain):
        chain = keys.read_chain(_read(call.fullchain))
    with _named(call.cert):
        if keys.read_chain(_read(call.cert))[0] != chain[0]:
            raise PemInvalid("certificate", f"it is not the first one of {call.fullchain}")
    with _named(call.key):
        if os.path.lexists(call.key) and not keys.matches(_read(call.key), chain[0]):
            raise PemInvalid("private key", f"it is not that of {call.cert}")
    return "".join(chain)


def _read(path: Path) -> str:
    try:
        return read_text(path)
    except ConfigError as error:  # the client wrote it, not whoever configures us
        raise StoreError(error.message, path=error.path, hint=error.hint) from error


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Turn what is wrong with a key or certificate inside into a StoreError that names the file."""
    try:
        yield
    except PemInvalid as error:
        raise StoreError(f"{path}: {error.message}", path=str(path), hint=error.hint or _DAMAGED) from error


def _present(certificate: CertificateConfig, run: Run, emit: Emitter) -> Lineage | None:
    """What is live; None also where that is damaged, so that nothing better can be said of any key.

    Raises StoreError.
    """
    try:
        return run.store.load(certificate.name)
    except StoreError as error:
        if certificate.lineage is None or not is_damaged(certificate.lineage):
            raise
        emit("warning", message=error.message, hint=error.hint)
        return None

"""TLSA records for what other clients keep: brought up to date after each of their runs, and asked before one.

Rule: a key that another client has laid out is used up by its next run, whatever becomes of that; so a run that would
use one which caches may not know of yet does not begin. No key, no link and no file of the client's is touched.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from dnsbroker.config import Config
from dnsbroker.dane import Brought
from dnsbroker.errors import BrokerError, Held, KeyGuarded
from dnsbroker.hooking import Answer
from dnsbroker.hooking.calls import Ended, Home, Started, Stumbled
from dnsbroker.importing.dehydrated import Renewing, renewing
from dnsbroker.lineages import next_public_keys, read
from dnsbroker.names import shown
from dnsbroker.rolling import Gate, Site, for_key
from dnsbroker.run import Run
from dnsbroker.tlsa.computing import Presented
from dnsbroker.tlsa.records import Subject as Named

#: Stands for a key that nobody has yet.
_FRESH = b"a key that is made in the run itself"
_KEEP = (
    'PRIVATE_KEY_RENEW="no" renews with the present key, for this certificate alone where it stands in its own config'
)
_ROLL_OVER = f'PRIVATE_KEY_ROLLOVER="yes" has each key laid out and published beforehand; {_KEEP}'
_AGAIN = "nothing is to be done: dehydrated orders again in a later run, with the key that it has laid out by then"


async def see_to(call: Started | Stumbled | Ended, run: Run, answer: Answer) -> Answer:
    """``answer`` with what comes of the TLSA records of what the client keeps.

    Before a run each failure says why it is not to begin; while it may go on, nothing is a failure for the client.
    """
    failures: Sequence[BrokerError]
    try:
        if call.home is None:
            return answer
        kept = [reference for reference, _ in _kept_at(call.home, run)]
        failures = await _refusals(call.home, run) if isinstance(call, Started) else await bring(kept, run)
    except BrokerError as error:
        failures = (error,)
    answer = replace(answer, changed=answer.changed or run.changed)
    if isinstance(call, Stumbled):
        return replace(answer, told=(*answer.told, *map(_line, failures)))
    return replace(answer, failures=(*answer.failures, *failures))


def managed_in(directory: Path, run: Run) -> tuple[str, ...]:
    """What ``[[dane]]`` tables call the certificate that another client keeps in ``directory``, by whatever path."""
    real = os.path.realpath(directory)
    return tuple(reference for reference, path in _kept(run) if str(path) == real)


async def bring(references: Sequence[str], run: Run) -> Sequence[BrokerError]:
    """Publish for ``references`` what is missing, take away what is over; what failed. Objections are told."""
    return tuple(one.error for one in await _brought(references, run) if one.error is not None)


async def _brought(references: Sequence[str], run: Run) -> Sequence[Brought]:
    if not references:
        return ()  # to name none would mean all
    brought = await run.dane.bring(references)
    for one in brought:
        for told in one.objections:
            run.emit("warning", message=f"{shown(one.reference)}: {told}")
    return brought


async def still_held(
    references: Sequence[str], chain_pem: str, run: Run, words: str, hint: str, *, is_pressing: bool = False
) -> Held | None:
    """Why ``chain_pem``, leaf first, may not be served yet; what is missing for it is published then.

    ``words`` say what does not happen, ``hint`` what to do. None where it may; ``is_pressing``, what is live ending
    soon: also where its key alone is covered, which is told. Raises BrokerError.
    """
    closed = await _closed(references, chain_pem, run)
    if closed is None:
        return None
    for trouble in await bring(references, run):
        run.emit("warning", message=trouble.message, hint=trouble.hint)
    closed = await _closed(references, chain_pem, run)  # from now on it may be a matter of time
    if closed is None:
        return None
    if is_pressing and await _closed(references, chain_pem, run, is_pressing=True) is None:
        told = f"{shown(closed[0])} goes live although {closed[1].reason}: what is live ends soon"
        run.emit("warning", message=told, hint="clients that follow RFC 7671 are content with its key")
        return None
    return _held(words, *closed, hint)


async def _closed(
    references: Sequence[str], chain_pem: str, run: Run, *, is_pressing: bool = False
) -> tuple[str, Gate] | None:
    for reference in references:
        gate = await run.dane.chain_gate(reference, chain_pem, is_pressing=is_pressing)
        if not gate.is_open:
            return reference, gate
    return None


def does_not_go_live(name: str) -> tuple[str, str]:
    """The words and the hint for a certificate of dehydrated's that is issued, and not taken."""
    return f"{shown(name)} does not go live with its new certificate", _AGAIN


def is_not_deployed(name: str) -> tuple[str, str]:
    """The words and the hint for a certificate that is there, and not brought to its users."""
    told = "nothing is to be done: `dnsbroker renew` and later calls deploy it; --reuse-key lets certbot keep its key"
    return f"{shown(name)} is not deployed", told


# -- before a run --


async def _refusals(home: Home, run: Run) -> Sequence[BrokerError]:
    """Why no run may begin now: for each certificate that it would renew, the key which is not covered yet."""
    due = dict(_due_at(home, run))
    found = (_refusal(one, *due[one.reference], run) for one in await _brought(tuple(due), run))
    return [error for error in found if error is not None]


def _due_at(home: Home, run: Run) -> Iterator[tuple[str, tuple[Path, Renewing]]]:
    """Each certificate at ``home`` that its client is about to renew with another key. Raises ConfigError."""
    for reference, directory in _kept_at(home, run):
        settings = renewing(home.base, home.configuration, directory)
        if settings.takes_new_key and _is_due(directory, settings, run):
            yield reference, (directory, settings)


def _is_due(directory: Path, settings: Renewing, run: Run) -> bool:
    """Whether it is about to be renewed; of what cannot be read nobody knows which key is served."""
    try:
        found = read(directory)
    except BrokerError as error:
        run.emit("warning", message=error.message, hint=error.hint)
        return False
    if found is None:
        return False
    is_old = found.leaf.not_after - run.clock.now() < timedelta(days=settings.days)
    return is_old or bool(settings.names and settings.names != set(found.leaf.names))


def _refusal(brought: Brought, directory: Path, settings: Renewing, run: Run) -> BrokerError | None:
    """Why the run is not to begin for this one's sake; None where it may."""
    words = f"dehydrated does not begin: {shown(brought.reference)} is due"
    situation = brought.situation
    if situation is None:
        cause, hint = (brought.error.message, brought.error.hint) if brought.error else ("it was not looked at", "")
        return BrokerError(f"{words}, and whether its next key is published cannot be told: {cause}", hint=hint)
    now = run.clock.now().timestamp()
    if not settings.rolls_over:
        told = f"{words}, and a key made in that run would be one that no TLSA record names"
        is_open = _gate(_FRESH, situation.sites, now).is_open
        return None if is_open else KeyGuarded(told, names=[site.owner for site in situation.sites], hint=_ROLL_OVER)
    try:
        laid_out = next_public_keys(directory)
    except BrokerError as error:
        run.emit("warning", message=error.message, hint=error.hint)  # what comes of it does not go live uncovered
        return None
    gates = [_gate(key, situation.sites, now) for key in laid_out]
    late = [gate for gate in gates if not gate.is_open]
    if not late:
        return None
    latest = max(late, key=lambda gate: (gate.opens_at is None, gate.opens_at or 0.0))
    return _held(f"{words}, and would use up a key that caches may not know yet", brought.reference, latest, _KEEP)


def _gate(public_key: bytes, sites: Sequence[Site], now: float) -> Gate:
    """May a certificate for that key be ordered? Where no cache has a record, clients take any."""
    bound = [site for site in sites if any(view.records for view in site.memory.possible(now, site.min_wait))]
    return for_key(Presented(Named(b"", public_key)), bound, now)


# -- words, and whose is what --


def _held(words: str, reference: str, gate: Gate, hint: str) -> Held:
    until = None if gate.opens_at is None else datetime.fromtimestamp(gate.opens_at, UTC)
    return Held(f"{words}: {gate.reason}", name=reference, until=until, hint=hint)


def _line(error: BrokerError) -> str:
    return f"{error.message}; {error.hint}" if error.hint else error.message


def _kept_at(home: Home, run: Run) -> list[tuple[str, Path]]:
    """What is managed of that which a client keeps at ``home``: what it is called, and its directory."""
    real = os.path.realpath(home.certificates)
    return [(reference, path) for reference, path in _kept(run) if str(path.parent) == real]


def _kept(run: Run) -> Iterator[tuple[str, Path]]:
    """What is managed and kept by another client, with its real directory."""
    for reference in dict.fromkeys(one for table in run.config.dane for one in table.certificate):
        directory = _directory(reference, run.config)
        if directory is not None and run.dane.manages(reference):
            yield reference, Path(os.path.realpath(directory))


def _directory(reference: str, config: Config) -> Path | None:
    if reference.startswith("/"):
        return Path(reference)
    certificate = config.certificates.get(reference)
    return certificate.lineage if certificate is not None else None

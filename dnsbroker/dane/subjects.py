"""Whose keys TLSA records name: certificates of ours, of other clients, or in PEM files, read in one way.

Reading only, but for the next key of a certificate of ours, which is made here. What cannot be read is said of it, and
nothing is guessed.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from dnsbroker import keys
from dnsbroker.clock import pause as paused
from dnsbroker.config import Config
from dnsbroker.errors import BrokerError, ConfigError, PemInvalid
from dnsbroker.lineages import client_of, next_public_keys, ordered_public_key, read, refused_chain
from dnsbroker.lineages.reading import Pause
from dnsbroker.lineages.tree import read_text
from dnsbroker.store import HeldBack, NextKey, Store
from dnsbroker.store.lineage import serial_text
from dnsbroker.tlsa.computing import Presented, of_chain, of_key
from dnsbroker.tlsa.records import Subject as Named


@dataclass(frozen=True)
class Subject:
    """What one ``certificate = …`` of a ``[[dane]]`` table stands for.

    Attributes:
        reference: the certificate's name, or a path: as the configuration has it, canonical.
        live: what is live; None where nothing is, or it cannot be read.
        live_until: the end of its life, seconds since the epoch; 0.0 where nothing is live.
        live_pem: the live chain, leaf first.
        serial: its serial number as everywhere.
        next: the keys that come next (Presented without authorities): ours, or those another client has laid out. Last,
            where a chain of another CA was kept from going live there: the live key with that one's authorities.
        held: a chain that is issued, and not live.
        held_pem: the same in PEM, leaf first.
        is_ours: whether it is ordered here for keys that are made here; not so where somebody brought a request.
        client: which client obtains it otherwise; empty for a PEM file.
        trouble: why it, or its next key, cannot be read; what could be is there all the same.
    """

    reference: str
    live: Presented | None = None
    live_until: float = 0.0
    live_pem: str = field(default="", repr=False)
    serial: str = ""
    next: tuple[Presented, ...] = ()
    held: Presented | None = None
    held_pem: str = field(default="", repr=False)
    is_ours: bool = True
    client: str = ""
    trouble: BrokerError | None = None


class Subjects:
    """The subjects of a configuration; ``store`` knows the certificates of other clients by their names too."""

    def __init__(self, config: Config, store: Store, pause: Pause = paused) -> None:
        self._config = config
        self._store = store
        self._pause = pause

    def references(self) -> tuple[str, ...]:
        """Every reference in a ``[[dane]]`` table, once, in their order."""
        return tuple(dict.fromkeys(each for table in self._config.dane for each in table.certificate))

    def read(self, reference: str) -> Subject:
        """What ``reference`` stands for now. Nothing is raised for what cannot be read: see ``trouble``."""
        broken = next((each for each in self._config.broken_lineages if each.name == reference), None)
        if broken is not None and broken.path is None:
            return Subject(reference, is_ours=False, trouble=broken.error)
        place = self._elsewhere(reference)
        if place is None:
            return self._ours(reference)
        return self._of_client(reference, place) if _is_directory(reference, place) else _of_file(reference, place)

    def stage(self, reference: str, key_type: str, now: float) -> Presented:
        """Make the key of ``key_type`` that certificate ``reference``, one of ours, has next, and keep it; or find it.

        ``now`` is in seconds since the epoch. A key that ``read`` does not count is replaced. Raises StoreError.
        """
        stale = None if self._ours(reference).next else self._store.next_key(reference)
        made = NextKey(keys.generate(key_type), datetime.fromtimestamp(now, UTC))
        return of_key(self._store.stage(reference, made, instead_of=stale).key_pem)

    def of_lineage(self, directory: str) -> tuple[str, ...]:
        """The references that mean what another client keeps in ``directory``, by whatever path either is known.

        A PEM file in there is meant too.
        """
        wanted = os.path.realpath(directory)
        return tuple(each for each in self.references() if wanted in self._directories(each))

    def _directories(self, reference: str) -> tuple[str, ...]:
        place = self._elsewhere(reference)
        return () if place is None else (os.path.realpath(place), os.path.realpath(place.parent))

    def _elsewhere(self, reference: str) -> Path | None:
        """Where another than we keeps it; None for a certificate of ours."""
        if "/" in reference:  # which no name holds
            return Path(reference)
        certificate = self._config.certificates.get(reference)
        if certificate is not None:
            return certificate.lineage
        return next((each.path for each in self._config.broken_lineages if each.name == reference), None)

    def _ours(self, name: str) -> Subject:
        """``pending`` before what is live, so that what another process puts live meanwhile is seen once at least."""
        found, live_key = Subject(name), b""
        held, key, unread = self._pending(name)
        try:
            lineage = self._store.load(name)
            if lineage is not None:
                found = replace(_live(found, lineage.fullchain), is_ours=lineage.request is None)
                live_key = keys.public_key_in(lineage.fullchain)
        except BrokerError as error:
            unread = error
        try:
            return replace(self._with_pending(found, live_key, held, key), trouble=unread)
        except BrokerError as error:
            return replace(found, trouble=unread or error)

    def _pending(self, name: str) -> tuple[HeldBack | None, NextKey | None, BrokerError | None]:
        """What stands in ``pending``; nothing where it cannot be read, and why."""
        try:
            return self._store.held_back(name), self._store.next_key(name), None
        except BrokerError as error:
            return None, None, error

    def _with_pending(self, subject: Subject, live_key: bytes, held: HeldBack | None, key: NextKey | None) -> Subject:
        """With what stood in ``pending``; what a run that died after its going live left there counts no more."""
        if held is not None and serial_text(keys.describe(held.chain_pem)) != subject.serial:
            subject = replace(subject, held=of_chain(held.chain_pem), held_pem=held.chain_pem)
        if key is None or not self._is_wanted(subject.reference, key):
            return subject
        coming = of_key(key.key_pem)
        return subject if coming.leaf.public_key == live_key else replace(subject, next=(coming,))

    def _is_wanted(self, name: str, key: NextKey) -> bool:
        """Whether it is of the type that is configured now."""
        certificate = self._config.certificates.get(name)
        return certificate is None or keys.key_type_of(key.key_pem) == certificate.key_type

    def _of_client(self, reference: str, place: Path) -> Subject:
        subject = Subject(reference, is_ours=False, client="the client")
        before: tuple[bytes, ...] = ()
        with suppress(BrokerError):  # of which the second look tells
            before = _coming(place)
        try:
            found = read(place, self._pause)
            if found is None:
                return replace(subject, client=client_of(place))
            subject = _live(replace(subject, client=found.client), found.fullchain)
            # A key that goes live while its files are looked at is seen before or after.
            keys_to_come = dict.fromkeys(key for key in (*_coming(place), *before) if key != found.public_key)
            coming = tuple(Presented(Named(b"", key)) for key in keys_to_come)
            return replace(subject, next=(*coming, *_under_another(subject, refused_chain(place))))
        except BrokerError as error:
            return replace(subject, trouble=error)


def _coming(place: Path) -> tuple[bytes, ...]:
    """The public keys that may be served next from ``place``: laid out there, or being ordered for. Raises as ``read``.

    Whether an order has failed cannot be told from the files: its key is among them until there is another.
    """
    ordered = ordered_public_key(place)
    return (*next_public_keys(place), *([ordered] if ordered else []))


def _under_another(subject: Subject, refused: str) -> tuple[Presented, ...]:
    """The live key under the authorities of a chain that was ``refused``: one from there is to be taken next time.

    The key of that chain is used up.
    """
    authorities = of_chain(refused).authorities if refused else ()
    if subject.live is None or not authorities or authorities == subject.live.authorities:
        return ()
    return (replace(subject.live, authorities=authorities),)


def _is_directory(reference: str, place: Path) -> bool:
    """Whether a client keeps a certificate in ``place``, or will: a lineage of the configuration is nothing else."""
    return reference != str(place) or os.path.isdir(place)


def _of_file(reference: str, place: Path) -> Subject:
    subject = Subject(reference, is_ours=False)
    try:
        return _live(subject, _text(place))
    except PemInvalid as error:
        told = ConfigError(
            error.message, path=reference, hint=error.hint or "it should hold a chain in PEM, leaf first"
        )
        return replace(subject, trouble=told)
    except BrokerError as error:
        return replace(subject, trouble=error)


def _text(place: Path) -> str:
    """The text of a file that a person named; what is none is not waited for. Raises ConfigError."""
    if os.path.exists(place) and not os.path.isfile(place):
        raise ConfigError("is no file", path=str(place), hint=f"ls -l {place} shows what it is")
    return read_text(place)


def _live(subject: Subject, pem: str) -> Subject:
    """With the chain in ``pem`` as what is live. Raises PemInvalid."""
    chain = "".join(keys.read_chain(pem))
    leaf = keys.describe(chain)
    return replace(
        subject,
        live=of_chain(chain),
        live_until=leaf.not_after.timestamp(),
        live_pem=chain,
        serial=serial_text(leaf),
    )

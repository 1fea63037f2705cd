"""What a certificate has for itself: the places to which it is copied, and the directory where another client has it.

Rule: what belongs to a client is written to by nobody here, whichever certificate's it is. Which directories those are
is told by their names alone, for nothing need be in them yet.
"""

from __future__ import annotations

import os
from pathlib import Path

from dnsbroker.config.certificate import CertificateConfig
from dnsbroker.settings import Rejected


class Claims:
    """What is taken already, by the certificates' names; ``state_dir`` is nobody's but the program's own."""

    def __init__(self, state_dir: Path) -> None:
        self._state_dir = state_dir
        self._places: dict[Path, str] = {}
        self._lineages: dict[Path, str] = {}
        self._clients: set[Path] = set()

    def take_lineage(self, certificate: CertificateConfig) -> None:
        """Another client's directory is for one certificate. Raises Rejected where it is taken, or our own."""
        if certificate.lineage is None:
            return
        real = Path(os.path.realpath(certificate.lineage))
        if real.is_relative_to(os.path.realpath(self._state_dir)):
            hint = "lineage is for other clients' certificates; take it out, and dnsbroker orders this one"
            raise Rejected(f"{certificate.lineage} is inside state_dir", key="lineage", hint=hint)
        if other := self._lineages.get(real):
            hint = f"add what is to be done to the table of {other}, and take this one out"
            raise Rejected(f"{certificate.lineage} belongs to {other} already", key="lineage", hint=hint)
        self._lineages[real] = certificate.name
        self.leave(certificate.lineage)

    def leave(self, lineage: Path) -> None:
        """Let nobody be copied to what belongs to the client that keeps a certificate in ``lineage``."""
        self._clients.update(_client_s(Path(os.path.realpath(lineage))))

    def take_places(self, certificate: CertificateConfig) -> None:
        """Each place has the files of one certificate. Raises Rejected where one is taken, the program's or a client's.

        What is not ours is to be known by then.
        """
        own: dict[Path, str] = {}
        for place in (place for copy in certificate.copies for place in copy.places):
            self._check(place, certificate.name)
            if other := self._places.get(place) or own.get(place):
                hint = "give each copy a place of its own: in one, they would replace each other in every run"
                raise Rejected(f"{place} is where {other} is copied to already", key="copies", hint=hint)
            own[place] = certificate.name
        self._places.update(own)

    def _check(self, place: Path, name: str) -> None:
        real = Path(os.path.realpath(place))
        if real.is_relative_to(os.path.realpath(self._state_dir)):
            hint = f"choose a place elsewhere, or let the program read {self._state_dir / 'live' / name} itself"
            told = f"{place} is inside state_dir, where everything is dnsbroker's own"
            raise Rejected(told, key="copies", hint=hint)
        client = next((directory for directory in self._clients if real.is_relative_to(directory)), None)
        if client is not None:
            hint = "choose a place elsewhere: nothing of another client's is ever written to"
            raise Rejected(f"{place} is inside {client}, which belongs to another client", key="copies", hint=hint)


def _client_s(lineage: Path) -> tuple[Path, ...]:
    """The directories of the client that keeps a certificate in ``lineage``, a real path.

    Below ``live`` that is certbot, whose links lead from there to elsewhere in its own; uacme has keys beside.
    """
    if lineage.parent.name == "live" and lineage.parent.parent.name:
        return (lineage.parent.parent,)
    return (lineage, lineage.parent / "private" / lineage.name)

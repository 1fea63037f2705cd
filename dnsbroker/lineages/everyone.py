"""Our own certificates and those of other clients in one: what is configured with ``lineage`` is read where it is.

Rule: such a certificate is looked at, and nothing of it is ever written, moved or deleted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dnsbroker.clock import pause as paused
from dnsbroker.config import CertificateConfig
from dnsbroker.errors import ConfigError, StoreError
from dnsbroker.lineages.reading import Pause, Reading, read
from dnsbroker.store import Access, Lineage, Store
from dnsbroker.store.archive import contents


@dataclass(frozen=True)
class ClientLineage(Lineage):
    """A certificate that ``client`` obtained, in the directory ``path``, as it is configured, which is ``archive``.

    Its key is that of the moment at which all was read; ``trouble`` says why there is none where there should be one.
    """

    client: str = ""
    key_pem: str = field(default="", repr=False)
    trouble: StoreError | None = field(default=None, compare=False)

    @property
    def has_key(self) -> bool:
        """Whether its private key is to be here."""
        return bool(self.key_pem or self.trouble)

    @property
    def request(self) -> None:
        """Nobody brought us one."""

    @property
    def private_key(self) -> str:
        """As PEM, in whatever form the client wrote it. Raises StoreError where it is damaged, or not here."""
        if self.trouble is not None:
            raise self.trouble
        if not self.key_pem:
            told = f"{self.name}: {self.client} has no private key in {self.path}"
            raise StoreError(told, path=str(self.path), hint="it is where its request was made")
        return self.key_pem

    def file(self, name: str) -> bytes:
        """The content of one of FILES, as ours would have it. Raises StoreError."""
        text = contents(self.private_key if self.has_key else None, self.fullchain)[name]
        return text.encode() if isinstance(text, str) else text


class Lineages(Store):
    """A store whose certificates are also those that ``certificates`` say another client keeps."""

    def __init__(self, state_dir: Path, certificates: Mapping[str, CertificateConfig], pause: Pause = paused) -> None:
        super().__init__(state_dir)
        self._elsewhere = {name: one.lineage.absolute() for name, one in certificates.items() if one.lineage}
        self._pause = pause

    def names(self) -> tuple[str, ...]:
        """The certificate names that have a lineage, sorted. Raises StoreError."""
        there = {name for name, path in self._elsewhere.items() if path.is_dir()}
        return tuple(sorted({*super().names(), *there}))

    def load(self, name: str) -> Lineage | None:
        """As ``Store.load``; of another client's, a key that does not fit is no damage yet, but its ``trouble``."""
        path = self._elsewhere.get(name)
        return super().load(name) if path is None else _lineage(name, path, self._pause)

    def load_whole(self, name: str) -> Lineage | None:
        """As ``Store.load_whole``: whoever serves it will need its key."""
        lineage = self.load(name) if name in self._elsewhere else super().load_whole(name)
        if isinstance(lineage, ClientLineage) and lineage.trouble is not None:
            raise lineage.trouble
        return lineage

    def conform(self, name: str, access: Access) -> bool:
        """As ``Store.conform``; another client's files are left to it."""
        return name not in self._elsewhere and super().conform(name, access)


def _lineage(name: str, path: Path, pause: Pause) -> ClientLineage | None:
    try:
        found = read(path, pause)
    except ConfigError as error:  # told as what is wrong with a certificate, not with the configuration
        raise StoreError(error.message, path=error.path, hint=error.hint) from error
    return None if found is None else client_lineage(name, path, found)


def client_lineage(name: str, path: Path, found: Reading) -> ClientLineage:
    """The lineage ``name`` of what was read in the directory ``path``."""
    trouble = None
    if found.trouble:
        told = found.trouble if str(found.key) in found.trouble else f"{found.key}: {found.trouble}"
        trouble = StoreError(told, path=str(found.key), hint=found.hint)
    return ClientLineage(
        name, path, found.directory, found.fullchain, found.leaf, None, found.client, found.key_pem, trouble
    )

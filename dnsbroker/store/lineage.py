"""One certificate as it stands below ``live/``: read through one look at its inner link, so that it is of one piece.

Reading only. A damaged lineage is an error that says what is wrong with it, never half a lineage.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from dnsbroker import keys
from dnsbroker.errors import PemInvalid, StoreError
from dnsbroker.store.archive import CURRENT, FILES, REQUEST, SECRET_FILES
from dnsbroker.store.disk import explained

if TYPE_CHECKING:
    from dnsbroker.keys import Leaf

_BROKEN = "restore its archive from a copy, or get a new one with `dnsbroker issue {name} --force`"


@dataclass(frozen=True)
class Provenance:
    """What a certificate does not say itself: the CA's ``directory`` (URL), and when its key was made (aware, UTC).

    And what was asked for: by which ``account`` (its name in the configuration), by which ``profile`` (empty for none),
    and by which ``preferred_chain`` (an issuer's name, empty for the CA's default). ``order`` is the URL of the order
    that led to it, empty where that is not known.
    """

    directory: str
    key_created: datetime
    account: str = "default"
    profile: str = ""
    preferred_chain: str = ""
    order: str = ""


@dataclass(frozen=True)
class Lineage:
    """A live certificate: ``path`` is ``live/NAME``, ``archive`` the directory that it led to when this was read.

    ``provenance`` is None for a certificate that this store was given without.
    """

    name: str
    path: Path
    archive: Path
    fullchain: str = field(repr=False)
    leaf: Leaf
    provenance: Provenance | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The names in the certificate, in its own order."""
        return self.leaf.names

    @property
    def not_after(self) -> datetime:
        """The end of its life, aware, in UTC."""
        return self.leaf.not_after

    @property
    def serial(self) -> str:
        """Its serial number in lower-case hex."""
        return serial_text(self.leaf)

    @property
    def has_key(self) -> bool:
        """Whether its private key is here; not so for one whose request somebody else made."""
        return os.path.lexists(self.archive / "privkey.pem") or self.request is None

    @property
    def request(self) -> bytes | None:
        """The request (DER) that somebody brought for it; None where we made one of our own. Raises StoreError."""
        path = self.archive / REQUEST
        with explained(path):
            return path.read_bytes() if path.exists() else None

    def file(self, name: str) -> bytes:
        """The content of one of FILES. Raises StoreError."""
        path = self.archive / name
        with explained(path):
            return path.read_bytes()

    @property
    def private_key(self) -> str:
        """The private key of just this certificate, as PEM; read when asked for.

        Raises StoreError where it is damaged, or not here.
        """
        path = self.archive / "privkey.pem"
        if not self.has_key:
            hint = "it is where the request was made; to have it here, issue the certificate without --csr"
            raise StoreError(f"{self.name}: its private key was never here", path=str(path), hint=hint)
        key = _read(path)
        try:
            fits = keys.matches(key, self.fullchain)
        except PemInvalid as error:
            raise _broken(self.name, path, error.message) from error
        if not fits:
            raise _broken(self.name, path, "it is not the key of the certificate beside it")
        return key


def serial_text(leaf: Leaf) -> str:
    """The serial number as ``archive/NAME/SERIAL`` and every report write it."""
    return format(leaf.serial, "x")


def read_lineage(path: Path, provenances: Path) -> Lineage | None:
    """The lineage of the directory ``path`` (``live/NAME``); None where none ever went live there.

    ``provenances`` is the file that ``read_provenances`` reads. Raises StoreError where the certificate's files are
    damaged, missing or unreadable.
    """
    inner = path / CURRENT
    with explained(inner):
        if not inner.is_symlink():
            return None
        archive = Path(os.path.realpath(inner))
        if not archive.is_dir():
            raise _broken(path.name, inner, f"it leads to {archive}, which is no directory")
    return read_archive(path, archive, provenances)


def read_archive(path: Path, archive: Path, provenances: Path) -> Lineage:
    """The lineage of ``path`` as ``archive`` holds it. Raises StoreError."""
    fullchain = _read(archive / "fullchain.pem")
    try:
        leaf = keys.describe(fullchain)
    except PemInvalid as error:
        raise _broken(path.name, archive / "fullchain.pem", error.message) from error
    provenance = read_provenances(provenances).get(serial_text(leaf))
    return Lineage(path.name, path, archive, fullchain, leaf, provenance)


def check_files(lineage: Lineage) -> None:
    """Raise StoreError where a file of ``lineage`` is missing; what is in them is not looked at."""
    for file in FILES:
        path = lineage.archive / file
        if (lineage.has_key or file not in SECRET_FILES) and not path.exists():
            raise _broken(lineage.name, path, "it is missing")


def read_provenances(path: Path) -> dict[str, Provenance]:
    """The provenance of each serial number in the file ``path``; nothing is known where it is missing or damaged."""
    try:
        return {serial: _provenance(facts) for serial, facts in json.loads(path.read_bytes()).items()}
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}  # written whole, so somebody's hand was in it; the certificates themselves are not in doubt


def _provenance(facts: Mapping[str, str]) -> Provenance:
    """One as it was written, also by a version that knew less."""
    return Provenance(
        facts["directory"],
        datetime.fromisoformat(facts["key_created"]),
        account=facts.get("account", "default"),
        profile=facts.get("profile", ""),
        preferred_chain=facts.get("preferred_chain", ""),
        order=facts.get("order", ""),
    )


def provenances_text(provenances: dict[str, Provenance]) -> str:
    """What ``read_provenances`` reads back."""
    facts = {serial: {**asdict(one), "key_created": one.key_created.isoformat()} for serial, one in provenances.items()}
    return json.dumps(facts, indent=2) + "\n"


def _read(path: Path) -> str:
    with explained(path):
        return path.read_bytes().decode("utf-8", "replace")


def _broken(name: str, path: Path, reason: str) -> StoreError:
    return StoreError(f"{path}: {reason}", path=str(path), hint=_BROKEN.format(name=name))

"""The directory ``state_dir`` as one object: certificates, accounts, remembered names.

Its rule: a certificate is complete on disk before the one rename that makes it live, and nothing else makes it so.
What a killed run left half-made is passed over by readers and swept by the next save.
"""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path

from dnsbroker import keys
from dnsbroker.errors import ConfigError, NameInvalid, StoreError
from dnsbroker.store import archive, disk, staged
from dnsbroker.store.access import Access
from dnsbroker.store.accounts import AccountFiles
from dnsbroker.store.deleted import prune, put_aside
from dnsbroker.store.disk import explained, locked
from dnsbroker.store.lineage import (
    Lineage,
    Provenance,
    check_files,
    provenances_text,
    read_archive,
    read_lineage,
    read_provenances,
    serial_text,
)
from dnsbroker.store.pending import Pending, read_pending, remove_pending, write_pending
from dnsbroker.store.staged import HeldBack, NextKey

#: A file system's limit in octets, less what is put around a name while its file is written.
_LONGEST_NAME = 240


class Store:
    """What stands below one ``state_dir``. Several, in several processes, may share it."""

    def __init__(self, state_dir: Path) -> None:
        self.state_dir = state_dir.absolute()

    def prepare(self) -> None:
        """Make ``state_dir``, so that others can reach in it what is theirs. Raises StoreError."""
        disk.make_state_directory(self.state_dir)

    def names(self) -> tuple[str, ...]:
        """The certificate names that have a lineage, sorted. Raises StoreError."""
        live = self.state_dir / "live"
        with explained(live):
            if not live.is_dir():
                return ()
            return tuple(sorted(path.name for path in live.iterdir() if (path / archive.CURRENT).is_symlink()))

    def load(self, name: str) -> Lineage | None:
        """The live certificate ``name``; None where there never was one. Raises StoreError where it is damaged."""
        return read_lineage(self._path("live", name), self._provenances(name))

    def load_whole(self, name: str) -> Lineage | None:
        """As ``load``, but one of which a file is missing counts as damaged too: who serves it will need that one."""
        lineage = self.load(name)
        if lineage is not None:
            check_files(lineage)
        return lineage

    def save(
        self,
        name: str,
        key_pem: str | None,
        chain_pem: str,
        access: Access,
        provenance: Provenance,
        request: bytes | None = None,
    ) -> Lineage:
        """Store a key and its chain (leaf first) and make them live together; nothing changes where they are.

        Where the key is somewhere else, None, the ``request`` (DER) that it signed is kept instead. Older certificates
        than anybody needs are removed from the archive.

        Raises PemInvalid for a chain that is none or a key that is not its leaf's, ConfigError for an owner or group
        that this host does not know, both before anything is written; StoreError where the disk says no. After any
        error, what was live before is live.
        """
        texts = archive.contents(key_pem, chain_pem, request)
        serial = serial_text(keys.describe(chain_pem))
        uid, gid = access.numbers()
        live, directory = self._path("live", name), self._path("archive", name)
        with explained(directory):
            self._open_way(live, access)
            self._open_way(directory, access)
            with locked(directory):
                before = archive.live_serial(live)
                if before != serial:
                    self._record(name, serial, provenance)
                    archive.fill(directory / serial, texts, access.mode, uid, gid)
                    archive.make_live(live, serial)
                    archive.prune(directory, serial, before)
                return read_archive(live, directory / serial, self._provenances(name))

    def conform(self, name: str, access: Access) -> bool:
        """Whether owner, group or mode of the live key's files were not what ``access`` says; they are now.

        Raises ConfigError for an owner or group that this host does not know, StoreError where the disk says no.
        """
        uid, gid = access.numbers()
        live, directory = self._path("live", name), self._path("archive", name)
        with explained(live):
            if not (live / archive.CURRENT).is_symlink():
                return False
            with locked(directory):
                held = directory / archive.live_serial(live)
                for way in (live, directory, held):
                    self._open_way(way, access)
                secret = [held / file for file in archive.SECRET_FILES if (held / file).exists()]
                return any([disk.conform(path, access.mode, uid, gid) for path in secret])

    def check(self, access: Access) -> None:
        """Find out, before a certificate is ordered, whether it could be stored so. Raises ConfigError, StoreError."""
        with explained(self.state_dir):
            access.probe(self.state_dir)

    def remember(self, name: str, toml_text: str | None) -> None:
        """Keep what would stand in ``[certificates.NAME]`` for a certificate in no configuration file; None: forget it.

        The configuration reads it from ``certificates/NAME.toml``. Raises StoreError.
        """
        directory = self._private("certificates")
        path = directory / f"{_checked(name)}.toml"
        with explained(path), locked(directory):
            if toml_text is None:
                path.unlink(missing_ok=True)
            else:
                disk.replace(path, toml_text)

    def remembered(self, name: str) -> str | None:
        """What ``remember`` keeps for ``name``; None where nothing is. Raises StoreError."""
        path = self.state_dir / "certificates" / f"{_checked(name)}.toml"
        with explained(path):
            return path.read_text() if path.exists() else None

    def account(self, name: str) -> AccountFiles:
        """The CA account ``name``, which need not be there yet. Raises NameInvalid."""
        return AccountFiles(self._path("accounts", name))

    def pending(self, name: str) -> Pending | None:
        """The order for certificate ``name`` that a run before this one left open. Raises StoreError."""
        return read_pending(self._path("pending", name))

    def keep_pending(self, name: str, pending: Pending) -> None:
        """Keep an order and its key, so that the next run can go on with it. Raises StoreError."""
        self._private("pending", name)
        write_pending(self._path("pending", name), pending)

    def drop_pending(self, name: str) -> None:
        """Forget the order that ``keep_pending`` kept. Raises StoreError."""
        remove_pending(self._path("pending", name))

    def next_key(self, name: str) -> NextKey | None:
        """The key that comes next for certificate ``name``; None where none is made. Raises StoreError."""
        return staged.read_next_key(self._path("pending", name))

    def keep_next_key(self, name: str, key: NextKey) -> None:
        """Keep ``key`` until it is used, instead of any other. Raises StoreError."""
        home = self._staging(name)
        with explained(home), locked(home):
            staged.write_next_key(home, key)

    def stage(self, name: str, key: NextKey, *, instead_of: NextKey | None = None) -> NextKey:
        """Keep ``key`` as the next one unless there is another than ``instead_of``; that which is kept then.

        Of several processes that stage at once, all get the same one. Raises StoreError.
        """
        home = self._staging(name)
        with explained(home), locked(home):
            found = staged.read_next_key(home)
            if found is None or found == instead_of:
                staged.write_next_key(home, key)
                return key
            return found

    def drop_next_key(self, name: str) -> None:
        """Forget the next key. Raises StoreError."""
        staged.remove_next_key(self._path("pending", name))

    def held_back(self, name: str) -> HeldBack | None:
        """The certificate that waits until it may be served; None where none does. Raises StoreError."""
        return staged.read_held_back(self._path("pending", name))

    def hold_back(self, name: str, held: HeldBack) -> None:
        """Keep an issued certificate, instead of any other, until it may be served. Raises PemInvalid, StoreError."""
        staged.write_held_back(self._staging(name), held)

    def drop_held_back(self, name: str) -> None:
        """Forget it: it is live, or never will be. Raises StoreError."""
        staged.remove_held_back(self._path("pending", name))

    def live_before(self, name: str) -> str:
        """The serial number of what was live before what is so now; empty where nobody knows. Raises StoreError."""
        with explained(self._path("live", name)):
            live = archive.live_serial(self._path("live", name))
        known = list(read_provenances(self._provenances(name)))
        earlier = known[: known.index(live)] if live in known else []
        return earlier[-1] if earlier else ""

    def go_back(self, name: str, serial: str) -> Lineage:
        """Make the certificate with ``serial`` live again that was so before, all its files in one rename.

        Raises StoreError where the archive does not have it whole; what is live stays live then.
        """
        earlier = self.archived(name, serial)
        if earlier is None:
            path = self._path("archive", name)
            raise StoreError(f"{path}: there is no certificate {serial}", path=str(path), hint="`dnsbroker show` tells")
        check_files(earlier)
        if earlier.has_key:
            _ = earlier.private_key  # one that is not the certificate's is found out before it is served
        with explained(earlier.path), locked(earlier.archive.parent):
            archive.make_live(earlier.path, earlier.archive.name)
        return earlier

    def archived(self, name: str, serial: str) -> Lineage | None:
        """The certificate of lineage ``name`` with ``serial`` (hex, leading zeros or colons do no harm), live or not.

        None where the archive has none. Raises StoreError where it is damaged.
        """
        wanted = serial.replace(":", "").lower().lstrip("0")
        directory = self._path("archive", name)
        with explained(directory):
            places = [path for path in directory.iterdir() if path.name == wanted] if directory.is_dir() else []
        live = self._path("live", name)
        return read_archive(live, places[0], self._provenances(name)) if places else None

    def delete(self, name: str, moment: datetime) -> Path:
        """Put all of certificate ``name`` aside, below ``deleted/``. Raises ConfigError where there is nothing."""
        parts = {
            "live": self._path("live", name),
            "certificate.toml": self.state_dir / "certificates" / f"{_checked(name)}.toml",
            "archive": self._path("archive", name),
            "issued.json": self._provenances(name),
            "pending": self._path("pending", name),
        }
        place = put_aside(self.state_dir / "deleted", name, parts, moment)
        if place is None:
            raise ConfigError(f"there is no certificate {name!r}", hint="`dnsbroker list` shows those that are there")
        return place

    def prune_deleted(self, before: datetime) -> None:
        """Take away what was deleted ``before`` a moment. Raises StoreError."""
        prune(self.state_dir / "deleted", before)

    def _path(self, kind: str, name: str) -> Path:
        return self.state_dir / kind / _checked(name)

    def _provenances(self, name: str) -> Path:
        return self.state_dir / "issued" / f"{_checked(name)}.json"

    def _private(self, kind: str, name: str = "") -> Path:
        """A directory below ``state_dir`` that is ours alone."""
        directory = self.state_dir / kind / (_checked(name) if name else "")
        with explained(directory):
            disk.make_private(self.state_dir / kind)
            disk.make_private(directory)
        return directory

    def _staging(self, name: str) -> Path:
        self._path("pending", name)  # a name that can be none of a directory is refused
        return self._private("pending", name)

    def _open_way(self, end: Path, access: Access) -> None:
        """Make the directory ``end``; where others than we are to read the key, older ones let them pass too."""
        disk.make_directory(end, disk.SEARCHABLE)
        if not access.is_private():
            for path in (self.state_dir, end.parent, end):
                disk.let_pass(path)

    def _record(self, name: str, serial: str, provenance: Provenance) -> None:
        """Keep the provenance of what is about to be live, behind that of what is so until then.

        And before them that of all else which could be live again.
        """
        path, directory = self._provenances(name), self._path("archive", name)
        known, live = read_provenances(path), archive.live_serial(self._path("live", name))
        kept = {one: facts for one, facts in known.items() if one not in (live, serial) and (directory / one).is_dir()}
        until_now = {live: known[live]} if live in known else {}
        self._private("issued")
        disk.replace(path, provenances_text({**kept, **until_now, serial: provenance}))


def _checked(name: str) -> str:
    """``name`` where it can be the name of a directory; NameInvalid where not."""
    if not name or name.startswith(".") or "/" in name or "\0" in name:
        raise NameInvalid(name, "a certificate's name is also that of a directory: no '/', and no '.' at its beginning")
    if len(os.fsencode(name)) > _LONGEST_NAME:
        raise NameInvalid(name, f"it is longer than {_LONGEST_NAME} octets", hint="choose a shorter one with --name")
    return name

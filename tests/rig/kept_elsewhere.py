"""Certificates laid out as each of four clients keeps them, one after the other in the same directory.

Rule: files and links stand as the clients put them, and change in the order in which they change them; a test spoils
what it is about. Refused: what no reader of a single certificate looks at.
"""

from __future__ import annotations

import os
from pathlib import Path

from dnsbroker import keys

CLIENTS = ("certbot", "dehydrated", "acme.sh", "uacme")
KINDS = ("cert", "privkey", "chain", "fullchain")
_HOMES = {
    "certbot": "letsencrypt/live/a.test",
    "dehydrated": "dehydrated/certs/a.test",
    "acme.sh": "acme/a.test_ecc",
    "uacme": "uacme/a.test",
}


class Kept:
    """What ``client`` keeps for ``a.test``, below ``root``: ``directory`` is what ``lineage`` would name."""

    def __init__(self, root: Path, client: str, home: str = "") -> None:
        self.client = client
        self.directory = root / (home or _HOMES[client])
        self.directory.mkdir(parents=True)
        self.number = 0
        if client == "uacme":
            self.secret.mkdir(parents=True)

    @property
    def secret(self) -> Path:
        """Where uacme has the keys."""
        return self.directory.parent / "private" / self.directory.name

    @property
    def key(self) -> Path:
        """The file with the key."""
        name = self.directory.name.removesuffix("_ecc")
        places = {"acme.sh": self.directory / f"{name}.key", "uacme": self.secret / "key.pem"}
        return places.get(self.client, self.directory / "privkey.pem")

    @property
    def chain(self) -> Path:
        """The file with the certificate and its chain."""
        names = {"acme.sh": "fullchain.cer", "uacme": "cert.pem"}
        return self.directory / names.get(self.client, "fullchain.pem")

    @property
    def next_key(self) -> Path:
        """The file in which the client stages a key; certbot has none."""
        names = {"acme.sh": Path(f"{self.key}.next"), "uacme": self.secret / "newkey.pem"}
        return names.get(self.client, self.directory / "privkey.roll.pem")

    def renew(self, key_pem: str, chain_pem: str) -> Path:
        """A new certificate goes live; gives back ``directory``."""
        self.number += 1
        leaf, *issuers = keys.read_chain(chain_pem)
        texts = {"cert": leaf, "privkey": key_pem, "chain": "".join(issuers), "fullchain": chain_pem}
        if self.client == "acme.sh":
            self._write(self.key, key_pem)
            self._write(self.directory / f"{self.key.stem}.cer", leaf)
            self._write(self.directory / "ca.cer", texts["chain"])
            self._write(self.chain, chain_pem)
        elif self.client == "uacme":
            self._write(self.key, key_pem)
            self._write(self.chain, chain_pem)
        else:
            for kind, path in self.written(texts).items():
                self.link(kind, path)
        return self.directory

    def written(self, texts: dict[str, str]) -> dict[str, Path]:
        """The files of certbot or dehydrated with these ``texts``, before any link leads to them."""
        found = {}
        for kind in KINDS:
            found[kind] = self._numbered(kind)
            self._write(found[kind], texts[kind])
        return found

    def link(self, kind: str, path: Path) -> None:
        """Let the link of this ``kind`` lead to ``path``, in one rename."""
        new = self.directory / "new"
        new.symlink_to(os.path.relpath(path, self.directory))
        new.replace(self.directory / f"{kind}.pem")

    def _numbered(self, kind: str) -> Path:
        if self.client == "dehydrated":
            return self.directory / f"{kind}-{1795264092 + self.number}.pem"
        archive = self.directory.parent.parent / "archive" / self.directory.name
        archive.mkdir(parents=True, exist_ok=True)
        return archive / f"{kind}{self.number}.pem"

    def _write(self, path: Path, text: str) -> None:
        path.write_text(text)
        path.chmod(0o600)

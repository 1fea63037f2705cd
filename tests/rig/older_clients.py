"""Directories as certbot and dehydrated leave them, made by hand: for what the real ones do not leave behind in a test.

Rule: laid out as the programs do it, file by file, link by link; a test spoils what it is about. Refused: everything
that a reader of ours does not look at.
"""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from authority import START, Authority
from dnsbroker import keys

CA = "https://ca.example/directory"
STAGING = "https://staging.ca.example/directory"


def fingerprint(root: Path) -> str:
    """What changes when anything below ``root`` does: names, kinds, modes, owners, moments and contents."""
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*")):
        status = path.lstat()
        content = str(path.readlink()) if path.is_symlink() else path.read_bytes() if path.is_file() else ""
        facts = (str(path), status.st_mode, status.st_uid, status.st_gid, status.st_mtime_ns, content)
        digest.update(repr(facts).encode())
    return digest.hexdigest()


class CertbotTree:
    """An ``/etc/letsencrypt`` at ``root``."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.authority = Authority()
        self.account_keys: dict[str, str] = {}
        for name in ("renewal", "live", "archive", "accounts"):
            (root / name).mkdir(parents=True)
        for name in ("pre", "deploy", "post"):
            (root / "renewal-hooks" / name).mkdir(parents=True)

    def account(self, name: str, server: str = CA, *, url: str = "") -> Path:
        """A registered account; gives back its directory."""
        home = self.root / "accounts" / server.removeprefix("https://") / name
        home.mkdir(parents=True)
        (home / "private_key.json").write_text(self._jwk(name))
        body = {"contact": ["mailto:hostmaster@example.org", "tel:+1"]}
        (home / "regr.json").write_text(json.dumps({"body": body, "uri": url or f"{server}/account/{name}"}))
        (home / "meta.json").write_text("{}")
        return home

    def _jwk(self, name: str) -> str:
        """A new key as a JSON Web Key, made by OpenSSL; its PEM is kept for the test."""
        self.account_keys[name] = keys.generate("ecdsa-p256")
        words = ["openssl", "ec", "-noout", "-text"]
        told = subprocess.run(words, input=self.account_keys[name], capture_output=True, text=True, check=True).stdout
        secret, public = told.partition("pub:")[0].partition("priv:")[2], told.partition("pub:")[2].partition("ASN1")[0]
        point = bytes.fromhex("".join(public.split()).replace(":", ""))[1:]
        d = bytes.fromhex("".join(secret.split()).replace(":", ""))[-32:].rjust(32, b"\0")
        members = {"d": d, "x": point[:32], "y": point[32:]}
        return json.dumps({"kty": "EC", "crv": "P-256"} | {key: encoded(value) for key, value in members.items()})

    def lineage(
        self,
        name: str,
        names: Sequence[str] = (),
        params: Mapping[str, str] | None = None,
        *,
        keys_pem: Sequence[str] = (),
        begins: Sequence[datetime] = (START,),
    ) -> Path:
        """A lineage with one version for each of ``begins``; gives back its renewal file."""
        archive, live = self.root / "archive" / name, self.root / "live" / name
        archive.mkdir()
        live.mkdir()
        key_pem = keys.generate("ecdsa-p256")
        for number, begin in enumerate(begins, 1):
            key_pem = keys_pem[number - 1] if keys_pem else key_pem
            chain = keys.read_chain(self.authority.issue(key_pem, names or [name], not_before=begin))
            texts = {"privkey": key_pem, "cert": chain[0], "chain": chain[1], "fullchain": "".join(chain)}
            for kind, text in texts.items():
                (archive / f"{kind}{number}.pem").write_text(text)
                link = live / f"{kind}.pem"
                link.unlink(missing_ok=True)
                link.symlink_to(f"../../archive/{name}/{kind}{number}.pem")
            (archive / f"privkey{number}.pem").chmod(0o600)
        conf = self.root / "renewal" / f"{name}.conf"
        settings = {"account": "main", "server": CA, "authenticator": "manual", "key_type": "ecdsa", **(params or {})}
        lines = [f"{key} = {value}\n" for key, value in settings.items() if value]
        conf.write_text(f"version = 2.1.0\narchive_dir = {archive}\n[renewalparams]\n{''.join(lines)}")
        return conf

    def hook(self, kind: str, name: str, mode: int = 0o755) -> Path:
        """A program in ``renewal-hooks``."""
        path = self.root / "renewal-hooks" / kind / name
        path.write_text("#!/bin/sh\n")
        path.chmod(mode)
        return path


class DehydratedTree:
    """A dehydrated base directory at ``root``, whose configuration is the lines of ``config``."""

    def __init__(self, root: Path, *config: str) -> None:
        self.root = root
        self.authority = Authority()
        (root / "certs").mkdir(parents=True)
        (root / "accounts").mkdir()
        self.configure(f'CA="{CA}"', "CHALLENGETYPE=dns-01", *config)

    def configure(self, *lines: str) -> None:
        """Write ``config``."""
        (self.root / "config").write_text("".join(f"{line}\n" for line in lines))

    def domains(self, *lines: str) -> None:
        """Write ``domains.txt``."""
        (self.root / "domains.txt").write_text("".join(f"{line}\n" for line in lines))

    def account(self, directory: str = CA, *, accounts: str = "accounts") -> str:
        """A registered account; gives back its key."""
        home = self.root / accounts / encoded(f"{directory}\n".encode())
        home.mkdir(parents=True)
        key_pem = keys.generate("rsa2048")
        (home / "account_key.pem").write_text(key_pem)
        (home / "registration_info.json").write_text(json.dumps({"contact": ["mailto:hostmaster@example.org"]}))
        (home / "account_id.json").write_text(json.dumps({"url": f"{directory}/account/7"}))
        return key_pem

    def certificate(self, alias: str, names: Sequence[str] = (), *, certs: str = "certs") -> str:
        """A live certificate; gives back its key."""
        home = self.root / certs / alias
        home.mkdir(parents=True)
        key_pem = keys.generate("ecdsa-p256")
        chain = keys.read_chain(self.authority.issue(key_pem, names or [alias]))
        texts = {"privkey": key_pem, "cert": chain[0], "chain": chain[1], "fullchain": "".join(chain)}
        for kind, text in texts.items():
            (home / f"{kind}-1795264092.pem").write_text(text)
            (home / f"{kind}.pem").symlink_to(f"{kind}-1795264092.pem")
        return key_pem


def encoded(data: bytes) -> str:
    """Base64 for URLs, without padding."""
    return base64.urlsafe_b64encode(data).decode().rstrip("=")

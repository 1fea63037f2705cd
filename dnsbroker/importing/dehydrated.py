"""dehydrated's directory, read as dehydrated 0.6 and later lay it out: ``config``, ``domains.txt``, accounts, certs.

The configuration is a shell script there, and is read without a shell: plain assignments count, everything else is
named and passed over. Where they name other places for accounts and certificates, these are read.
"""

from __future__ import annotations

import base64
import os
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dnsbroker import keys
from dnsbroker.errors import BrokerError, ConfigError
from dnsbroker.importing.found import Found, FoundAccount, FoundCertificate, FoundPair
from dnsbroker.importing.reading import Tree, listed
from dnsbroker.importing.shell import read_assignments
from dnsbroker.lineages.tree import read_text

CLIENT = "dehydrated"
_PRESETS = {
    "letsencrypt": "https://acme-v02.api.letsencrypt.org/directory",
    "letsencrypt-test": "https://acme-staging-v02.api.letsencrypt.org/directory",
    "zerossl": "https://acme.zerossl.com/v2/DV90",
    "buypass": "https://api.buypass.com/acme/directory",
    "buypass-test": "https://api.test4.buypass.no/acme/directory",
    "google": "https://dv.acme-v02.api.pki.goog/directory",
    "google-test": "https://dv.acme-v02.test-api.pki.goog/directory",
}
_DEFAULTS = {"CA": "letsencrypt", "KEY_ALGO": "secp384r1", "KEYSIZE": "4096", "PRIVATE_KEY_RENEW": "yes"}
#: Before a certificate's end, where nothing is set; older ones begin a little later.
_RENEW_DAYS = 32
_CURVES = {"prime256v1": "ecdsa-p256", "secp384r1": "ecdsa-p384"}
_ALIAS = re.compile(r">\s*(\S+)")
#: How a script made for dehydrated is called for a new certificate; the shell that runs hooks fills in the rest.
_DEPLOY = '{hook} deploy_cert {domain} {files} "$(date +%s)"'
_FILES = " ".join(f'"$RENEWED_LINEAGE/{file}.pem"' for file in ("privkey", "cert", "fullchain", "chain"))


def is_one(root: Path) -> bool:
    """Whether ``root`` is laid out so."""
    named = (root / "config").is_file() or (root / "domains.txt").is_file()
    return named or ((root / "certs").is_dir() and (root / "accounts").is_dir())


def read(root: Path) -> Found:
    """All that is there. Raises ConfigError where the directory itself cannot be read."""
    found = Found(CLIENT, root)
    setup = _Setup.of(root, found.notes)
    certs = Tree(setup.certs)
    lines = setup.lines()
    account: FoundAccount | ConfigError = ConfigError("never read")
    try:
        account = setup.account()
        found.accounts.append(account)
    except ConfigError as error:
        account = error
    for alias, names in lines.items():
        try:
            found.certificates.append(_certificate(certs, setup, alias, names, account, found.notes))
        except BrokerError as error:
            found.failures.append((alias, error))
    if not lines and isinstance(account, ConfigError):
        found.failures.append(("account", account))
    alone = [path.name for path in listed(setup.certs) if path.is_dir() and path.name not in lines]
    found.notes += [f"{name}: not taken, it stands in no line of {setup.domains}" for name in alone]
    return found


@dataclass(frozen=True)
class Renewing:
    """How a certificate is renewed: ``days`` before its end, or once it is to have other ``names``, where any are told.

    ``takes_new_key``: each certificate has a key of its own; ``rolls_over``: the one that is laid out beforehand.
    """

    days: int
    names: frozenset[str]
    takes_new_key: bool
    rolls_over: bool


def renewing(base: Path, configuration: Path, directory: Path) -> Renewing:
    """How dehydrated with this ``configuration``, below ``base``, renews what it keeps in ``directory``.

    Raises ConfigError where a file cannot be read.
    """
    setup = _Setup.of(base, [], configuration)
    values = setup.of_certificate(directory.name, [])
    days = values.get("RENEW_DAYS", "")
    takes_new_key = values["PRIVATE_KEY_RENEW"] == "yes"
    return Renewing(
        int(days) if days.isdecimal() else _RENEW_DAYS,
        frozenset(setup.lines().get(directory.name, ())),
        takes_new_key,
        takes_new_key and values.get("PRIVATE_KEY_ROLLOVER", "no") == "yes",
    )


@dataclass(frozen=True)
class _Setup:
    """What the configuration says: its variables, and the places that follow from them."""

    root: Path
    values: Mapping[str, str]

    @classmethod
    def of(cls, root: Path, notes: list[str], configuration: Path | None = None) -> _Setup:
        """The configuration for ``root``, there unless told; adds to ``notes`` what was passed over.

        Raises ConfigError.
        """
        path = configuration or root / "config"
        values: Mapping[str, str] = {**_DEFAULTS, "BASEDIR": str(root), "CONFIG": str(path)}
        values = _sourced(path, values, notes)
        if values.get("CONFIG_D"):
            for path in listed(root / values["CONFIG_D"], ".sh"):
                values = _sourced(path, values, notes)
        return cls(root, values)

    def _place(self, variable: str, default: str) -> Path:
        base = self.root / self.values["BASEDIR"]
        return base / (self.values.get(variable) or default)

    @property
    def certs(self) -> Path:
        """Where certificates are."""
        return self._place("CERTDIR", "certs")

    @property
    def domains(self) -> Path:
        """The file of names."""
        return self._place("DOMAINS_TXT", "domains.txt")

    @property
    def directory(self) -> str:
        """The CA's, as a URL."""
        return _PRESETS.get(self.values["CA"], self.values["CA"])

    def lines(self) -> dict[str, tuple[str, ...]]:
        """The names of each certificate by its alias; where there is no such file, those of the certificates."""
        files = [path for path in (self.domains, *listed(Path(f"{self.domains}.d"), ".txt")) if path.exists()]
        if not files:
            return {path.name: () for path in listed(self.certs) if path.is_dir()}
        return dict(filter(None, (_line(text) for file in files for text in read_text(file).splitlines())))

    def account(self) -> FoundAccount:
        """The account at the configured CA. Raises ConfigError."""
        accounts = self._place("ACCOUNTDIR", "accounts")
        # The newline comes from the way in which dehydrated encodes the name.
        name = base64.urlsafe_b64encode(f"{self.directory}\n".encode()).decode().rstrip("=")
        home = accounts / name
        tree = Tree(accounts)
        if (home / "deactivated").exists():
            raise ConfigError("the account is deactivated", path=str(home), hint="register another one there first")
        key_pem = keys.read_key(tree.real(home / "account_key.pem"))
        facts = home / "registration_info.json", home / "account_id.json"
        registration, identity = (tree.json(path) if path.exists() else {} for path in facts)
        contact = registration.get("contact") or [self.values.get("CONTACT_EMAIL", "")]
        contacts = tuple(str(item) for item in contact if item)
        return FoundAccount(home, self.directory, str(identity.get("url", "")), key_pem, contacts)

    def of_certificate(self, alias: str, notes: list[str]) -> Mapping[str, str]:
        """The variables for one certificate, with those of its own file."""
        per_domain = self.values.get("DOMAINS_D")
        own = self.root / per_domain / alias if per_domain else self.certs / alias / "config"
        return _sourced(own, self.values, notes)


def _sourced(path: Path, values: Mapping[str, str], notes: list[str]) -> Mapping[str, str]:
    """``values`` after the assignments in ``path``, if it is there."""
    if not path.is_file():
        return values
    assigned = read_assignments(read_text(path), values)
    if assigned.passed_over:
        numbers = ", ".join(map(str, assigned.passed_over))
        notes.append(f"{path}: not a plain assignment and passed over: line {numbers}")
    return assigned.values


def _line(text: str) -> tuple[str, tuple[str, ...]] | None:
    """Alias and names of a line in domains.txt; None for one without."""
    line = text.strip().lower()
    if not line or line.startswith("#"):
        return None
    alias = _ALIAS.search(line)
    names = tuple(dict.fromkeys(_ALIAS.sub(" ", line).split()))
    return (alias[1] if alias else names[0], names) if names else None


def _certificate(
    certs: Tree,
    setup: _Setup,
    alias: str,
    names: tuple[str, ...],
    account: FoundAccount | ConfigError,
    notes: list[str],
) -> FoundCertificate:
    if isinstance(account, ConfigError):
        raise account
    home = setup.certs / alias
    values = setup.of_certificate(alias, notes)
    pair = None
    if (home / "cert.pem").is_symlink() or (home / "cert.pem").exists():
        others = [path for path in listed(home, ".pem") if path.name.startswith("cert-")]
        pair = certs.pair(home / "privkey.pem", home / "fullchain.pem", others)
    names = names or (keys.describe(pair.chain_pem).names if pair else (alias,))
    own: list[str] = []
    settings = {**_settings(values, pair, own), **_hooks(setup, values, names[0], notes)}
    if (home / "privkey.roll.pem").exists():
        own.append(f"its next key, {home}/privkey.roll.pem, is not taken; `dnsbroker renew {alias} --key` takes it")
    return FoundCertificate(alias, names, account, settings, pair, setup.domains.name, tuple(own))


def _settings(values: Mapping[str, str], pair: FoundPair | None, notes: list[str]) -> dict[str, object]:
    configured = _CURVES.get(values["KEY_ALGO"], f"rsa{values['KEYSIZE']}")
    settings: dict[str, object] = {
        "key_type": keys.key_type_of(pair.key_pem) if pair else configured,
        "key_rotation": "never" if values["PRIVATE_KEY_RENEW"] == "no" else "renewal",
    }
    if values.get("PREFERRED_CHAIN"):
        settings["preferred_chain"] = values["PREFERRED_CHAIN"]
    if values.get("ACME_PROFILE"):
        settings["preferred_profile"] = values["ACME_PROFILE"]
    if values.get("OCSP_MUST_STAPLE") == "yes":
        notes.append("OCSP_MUST_STAPLE is dropped: no certificate asks for stapling here")
    return {**settings, **(pair.access if pair else {})}


def _hooks(setup: _Setup, values: Mapping[str, str], domain: str, notes: list[str]) -> dict[str, object]:
    """The deployment that dehydrated's one script does; what else it is called for is over."""
    if values.get("CHALLENGETYPE", "http-01") != "dns-01":
        notes.append("dehydrated validates over HTTP or TLS: the zones need a [providers] table here")
    if not values.get("HOOK"):
        return {}
    hook = setup.root / values["HOOK"]
    if not (hook.is_file() and os.access(hook, os.X_OK)):
        notes.append(f"HOOK {values['HOOK']} is no program, and not taken")
        return {}
    notes.append(f"{hook} is called with deploy_cert for new certificates, and for nothing else any more")
    words = {"hook": shlex.quote(str(hook.absolute())), "domain": shlex.quote(domain), "files": _FILES}
    return {"deploy_hooks": [_DEPLOY.format(**words)]}

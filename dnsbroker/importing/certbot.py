"""certbot's configuration directory (``/etc/letsencrypt``), read as certbot 2 and later lay it out.

A lineage is what ``renewal/NAME.conf`` says, with its live files and its account; settings come from there, hooks from
``renewal-hooks`` too. What dnsbroker does in a way of its own (challenges, when to renew) is not taken.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from dnsbroker import keys
from dnsbroker.acme import key_from_jwk
from dnsbroker.errors import BrokerError, ConfigError
from dnsbroker.importing.found import Found, FoundAccount, FoundCertificate, FoundPair
from dnsbroker.importing.ini import TOP, read_ini
from dnsbroker.importing.reading import Tree, listed, named
from dnsbroker.importing.tsig import rfc2136_provider
from dnsbroker.lineages.tree import read_text

CLIENT = "certbot"
#: Settings with the same meaning here, by certbot's names.
_SAME = {"preferred_chain": "preferred_chain", "required_profile": "profile", "preferred_profile": "preferred_profile"}
#: Our hooks, with certbot's directory for each and the settings that may hold one more.
_HOOKS = {
    "pre_hooks": ("pre", ("pre_hook",)),
    "deploy_hooks": ("deploy", ("renew_hook", "deploy_hook")),
    "post_hooks": ("post", ("post_hook",)),
}
_PROVIDED = "dns-rfc2136"
_OLD_SERVER = "https://acme-v01.api.letsencrypt.org/directory"
_NEW_SERVER = "https://acme-v02.api.letsencrypt.org/directory"


def is_one(root: Path) -> bool:
    """Whether ``root`` is laid out so."""
    return (root / "renewal").is_dir() or ((root / "live").is_dir() and (root / "archive").is_dir())


def read(root: Path) -> Found:
    """All that is there. Raises ConfigError where the directory itself cannot be read."""
    found = Found(CLIENT, root)
    tree = Tree(root)
    hooks = {ours: _directory_hooks(root / "renewal-hooks" / theirs) for ours, (theirs, _) in _HOOKS.items()}
    used: list[FoundAccount] = []
    for conf in listed(root / "renewal", ".conf"):
        try:
            lineage = _Lineage(tree, root, conf)
            if lineage.is_abandoned:
                found.notes.append(f"{conf.stem}: not taken, its autorenew is off")
                continue
            account = lineage.account()
            used.append(account)
            found.certificates.append(lineage.certificate(account, hooks))
            found.notes += lineage.way()
            _add_provider(found, lineage)
        except BrokerError as error:
            found.failures.append((conf.stem, error))
    found.accounts = sorted({item.place: item for item in used}.values(), key=used.count, reverse=True)
    _add_unused(found, tree, is_empty=not (used or found.failures))
    found.notes += _left_out(root)
    return found


class _Lineage:
    """One ``renewal/NAME.conf`` with what belongs to it. Raises ConfigError where it is no such file."""

    def __init__(self, tree: Tree, root: Path, conf: Path) -> None:
        self._tree = tree
        self._root = root
        self.name = conf.stem
        try:
            sections = read_ini(tree.text(conf))
        except ValueError as error:
            raise ConfigError(str(error), path=str(conf), hint="restore it from a copy") from error
        if "renewalparams" not in sections or not sections.get(TOP):
            words = "it has no section [renewalparams], so certbot does not renew it either"
            raise ConfigError(words, path=str(conf), hint="restore it from a copy")
        self._params = {key: text for key, text in sections["renewalparams"].items() if text not in ("", "None")}

    @property
    def is_abandoned(self) -> bool:
        """Whether certbot was told not to renew it."""
        return self._params.get("autorenew", "").lower() == "false"

    @property
    def credentials(self) -> str:
        """The file with the credentials for dynamic updates, if that is how it is validated."""
        return self._params.get("dns_rfc2136_credentials", "") if self._authenticator == _PROVIDED else ""

    @property
    def _authenticator(self) -> str:
        return self._params.get("authenticator", "").rpartition(":")[2]

    def account(self) -> FoundAccount:
        """The account that it was issued by. Raises ConfigError."""
        server = self._params.get("server", _NEW_SERVER)
        server = _NEW_SERVER if server == _OLD_SERVER else server
        parts = urlsplit(server)
        home = self._root / "accounts" / f"{parts.netloc}{parts.path}" / self._params.get("account", "unnamed")
        return _account(self._tree, home, server)

    def certificate(self, account: FoundAccount, directory_hooks: Mapping[str, list[str]]) -> FoundCertificate:
        """The whole. Raises ConfigError."""
        live, archive = self._root / "live" / self.name, self._root / "archive" / self.name
        others = [path for path in listed(archive, ".pem") if path.name.startswith("cert")]
        pair = self._tree.pair(live / "privkey.pem", live / "fullchain.pem", others)
        settings = self._settings(pair, directory_hooks)
        names = keys.describe(pair.chain_pem).names
        return FoundCertificate(
            self.name, names, account, settings, pair, f"renewal/{self.name}.conf", tuple(self._notes())
        )

    def _settings(self, pair: FoundPair, directory_hooks: Mapping[str, list[str]]) -> dict[str, object]:
        params = self._params
        settings: dict[str, object] = {
            "key_type": keys.key_type_of(pair.key_pem),
            "key_rotation": "never" if params.get("reuse_key", "").lower() == "true" else "renewal",
        }
        settings |= {ours: params[theirs] for theirs, ours in _SAME.items() if theirs in params}
        if "profile" in settings:
            settings.pop("preferred_profile", None)
        for ours, (_, theirs) in _HOOKS.items():
            commands = [*directory_hooks[ours], *(params[key] for key in theirs if key in params)]
            if commands:
                settings[ours] = list(dict.fromkeys(commands))
        if unit := _unit(params.get("installer", "")):
            settings["reload"] = [unit]
        return {**settings, **pair.access}

    def way(self) -> list[str]:
        """A note on how it was validated so far, where that does not come along."""
        how = self._authenticator
        way = f"certbot validates by {how}, which is not taken: the zones need a [providers] table here"
        return [way] if how not in ("", _PROVIDED) else []

    def _notes(self) -> list[str]:
        is_stapled = self._params.get("must_staple", "").lower() == "true"
        return ["must_staple is dropped: no certificate asks for stapling here"] if is_stapled else []


def _account(tree: Tree, home: Path, server: str) -> FoundAccount:
    with named(home / "private_key.json"):
        key_pem = key_from_jwk(tree.text(home / "private_key.json"))
    registration = tree.json(home / "regr.json")
    body = registration.get("body")
    contact = body.get("contact", []) if isinstance(body, dict) else []
    return FoundAccount(home, server, str(registration.get("uri", "")), key_pem, tuple(map(str, contact)))


def _directory_hooks(directory: Path) -> list[str]:
    """The hooks that certbot finds in ``directory``, as commands."""
    return [
        shlex.quote(str(path.absolute()))
        for path in listed(directory)
        if path.is_file() and os.access(path, os.X_OK) and not path.name.endswith("~")
    ]


def _unit(installer: str) -> str:
    """The systemd unit of the server that certbot's ``installer`` configures; empty for none."""
    if installer == "apache":
        return "httpd" if Path("/etc/httpd").is_dir() else "apache2"
    return installer if installer == "nginx" else ""


def _add_provider(found: Found, lineage: _Lineage) -> None:
    if not lineage.credentials:
        return
    try:
        provider = rfc2136_provider(Path(lineage.credentials))
    except ConfigError as error:
        found.notes.append(f"{lineage.name}: no [providers] table is made for {_PROVIDED}: {error.message}")
        return
    if provider not in found.providers:
        found.providers.append(provider)


def _add_unused(found: Found, tree: Tree, *, is_empty: bool) -> None:
    """Accounts that no lineage uses: taken where none says what is in use, else only named."""
    accounts = found.root / "accounts"
    for key in sorted(accounts.rglob("private_key.json")):
        home = key.parent
        if any(home.resolve() == known.place.resolve() for known in found.accounts):
            continue
        server = f"https://{home.parent.relative_to(accounts)}"
        if not is_empty:
            found.notes.append(f"account {home.name} at {server}: not taken, no certificate uses it")
            continue
        try:
            found.accounts.append(_account(tree, home, server))
        except BrokerError as error:
            found.failures.append((f"account {home.name}", error))


def _left_out(root: Path) -> list[str]:
    """What is there and is not taken."""
    configured = {path.stem for path in listed(root / "renewal", ".conf")}
    alone = [path.name for path in listed(root / "live") if path.is_dir() and path.name not in configured]
    notes = [f"{name}: not taken, there is no renewal/{name}.conf" for name in alone]
    cli = root / "cli.ini"
    if cli.is_file() and any(line.split("=")[0].strip().endswith("-hook") for line in read_text(cli).splitlines()):
        notes.append(f"{cli} has hooks for all certificates: put them into [defaults] if they are still needed")
    return notes

"""The ACME clients that are timed, each called as its own documentation says.

Rule: the same lab, the same kind of names, and for each client a place of its own for its files; whoever asks a
resolver before the CA does gets one of its own, so that it cannot spoil the CA's cache. Refused: helping a client by
what nobody could know beforehand, but where the title says so.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.bind import ACME_KEY
from lab.demo.acts import DNSBROKER
from lab.processes import with_environment
from lab.rig import Lab
from lab.unbound import Unbound

OWN_RESOLVER = "127.0.0.30"
Command = Sequence[str | Path]


@dataclass(frozen=True)
class Client:
    """One client in one configuration.

    Attributes:
        title: what a reader is told.
        command: what to run for a name and its wildcard.
        live: where its certificate then is.
        seconds: how long it may take.
    """

    title: str
    command: Callable[[str], Command]
    live: Callable[[str], Path]
    seconds: float = 60.0


def dnsbroker(lab: Lab) -> Client:
    """The program of this project, by the lab's configuration."""
    state, configuration = lab.directory / "state", lab.directory / "dnsbroker.toml"
    configuration.touch(mode=0o600)
    configuration.write_text(lab.config(state))

    def command(name: str) -> Command:
        return [DNSBROKER, "--json", "--config", configuration, "issue", "-d", name, "-d", f"*.{name}"]

    return Client("dnsbroker", command, lambda name: state / "live" / name / "current")


def certbot(lab: Lab, wait: int | None, title: str) -> Client:
    """Debian's certbot with the rfc2136 plugin; ``wait`` in seconds, None for the plugin's default."""
    home, credentials = lab.directory / "certbot", lab.directory / "certbot.ini"
    secret = lab.bind.secret_file.read_text().strip()
    credentials.touch(mode=0o600)
    credentials.write_text(
        f"dns_rfc2136_server = {lab.bind.address}\ndns_rfc2136_port = 53\ndns_rfc2136_name = {ACME_KEY}\n"
        f"dns_rfc2136_secret = {secret}\ndns_rfc2136_algorithm = HMAC-SHA256\n"
    )
    waiting = ["--dns-rfc2136-propagation-seconds", str(wait)] if wait is not None else []

    def command(name: str) -> Command:
        places = [f"--{kind}-dir={home / kind}" for kind in ("config", "work", "logs")]
        account = ["-n", "--agree-tos", "--register-unsafely-without-email", "--server", lab.pebble.url]
        plugin = ["--dns-rfc2136", f"--dns-rfc2136-credentials={credentials}", *waiting]
        words = ["certbot", "certonly", *account, *places, *plugin, "-d", name, "-d", f"*.{name}"]
        return with_environment({"REQUESTS_CA_BUNDLE": str(lab.pebble.ca_file), "PYTHONPATH": ""}, words)

    return Client(title, command, lambda name: home / "config" / "live" / name / "cert.pem", seconds=120)


def lego(lab: Lab, provider: str, title: str, *, seconds: float) -> Client:
    """Debian's lego with its defaults for ``provider``, ``pdns`` or ``rfc2136``."""
    home = lab.directory / "lego"
    variables = {
        "pdns": {"PDNS_API_URL": lab.powerdns.url, "PDNS_API_KEY": lab.powerdns.api_key},
        "rfc2136": {
            "RFC2136_NAMESERVER": lab.bind.address,
            "RFC2136_TSIG_KEY": ACME_KEY,
            "RFC2136_TSIG_SECRET": lab.bind.secret_file.read_text().strip(),
            "RFC2136_TSIG_ALGORITHM": "hmac-sha256.",
        },
    }[provider]

    def command(name: str) -> Command:
        account = ["--server", lab.pebble.url, "--accept-tos", "--email", "hostmaster@example.test", f"--path={home}"]
        asked = ["--dns", provider, "--dns.resolvers", f"{OWN_RESOLVER}:53"]
        words = ["lego", *account, *asked, "-d", name, "-d", f"*.{name}", "run"]
        return with_environment({"LEGO_CA_CERTIFICATES": str(lab.pebble.ca_file)} | variables, words)

    return Client(title, command, lambda name: home / "certificates" / f"{name}.crt", seconds=seconds)


def own_resolver(lab: Lab) -> Unbound:
    """A second resolver like the CA's, for clients that ask one themselves; a context manager."""
    anchors = lab.unbound.trust_anchors
    return Unbound(lab.directory / "own-resolver", address=OWN_RESOLVER, trust_anchors=anchors, name="own-resolver")


def has(path: Path) -> bool:
    """Whether a certificate is there, be it a file or a link."""
    return os.path.lexists(path)

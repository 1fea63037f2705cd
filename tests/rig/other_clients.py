"""lego, uacme and acme.sh in the lab, called as their pages in docs/ say, with the configuration that stands there.

Rule: what a page says is taken as it stands, but for what the lab has in place of names, paths and addresses; a client
is a process group of its own, so that it can be killed with its hook. Refused: helping a client.
"""

from __future__ import annotations

import os
import subprocess
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import dnsbroker
import pages
from lab.configuration import Table
from lab.processes import Process, with_environment
from lab.rig import Lab
from program import DNSBROKER, Ran

HOOK = DNSBROKER.with_name("dnsbroker-hook")
SECONDS = 120.0

#: Where the page's reader has installed the package.
INSTALLED = "/opt/dnsbroker/lib/python3*/site-packages/dnsbroker"

#: Debian's libcurl, by which uacme speaks, trusts this file and no variable.
TRUST = Path("/etc/ssl/certs/ca-certificates.crt")


def providers(lab: Lab, page: str) -> Table:
    """The page's ``[providers]``, for the lab's servers."""
    (shown,) = [block for block in pages.blocks(pages.text(page), "toml") if "[providers" in block]
    for old, new in {
        "http://127.0.0.1:8081": lab.powerdns.url,
        "192.0.2.10": lab.bind.address,
        "/etc/dnsbroker/pdns.key": str(lab.powerdns.api_key_file),
        "/etc/dnsbroker/tsig.key": str(lab.bind.secret_file),
    }.items():
        shown = shown.replace(old, new)
    found: Mapping[str, Table] = tomllib.loads(shown)["providers"]
    return found


def script(page: str, host: str, places: Mapping[str, str | Path]) -> str:
    """The page's first lines of shell, for ``host`` and with ``places`` for the paths and words that they name."""
    text = pages.blocks(pages.text(page), "sh")[0]
    for old, new in {"example.org": host, "/usr/local/bin/dnsbroker-hook": HOOK, **places}.items():
        text = text.replace(old, str(new))
    return text


@dataclass(frozen=True)
class Client:
    """One client with a directory of its own, and the words that have it do what its page shows."""

    home: Path
    words: Sequence[str | Path]

    def __call__(self) -> Ran:
        """Run it to its end."""
        done = subprocess.run(
            self.words,
            cwd=self.home,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        assert "Traceback" not in done.stdout + done.stderr, done.stdout + done.stderr
        return Ran(done.returncode, done.stdout, done.stderr)

    def started(self) -> Process:
        """Itself under way, to be killed together with its hook."""
        return Process(self.home.name, self.words, self.home / "log")


def _client(home: Path, text: str, environment: Mapping[str, str | Path], before: Sequence[str | Path] = ()) -> Client:
    home.mkdir(parents=True, exist_ok=True)
    variables = {name: str(value) for name, value in environment.items()}
    return Client(home, with_environment({"PYTHONPATH": "", **variables}, [*before, "sh", "-euc", text]))


def lego(
    lab: Lab, configuration: Path, home: Path, host: str, resolver: str, otherwise: Mapping[str, str] | None = None
) -> Client:
    """A lego on a host whose resolver is at ``resolver``; ``otherwise``: variables that are not what the page shows."""
    text = script("docs/lego.md", host, {"lego --": f"lego --server {lab.pebble.url} --dns.resolvers {resolver}:53 --"})
    for name, value in (otherwise or {}).items():
        text = text.replace("\nlego ", f"\nexport {name}={value}\nlego ")
    return _client(home, text, {"DNSBROKER_CONFIG": configuration, "LEGO_CA_CERTIFICATES": lab.pebble.ca_file})


def uacme(lab: Lab, configuration: Path, home: Path, host: str) -> Client:
    """uacme: an account first, then the certificate."""
    text = script("docs/uacme.md", host, {"uacme -": f"uacme -a {lab.pebble.url} -c {home} -"})
    trusting = f'mount --bind {lab.pebble.ca_file} {TRUST} && exec "$@"'
    before = ["unshare", "--mount", "sh", "-c", trusting, "sh"]
    return _client(home, text, {"DNSBROKER_CONFIG": configuration}, before)


def acme_sh(configuration: Path, home: Path, host: str, environment: Mapping[str, str | Path] | None = None) -> Client:
    """What acme.sh does with its DNS scripts; no CA is asked. ``environment``: what is otherwise than on the page."""
    (home / "bin").mkdir(parents=True)
    (home / ".acme.sh" / "dnsapi").mkdir(parents=True)
    (home / "bin" / "acme.sh").symlink_to(pages.ROOT / "tests" / "rig" / "acme_sh_stand_in")
    text = script("docs/acme.sh.md", host, {INSTALLED: Path(dnsbroker.__path__[0])})
    path = f"{home}/bin:{os.defpath}"
    variables: dict[str, str | Path] = {"DNSBROKER_CONFIG": configuration, "HOME": home, "PATH": path}
    return _client(home, text, {**variables, **(environment or {})})

"""A host with the real certbot, called as docs/certbot.md says, with the configuration of dnsbroker that stands there.

Rule: what the page says is taken as it stands, but for what the lab has in place of names, paths and addresses; the
plugin is the wheel that users get, unpacked where certbot's Python looks. Refused: helping certbot.
"""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pages
from lab.configuration import Table
from lab.processes import Process, with_environment
from lab.rig import Lab
from other_clients import providers
from program import DNSBROKER, Program, Ran

HOOK = DNSBROKER.with_name("dnsbroker-hook")
PAGE = "docs/certbot.md"
PLUGIN, HOOKS = "## The plugin", "## Manual hooks"
SECONDS = 120

#: Debian's, and the newest: the one in the environment of the tests.
PROGRAMS = {"debian": Path("/usr/bin/certbot"), "newest": Path(sys.executable).with_name("certbot")}


def unpacked_plugin(directory: Path) -> Path:
    """The plugin's wheel, built and unpacked below ``directory``; gives back what goes on certbot's path."""
    source = pages.ROOT / "packaging" / "certbot-dns-dnsbroker"
    words = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(directory)]
    subprocess.run(words, cwd=source, check=True, capture_output=True, timeout=SECONDS)
    (wheel,) = directory.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(directory / "site")
    return directory / "site"


@dataclass(frozen=True, eq=False)
class Host:
    """A certbot of one kind (a key of :data:`PROGRAMS`) and a dnsbroker, with all that is theirs in ``home``.

    ``name`` is what the page's example.org stands for; ``site`` is where the plugin is.
    """

    lab: Lab
    home: Path
    kind: str
    name: str
    site: Path
    environment: Mapping[str, str] = field(default_factory=dict)

    def configured(self, overrides: Table, services: Table | None = None) -> Host:
        """Itself, with a configuration for dnsbroker: the page's providers but for ``services``, and ``overrides``."""
        # The tables of the lab's own configuration have other names, and would be second ones for the same zones.
        named = {**providers(self.lab, PAGE), "powerdns": None, "bind": None, **(services or {})}
        table = {"providers": named, **overrides}
        (self.home / "bin").mkdir(parents=True)
        for program in (DNSBROKER, HOOK):
            (self.home / "bin" / program.name).symlink_to(program)
        self.dnsbroker.configuration.touch(mode=0o600)
        self.dnsbroker.configuration.write_text(self.lab.config(self.dnsbroker.state, overrides=table))
        return self

    @property
    def dnsbroker(self) -> Program:
        """The program, with this host's configuration."""
        return Program(self.home / "dnsbroker.toml")

    @property
    def live(self) -> Path:
        """Where certbot has the certificate."""
        return self.home / "config" / "live" / self.name

    @property
    def log(self) -> str:
        """What certbot wrote down of its last run."""
        return (self.home / "logs" / "letsencrypt.log").read_text()

    def obtain(self, header: str, *more: str) -> Ran:
        """Run the page's command below ``header``, with ``more`` words at its end."""
        return self.ran(self.obtaining(header, *more))

    def obtaining(self, header: str, *more: str) -> Sequence[str | Path]:
        """The page's command below ``header``."""
        text = pages.blocks(pages.section(pages.text(PAGE), header), "sh")[-1]
        assert text.startswith("certbot certonly ")
        account = f"-n --agree-tos --register-unsafely-without-email --server {self.lab.pebble.url}"
        text = text.replace("certbot", f"exec {self._certbot} {account}", 1)  # exec: a signal is for certbot
        text = text.replace("/usr/local/bin/", f"{self.home / 'bin'}/").replace("example.org", self.name)
        return self.calling("sh", "-euc", text.rstrip() + ' "$@"', "sh", *more)

    def __call__(self, *words: str) -> Ran:
        """Run certbot with these words."""
        return self.ran(self.calling(*self._certbot.split(), "-n", *words))

    def started(self, header: str, *more: str) -> Process:
        """The page's command, under way."""
        return Process(self.kind, self.obtaining(header, *more), self.home / "output")

    def ran(self, words: Sequence[str | Path]) -> Ran:
        """Run ``words`` to their end."""
        done = subprocess.run(
            words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=SECONDS, check=False
        )
        return Ran(done.returncode, done.stdout, done.stderr)

    @property
    def _certbot(self) -> str:
        places = " ".join(f"--{kind}-dir={self.home / kind}" for kind in ("config", "work", "logs"))
        return f"{PROGRAMS[self.kind]} {places}"

    def calling(self, *words: str) -> list[str | Path]:
        """``words`` in the environment of this host."""
        environment = {
            "PATH": f"{self.home / 'bin'}:{os.defpath}",
            "PYTHONPATH": str(self.site),
            "DNSBROKER_CONFIG": str(self.dnsbroker.configuration),
            "REQUESTS_CA_BUNDLE": str(self.lab.pebble.ca_file),
            **self.environment,
        }
        return with_environment(environment, words)

"""Prosody, with its certificates in a directory of its own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from daemons.daemon import Daemon
from daemons.recipe import Recipe, recipe


class Prosody(Daemon):
    """Prosody for its clients alone."""

    header, language, unit, user, tls_port = "Prosody", "lua", "prosody", "prosody", 5222
    client = ("-starttls", "xmpp", "-xmpphost", "example.test")
    file_name = "prosody.cfg.lua"

    @property
    def certificates(self) -> Path:
        """Where it looks for keys and certificates; made here, as its package makes the real one."""
        directory = self.directory / "certs"
        directory.mkdir(parents=True, exist_ok=True)
        return directory

    def _recipe(self, state: Path) -> Recipe:
        return recipe(self.header, self.language, state, {"/etc/prosody/certs": self.certificates})

    def configuration(self) -> str:
        """Its files, and the modules that a client meets first."""
        return f"""\
data_path = "{self.directory}/data"
pidfile = "{self.directory}/prosody.pid"
log = {{ info = "*console" }}
modules_enabled = {{ "c2s", "saslauth", "tls" }}
modules_disabled = {{ "s2s" }}
interfaces = {{ "*" }}
{self.recipe.lines}"""

    def program(self) -> Sequence[str | Path]:
        """In the foreground, by its configuration."""
        return ["prosody", "-F", "--config", self.file]

"""A ``dnsbroker`` that lives on: its state stays while what its configuration says is changed.

Rule: every call is a process of its own, as an administrator makes it. Refused: looking into the state by other means
than its files.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from dnsbroker import keys
from lab.configuration import merged
from lab.pebble import Pebble
from lab.rig import Lab
from lab.topology import RESOLVER
from program import Program


class Household(Program):
    """``dnsbroker`` with a home of its own below ``home``, in ``lab``, with ``ca`` for its authority."""

    def __init__(self, lab: Lab, home: Path, ca: Pebble) -> None:
        super().__init__(home / "dnsbroker.toml")
        self._lab = lab
        self.ca = ca
        home.mkdir(exist_ok=True)
        self.says()

    def says(
        self, certificates: Mapping[str, Sequence[str]] | None = None, overrides: Mapping[str, object] | None = None
    ) -> Self:
        """Write the configuration anew: these certificates, and ``overrides`` merged in table by table."""
        ca = {"directory": self.ca.url, "ca_bundle": str(self.ca.ca_file)}
        # Its CA believes without looking: nobody has to wait until there is something to see.
        hasty = {"require": "none", "settle": "10ms"}
        usual = merged({"acme": ca, "propagation": hasty}, overrides or {})
        text = self._lab.config(self.state, certificates=certificates, overrides=usual)
        self.configuration.touch(mode=0o600)
        self.configuration.write_text(text)
        return self

    def pem(self, name: str, kind: str = "fullchain") -> str:
        """A live file of the certificate ``name``."""
        return (self.live(name) / f"{kind}.pem").read_text()

    def key_of(self, name: str) -> str:
        """The digest of the key in the live certificate ``name``."""
        return keys.spki_sha256_of(self.pem(name, "privkey"))

    def key_type(self, name: str) -> str:
        """The kind of the key in the live certificate ``name``."""
        return keys.describe(self.pem(name)).key_type

    def serial(self, name: str) -> int:
        """The live certificate's serial number."""
        return keys.describe(self.pem(name)).serial

    def account(self, name: str = "default") -> dict[str, Any]:
        """What is kept of an account beside its key."""
        kept: dict[str, Any] = json.loads((self.state / "accounts" / name / "account.json").read_text())
        return kept

    def files(self, *apart: str) -> dict[str, bytes | str]:
        """Every file and link below the state directory with what it holds, but those whose path begins so."""
        paths = {str(path.relative_to(self.state)): path for path in self.state.rglob("*") if not path.is_dir()}
        return {
            name: str(path.readlink()) if path.is_symlink() else path.read_bytes()
            for name, path in paths.items()
            if not name.startswith(apart)
        }


def credulous(directory: Path, *, port: int = 14510, **more: Any) -> Pebble:
    """A CA that believes every challenge and asks for none twice: for what comes of an order, not what it takes."""
    environment = {"PEBBLE_VA_ALWAYS_VALID": "1", **more.pop("environment", {})}
    return Pebble(
        directory,
        resolver=f"{RESOLVER}:53",
        port=port,
        management_port=port + 1000,
        authorization_reuse=100,
        environment=environment,
        **more,
    )

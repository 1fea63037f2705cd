"""The certbot plugin as certbot makes it; and in dnsbroker's place a program that says what a test has it say.

Rule: certbot's own classes, for a plugin that fits only a fake would fit nothing. Refused: running dnsbroker.
"""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from acme import challenges, messages
from certbot import achallenges
from certbot.configuration import NamespaceConfig
from cryptography.hazmat.primitives.asymmetric import ec
from josepy.jwk import JWKEC

from certbot_dns_dnsbroker.authenticator import Authenticator

KEY = JWKEC(key=ec.generate_private_key(ec.SECP256R1()))
DONE = {"event": "result", "status": 0, "changed": True}
NOT_EVERYWHERE = {
    "event": "result",
    "status": 3,
    "changed": True,
    "errors": [{"message": "ns2.example.org has the old serial", "hint": "let it accept NOTIFY"}],
}
NO_PROVIDER = {
    "event": "result",
    "status": 2,
    "changed": False,
    "errors": [{"message": "no provider may write example.org", "hint": "configure one"}],
}


def challenge(name: str = "example.org", token: bytes = b"t" * 16) -> Any:
    """A dns-01 challenge as certbot gives it to plugins."""
    body = messages.ChallengeBody(chall=challenges.DNS01(token=token), uri="https://ca.example/1")
    identifier = messages.Identifier(typ=messages.IDENTIFIER_FQDN, value=name)
    return achallenges.KeyAuthorizationAnnotatedChallenge(challb=body, identifier=identifier, account_key=KEY)


def value_of(achall: Any) -> str:
    """What the CA will look for."""
    return str(achall.validation(KEY))


@dataclass
class Stub:
    """An executable that notes its arguments and environment, and does ``script``, lines of shell."""

    path: Path

    def does(self, *script: str) -> None:
        """Have it run ``script`` from now on."""
        notes = f'{{ printf "%s " "$@"; echo; }} >>"{self.path}.calls"\nenv >"{self.path}.environment"\n'
        self.path.write_text("#!/bin/sh\n" + notes + "\n".join(script) + "\n")
        self.path.chmod(0o755)

    def says(self, *events: Mapping[str, object], status: int = 0, also: str = "") -> None:
        """Have it print ``events``, do ``also``, and end with ``status``."""
        printed = [f"cat <<'END'\n{json.dumps(event)}\nEND" for event in events]
        self.does(*printed, also, f"exit {status}")

    @property
    def calls(self) -> list[str]:
        """The arguments of each call, in one line."""
        calls = Path(f"{self.path}.calls")
        return [line.strip() for line in calls.read_text().splitlines()] if calls.exists() else []

    @property
    def environment(self) -> list[str]:
        """The environment of the last call, ``NAME=value`` each."""
        return Path(f"{self.path}.environment").read_text().splitlines()


Made = Callable[..., Authenticator]


def makes(stub: Stub, directory: Path) -> Made:
    """What makes the plugin with its options as certbot would have parsed them: ``("--dns-dnsbroker-config", "x")``."""

    def made(*words: str) -> Authenticator:
        parser = ArgumentParser()
        Authenticator.inject_parser_options(parser, "dns-dnsbroker")
        places = {f"{kind}_dir": str(directory / kind) for kind in ("config", "work", "logs")}
        words = words if "--dns-dnsbroker-program" in words else ("--dns-dnsbroker-program", str(stub.path), *words)
        namespace = parser.parse_args(words, Namespace(**places, http01_port=80, https_port=443, domains=[]))
        return Authenticator(NamespaceConfig(namespace), "dns-dnsbroker")

    return made

"""The secrets as headers: each fetched once, when first needed, and checked before it could be sent or shown.

Rule: no error shows any of it; what the service says is cleaned of it. Refuses a secret that no header can carry.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from dnsbroker.errors import ConfigError
from dnsbroker.settings import Secret
from dnsbroker_cloudflare.settings import CloudflareSettings

_HIDDEN = "[secret]"
# What has fewer letters is in any text by chance, and keeps nobody out.
_SHORTEST = 4


class Errand(Enum):
    """What is asked for; a configured zone token does no more than look zones up."""

    ZONES = "zones"
    RECORDS = "records"


@dataclass(frozen=True)
class Identity:
    """By which key of the configuration one speaks, and where its secret comes from, in words."""

    key: str
    source: str


class Credentials:
    """The credentials of one provider."""

    def __init__(self, settings: CloudflareSettings, provider: str) -> None:
        self._settings = settings
        self._provider = provider
        self._revealed: dict[str, str] = {}

    def identity(self, errand: Errand) -> Identity:
        """Who asks on that errand."""
        name, secret = self._secret(errand)
        return Identity(name, secret.source)

    async def headers(self, errand: Errand) -> Mapping[str, str]:
        """The headers for that errand. Raises ConfigError where the secret cannot be had, or cannot be one."""
        name, secret = self._secret(errand)
        if name not in self._revealed:
            # Revealing may run a command or read a file.
            self._revealed[name] = self._checked(name, secret, await asyncio.to_thread(secret.reveal))
        if name == "api_key":
            return {"x-auth-email": self._settings.api_email, "x-auth-key": self._revealed[name]}
        return {"authorization": f"Bearer {self._revealed[name]}"}

    def cleaned(self, text: str) -> str:
        """``text`` without any secret that was fetched."""
        for secret in self._revealed.values():
            if len(secret) >= _SHORTEST:
                text = text.replace(secret, _HIDDEN)
        return text

    def _secret(self, errand: Errand) -> tuple[str, Secret]:
        """The key's name and its secret."""
        settings = self._settings
        if errand is Errand.ZONES and settings.zone_api_token:
            return "zone_api_token", settings.zone_api_token
        if settings.api_token:
            return "api_token", settings.api_token
        assert settings.api_key, "settings have one of the two"  # noqa: S101 - __post_init__ saw to it
        return "api_key", settings.api_key

    def _checked(self, name: str, secret: Secret, revealed: str) -> str:
        text = revealed.strip()
        wrong = ""
        if not text:
            wrong = "it is empty"
        elif text.lower().startswith("bearer "):
            wrong = "it begins with a header's word"
        elif not text.isascii() or not text.isprintable() or " " in text:
            wrong = "it holds characters that no header can carry"
        if wrong:
            raise ConfigError(
                f"the secret from {secret.source} is no {'key' if name == 'api_key' else 'token'}: {wrong}",
                key=f"providers.{self._provider}.{name}",
                hint="put there what the service showed when it was made, alone: one word of letters, digits, - and _",
            )
        return text

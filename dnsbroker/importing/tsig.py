"""The credentials of certbot's plugin for dynamic updates, as a provider of ours."""

from __future__ import annotations

from pathlib import Path

from dnsbroker.errors import ConfigError
from dnsbroker.importing.found import FoundProvider
from dnsbroker.importing.ini import read_ini
from dnsbroker.lineages.tree import read_text

_PREFIX = "dns_rfc2136_"
#: What the plugin takes where the file names none.
_ALGORITHM = "hmac-md5"


def rfc2136_provider(path: Path) -> FoundProvider:
    """The server and key that the file ``path`` names. Raises ConfigError."""
    try:
        sections = read_ini(read_text(path))
    except ValueError as error:
        raise ConfigError(str(error), path=str(path), hint="restore it from a copy") from error
    values = {key.removeprefix(_PREFIX): text for section in sections.values() for key, text in section.items()}
    missing = [key for key in ("server", "name", "secret") if not values.get(key)]
    if missing:
        raise ConfigError(f"{_PREFIX}{missing[0]} is missing", path=str(path), hint="write a [providers] table by hand")
    table: dict[str, object] = {"type": "rfc2136", "server": values["server"]}
    if values.get("port", "53") != "53":
        table["port"] = int(values["port"]) if values["port"].isdecimal() else values["port"]
    table["tsig_name"] = values["name"]
    table["tsig_algorithm"] = values.get("algorithm", _ALGORITHM).lower()
    return FoundProvider(table, "tsig_secret", values["secret"])

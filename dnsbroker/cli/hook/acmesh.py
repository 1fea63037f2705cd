"""acme.sh by way of its plugin ``dns_dnsbroker.sh``: the full name, any alias applied, and the value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dnsbroker.cli.hook.challenge import checked, counted, one_by_one, place_at, wrong
from dnsbroker.hooking.calls import Call, Cleanup, Present


def call(arguments: Sequence[str], environment: Mapping[str, str]) -> Call:
    """What ``add`` or ``rm`` asks for. Raises ConfigError where the arguments are not the plugin's."""
    word, *told = arguments or [""]
    if word not in ("add", "rm"):
        raise wrong(f"acme.sh has no hook {word!r}", "it is add or rm, as dns_dnsbroker.sh calls it")
    name, text = counted(told, "NAME VALUE", word)
    values = {place_at(name, "NAME"): [checked(text, f"VALUE for {name!r}")]}
    session = one_by_one("acme.sh")
    return Present(session, values) if word == "add" else Cleanup(session, values)

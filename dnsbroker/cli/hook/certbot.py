"""certbot's manual hooks and its deploy hook: everything is in the environment, and which hook it is in the argument.

certbot never clears what it has put there: each hook takes only what belongs to it. It calls once for each challenge,
goes on whatever we answer, and says how many calls are still to come.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from dnsbroker.cli.hook.challenge import checked, own_run, place_of, storable, wrong
from dnsbroker.hooking.calls import Call, Cleanup, Deploy, Present

_AUTH = "call it from certbot: --preferred-challenges dns --manual --manual-auth-hook 'dnsbroker-hook certbot-auth'"
_DEPLOY = "call it from certbot: --deploy-hook 'dnsbroker-hook certbot-deploy'"
_NUMBER = re.compile(r"[0-9]{1,6}")


def call(arguments: Sequence[str], environment: Mapping[str, str]) -> Call:
    """What ``auth``, ``cleanup`` or ``deploy`` asks for. Raises ConfigError where the environment is not certbot's."""
    word, *more = arguments or [""]
    if word not in ("auth", "cleanup", "deploy"):
        raise wrong(f"certbot has no hook {word!r} of ours", "it is auth, cleanup or deploy")
    if more:
        raise wrong(f"certbot passes {word} no arguments, and here is {more[0]!r}", "options stand before the word")
    if word == "deploy":
        lineage = environment.get("RENEWED_LINEAGE", "")
        if not lineage:
            raise wrong("RENEWED_LINEAGE is not set, which says what was renewed", _DEPLOY)
        return Deploy("", Path(lineage), is_alone=True)
    values = _values(environment)
    if word == "cleanup":
        return Cleanup(_session(environment), values)
    following, is_first = _position(environment)
    return Present(
        _session(environment), values, following=following, is_first=is_first, is_heeded=False, is_spaced=True
    )


def _values(environment: Mapping[str, str]) -> Mapping[str, Sequence[str]]:
    if "CERTBOT_TOKEN" in environment:
        raise wrong("CERTBOT_TOKEN is set: this challenge is http-01, for a file on a web server", _AUTH)
    for variable in ("CERTBOT_DOMAIN", "CERTBOT_VALIDATION"):
        if not environment.get(variable):
            raise wrong(f"{variable} is not set", _AUTH)
    place = place_of(environment["CERTBOT_DOMAIN"], "CERTBOT_DOMAIN")
    return {place: [checked(environment["CERTBOT_VALIDATION"], "CERTBOT_VALIDATION")]}


def _session(environment: Mapping[str, str]) -> str:
    """The run, which is known by its names and its processes; sorted, for the CA's order differs from run to run."""
    domains = environment.get("CERTBOT_ALL_DOMAINS", "")
    names = sorted((domains or environment["CERTBOT_DOMAIN"]).lower().split(","))
    session = f"certbot {','.join(names)}"
    return own_run(session, "certbot") or storable(session)


def _position(environment: Mapping[str, str]) -> tuple[int, bool]:
    """How many calls of the run are to come, none where that is not told; and whether this is the first one.

    There is one for each of the names; a name's wildcard counts as another.
    """
    domains = environment.get("CERTBOT_ALL_DOMAINS", "")
    remaining = environment.get("CERTBOT_REMAINING_CHALLENGES", "")
    if remaining and not _NUMBER.fullmatch(remaining):
        raise wrong(f"CERTBOT_REMAINING_CHALLENGES is no number: {remaining!r}", _AUTH)
    if not domains or not remaining:
        return 0, False
    return int(remaining), int(remaining) + 1 >= len(domains.split(","))

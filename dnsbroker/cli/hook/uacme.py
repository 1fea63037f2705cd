"""uacme's hook: it offers one kind of challenge after the other, and takes the first that is accepted.

Its rule: the arguments alone count; the same is in the environment, but only of newer versions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dnsbroker.cli.hook.challenge import Declined, checked, counted, one_by_one, place_of, storable, wrong
from dnsbroker.hooking.calls import Call, Cleanup, Present


def call(arguments: Sequence[str], environment: Mapping[str, str]) -> Call | Declined | None:
    """What ``begin``, ``done`` or ``failed`` asks for; None where that is nothing.

    Raises ConfigError where the arguments are not uacme's.
    """
    word, *told = arguments or [""]
    if word not in ("begin", "done", "failed"):
        raise wrong(f"uacme has no hook {word!r}", "it is begin, done or failed, as uacme's option -h calls it")
    kind, identifier, _, text = counted(told, "TYPE IDENT TOKEN AUTH", word)
    if kind != "dns-01":
        return Declined(f"{storable(kind)} is declined: only dns-01 is ours") if word == "begin" else None
    values = {place_of(identifier, "IDENT"): [checked(text, f"AUTH for {identifier!r}")]}
    # What done and failed end with is not heeded; what they could not withdraw is left to gc.
    session = one_by_one("uacme")
    return Present(session, values) if word == "begin" else Cleanup(session, values, is_forgiving=True)

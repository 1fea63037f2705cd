"""dehydrated's hooks: the name, then what the client tells; with HOOK_CHAIN all challenges of a certificate at once.

It ends its run at the first hook that fails: a failing ``clean_challenge`` would lose an order that the CA has
validated, a failing ``deploy_cert`` all certificates after it. Neither is worth that. A hook that is not known is none
of ours, as dehydrated asks.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from dnsbroker.cli.hook import is_unneeded
from dnsbroker.cli.hook.challenge import amount, checked, own_run, place_of, storable, wrong
from dnsbroker.hooking.calls import Admit, Call, Cleanup, Deploy, Ended, Home, Present, Refused, Started, Stumbled

_HINT = "have dehydrated call it: HOOK names dnsbroker-hook in its configuration"
#: What stands before the certificate's path, and all that is passed at least.
_FILES = {
    "sync_cert": "KEY CERT FULLCHAIN CHAIN",
    "deploy_cert": "DOMAIN KEY CERT FULLCHAIN CHAIN",
    "unchanged_cert": "DOMAIN KEY CERT FULLCHAIN CHAIN",
}
#: The VALUE of a tls-alpn-01 challenge, as openssl writes a SHA-256.
_DIGEST = re.compile(r"[0-9A-Fa-f]{2}(:?[0-9A-Fa-f]{2}){31}")


def call(arguments: Sequence[str], environment: Mapping[str, str]) -> Call | None:
    """What a hook asks for; None where that is nothing. Raises ConfigError where the arguments are not dehydrated's."""
    word, *told = arguments or [""]
    base = environment.get("BASEDIR", "")
    # Several may run at one place at once (--lock-suffix); by a session for all, one would sweep after those that live.
    session = own_run(f"dehydrated {base}", "dehydrated") if base else ""
    match word:
        case "deploy_challenge" | "clean_challenge":
            return _challenges(word, told, session)
        case "sync_cert" | "deploy_cert" | "unchanged_cert":
            return _files(word, told, session)
        case "startup_hook":
            return Started(session, _home(environment))
        case "exit_hook":
            return _end(told, session, _home(environment))
        case "invalid_challenge":
            name, response, *_ = [*map(storable, told), "", ""]
            return Refused(session, name, response)
    if is_unneeded(word):
        return None
    raise wrong(f"{word!r} is no hook of dehydrated's" if word else "dehydrated's hook has no name", _HINT)


def _end(told: Sequence[str], session: str, home: Home | None) -> Call:
    if not told:
        return Ended(session, home)
    # A run that did not begin has changed nothing since it was looked at.
    return Stumbled(session, None if told[0].startswith("startup_hook ") else home)


def _home(environment: Mapping[str, str]) -> Home | None:
    """Where this dehydrated keeps its certificates; None where it does not tell."""
    base, certificates = environment.get("BASEDIR", ""), environment.get("CERTDIR", "")
    return Home(Path(certificates), Path(environment.get("CONFIG", "")), Path(base)) if base and certificates else None


def _challenges(hook: str, told: Sequence[str], session: str) -> Call | None:
    """The call for those of dns-01; None where all are of other kinds, which certificates of their own may use."""
    if not told or len(told) % 3:
        message = f"{hook} takes DOMAIN TOKEN VALUE, once or again and again, and was given {amount(told)}"
        raise wrong(message, _HINT)
    values: dict[str, list[str]] = {}
    tokens: dict[str, str] = {}
    for domain, token, text in zip(told[::3], told[1::3], told[2::3], strict=True):
        if _is_of_another_kind(token, text):
            continue
        place, value = place_of(domain, f"DOMAIN of {hook}"), checked(text, f"VALUE of {hook} for {domain!r}")
        if value not in values.setdefault(place, []):
            values[place].append(value)
        tokens[value] = storable(token)
    if not values:
        return None
    if hook == "clean_challenge":
        return Cleanup(session, values, is_forgiving=True)
    return Present(session, values, tokens)


def _is_of_another_kind(token: str, text: str) -> bool:
    """Whether ``text`` is the VALUE of http-01, a key authorization (RFC 8555 section 8.1), or that of tls-alpn-01."""
    return bool((token and text.startswith(f"{token}.")) or _DIGEST.fullmatch(text))


def _files(hook: str, told: Sequence[str], session: str) -> Call:
    names = _FILES[hook].split()
    if len(told) < len(names) or not all(told[: len(names)]):
        raise wrong(f"{hook} takes {_FILES[hook]}, and was given {amount(told)}", _HINT)
    path = {name: Path(text) for name, text in zip(names, told, strict=False)}
    cert = path["CERT"]
    if hook == "sync_cert":
        return Admit(cert.parent, cert, path["FULLCHAIN"], path["KEY"])
    return Deploy(session, cert.parent, is_new=hook == "deploy_cert", is_heeded=False)

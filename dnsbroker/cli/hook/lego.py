"""lego's ``exec`` provider, in both modes: the record as it is to be, or (RAW) what it is to be made of.

In the default mode lego has followed aliases already, so the name is final, whatever it begins with.
"""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from hashlib import sha256

from dnsbroker.cli.hook.challenge import checked, counted, one_by_one, place_at, place_of, wrong
from dnsbroker.hooking.calls import Call, Cleanup, Present


def call(arguments: Sequence[str], environment: Mapping[str, str]) -> Call:
    """What ``present`` or ``cleanup`` asks for. Raises ConfigError where the arguments are not lego's."""
    word, *told = arguments or [""]
    if word not in ("present", "cleanup"):
        raise wrong(f"lego has no hook {word!r}", "it is present or cleanup, as lego's DNS provider `exec` calls it")
    values = _raw(word, told[1:]) if told[:1] == ["--"] else _final(word, told)
    session = one_by_one("lego")
    return Present(session, values) if word == "present" else Cleanup(session, values)


def _final(word: str, told: Sequence[str]) -> Mapping[str, Sequence[str]]:
    name, value = counted(told, "FQDN VALUE", word)
    return {place_at(name, "FQDN"): [checked(value, f"VALUE for {name!r}")]}


def _raw(word: str, told: Sequence[str]) -> Mapping[str, Sequence[str]]:
    """The value is made as RFC 8555 section 8.4 says."""
    domain, _, key_authorization = counted(told, "DOMAIN TOKEN KEYAUTH", f"{word} --")
    if not key_authorization.isascii() or not key_authorization:
        raise wrong("KEYAUTH is no key authorization", "it is the token, a dot and the account's thumbprint")
    digest = sha256(key_authorization.encode()).digest()
    return {place_of(domain, "DOMAIN"): [urlsafe_b64encode(digest).decode().rstrip("=")]}

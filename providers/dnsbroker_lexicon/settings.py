"""The configuration keys of ``type = "lexicon"``, and what can be said about them without importing dns-lexicon.

Refused: a service that dns-lexicon does not have, or that guesses the service itself; no zones, for dns-lexicon cannot
list them; a literal secret among the plain options. No value of a secret is in a message.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from dnsbroker.errors import NameInvalid
from dnsbroker.names import owner
from dnsbroker.settings import Rejected, Secret, key

INSTALL = "pip install 'dnsbroker[lexicon]'"

#: ``base`` is no service; ``auto`` finds one out by asking a resolver, and a broker never guesses its provider.
_NO_SERVICES = frozenset({"__init__", "auto", "base"})
_SECRET_WORDS = re.compile(r"token|secret|password|passwd|psw|pass|key|totp|2fa|account_info")
#: Options that hold such a word and are no secret.
_PLAIN_WORDS = re.compile(r"key_id|key_is_global|key_file|access_key_id")


def services() -> tuple[str, ...]:
    """The services of the dns-lexicon that is installed, found among its files; none where it is not installed."""
    spec = find_spec("lexicon")
    places = (spec.submodule_search_locations or ()) if spec else ()
    found = {file.stem for place in places for file in (Path(place) / "_private" / "providers").glob("*.py")}
    return tuple(sorted(found - _NO_SERVICES))


def _service(raw: object) -> object:
    if not isinstance(raw, str) or not raw.strip():
        raise Rejected("should be a string that is not empty", hint='for example "gandi"')
    known = services()
    if not known:
        raise Rejected('type = "lexicon" needs dns-lexicon, which is not installed', hint=INSTALL)
    if raw == "auto":
        raise Rejected("auto lets dns-lexicon guess the service", hint=f"name it: {', '.join(known)}")
    if raw not in known:
        near = difflib.get_close_matches(raw.lower(), known, 1, 0.0)
        raise Rejected(
            f'dns-lexicon has no service "{raw}"; the nearest is {near[0]}', hint=f"it has {', '.join(known)}"
        )
    return raw


def _options(raw: object) -> object:
    if not isinstance(raw, Mapping):
        raise Rejected("should be a table", hint='for example { auth_entrypoint = "ovh-eu" }')
    for name, value in raw.items():
        shown = f"{name} = {{ file = … }}"
        if isinstance(value, Mapping) or (isinstance(value, str) and _is_secret(name)):
            raise Rejected(f"{name} is a secret", hint=f"it belongs into secrets = {{ {shown} }}")
        if not isinstance(value, str | int):
            raise Rejected(f"{name} should be a string, an integer or a boolean", hint="put it into quotes")
    return dict(raw)


def _is_secret(name: str) -> bool:
    plain = name.lower().replace("-", "_")
    return bool(_SECRET_WORDS.search(plain)) and not _PLAIN_WORDS.search(plain)


def _zones(raw: object) -> object:
    if not isinstance(raw, list | tuple) or not raw or not all(isinstance(item, str) for item in raw):
        raise Rejected(
            "should be an array with at least one zone",
            hint='dns-lexicon cannot list the zones of an account: zones = ["example.org"]',
        )
    try:
        return tuple(dict.fromkeys(owner(item) for item in raw))
    except NameInvalid as error:
        raise Rejected(error.message, hint=error.hint or "correct the name, or take it out") from error


@dataclass(frozen=True, kw_only=True)
class LexiconSettings:
    """One account at one of the services that dns-lexicon knows."""

    service: str = key(doc="The service, by the name that dns-lexicon has for it.", example='"gandi"', read=_service)
    secrets: dict[str, Secret] = key(
        doc="Its secret options, by dns-lexicon's names.",
        example='{ auth_token = { file = "/etc/dnsbroker/gandi.token" } }',
    )
    options: Mapping[str, str | int] = key(
        {},
        doc="Its other options, by dns-lexicon's names: strings, integers or booleans.",
        example='{ api_protocol = "rest" }',
        read=_options,
    )
    zones: tuple[str, ...] = key(
        doc="The zones that it may write, and that are routed to it; dns-lexicon cannot list them.",
        example='["example.org"]',
        read=_zones,
    )

    def __post_init__(self) -> None:
        """Make settings that were built in Python the same as those read from a file; Rejected where they cannot."""
        for name, read in {"service": _service, "options": _options, "zones": _zones}.items():
            object.__setattr__(self, name, read(getattr(self, name)))
        twice = sorted(self.secrets.keys() & self.options.keys())
        if twice:
            raise Rejected(f"{twice[0]} stands in secrets too", key="options", hint="take one of them out")

"""External account binding: the CA's own customer number, tied to an account key (RFC 8555 section 7.3.4).

Pure. The CA's key is checked before anything is sent, for what a mail program or a copied line does to it; it is shown
nowhere, neither in an error nor in a repr.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from acme import jws
from josepy import json_util, jwa, jwk

from dnsbroker.acme.signing import AccountKey
from dnsbroker.errors import ConfigError

Algorithm = Literal["HS256", "HS384", "HS512"]
_ALGORITHMS: Mapping[str, jwa.JWASignature] = {"HS256": jwa.HS256, "HS384": jwa.HS384, "HS512": jwa.HS512}
_KEY = "eab_hmac_key"
_ALPHABET = re.compile(r"[A-Za-z0-9_-]+")
_ALPHABET_HINT = "base64url is of A-Z, a-z, 0-9, '-' and '_', without '=' at the end: copy the key as the CA shows it"


@dataclass(frozen=True)
class Binding:
    """The identifier ``kid`` and the MAC key, in base64url, that a CA gave for one registration.

    Raises ConfigError, which names the configuration's key, where one of them cannot be what a CA gives.
    """

    kid: str
    hmac_key: str = field(repr=False)
    algorithm: Algorithm = "HS256"

    def __post_init__(self) -> None:
        if self.algorithm not in _ALGORITHMS:
            hint = f"the CA says which: {', '.join(_ALGORITHMS)}"
            raise ConfigError(f"{self.algorithm!r} is no algorithm to bind with", key="eab_algorithm", hint=hint)
        if not self.kid or self.kid != self.kid.strip() or not self.kid.isprintable():
            hint = "copy the key identifier as the CA shows it, with no space before or after it"
            raise ConfigError("it is empty or holds white space", key="eab_kid", hint=hint)
        complaint, hint = _complaint(self.hmac_key)
        if complaint:
            raise ConfigError(complaint, key=_KEY, hint=hint)

    def payload(self, key: AccountKey, url: str) -> Mapping[str, object]:
        """The member ``externalAccountBinding`` for a new account with ``key`` at the newAccount resource ``url``."""
        mac = jwk.JWKOct(key=json_util.decode_b64jose(self.hmac_key))
        public = json.dumps(key.jwk()).encode()
        signed = jws.JWS.sign(public, key=mac, alg=_ALGORITHMS[self.algorithm], nonce=None, url=url, kid=self.kid)
        told: Mapping[str, object] = json.loads(signed.json_dumps())
        return told


def _complaint(key: str) -> tuple[str, str]:
    """What is wrong with the text of a MAC key, and what to do; both empty where it is in order."""
    if not key:
        return "it is empty", "copy the key as the CA shows it"
    if any(character.isspace() for character in key):
        return "it holds white space", "the key is one word: was a line broken when it was copied"
    if key.endswith("="):
        return "it is padded", "leave out every '=' at its end: base64url has none here"
    if "+" in key or "/" in key:
        return "it is in the wrong alphabet", "this is plain base64: write '-' for each '+' and '_' for each '/'"
    if not _ALPHABET.fullmatch(key):
        return "it is not base64url", _ALPHABET_HINT
    return ("it is cut off", "one character is missing or too many: copy it anew") if len(key) % 4 == 1 else ("", "")

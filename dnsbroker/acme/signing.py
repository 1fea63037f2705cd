"""The account key: what it signs, and its thumbprint's part in a challenge.

The door to acme's JWS and josepy's keys. A key that cannot sign as a CA wants it is refused at once; nothing here
shows a private key.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from acme import jws
from josepy import errors, json_util, jwa, jwk

from dnsbroker import keys
from dnsbroker.errors import PemInvalid

_KEPT = "it stands below state_dir/accounts: put back an unencrypted EC or RSA key, or move its directory away"
_CURVES = {"P-256": jwa.ES256, "P-384": jwa.ES384, "P-521": jwa.ES512}


class AccountKey:
    """A private key that signs requests, from PEM text: EC on P-256, P-384 or P-521, or RSA. Raises PemInvalid.

    ``what`` and ``hint`` are for that error, where the key is not an account's own from the store.
    """

    def __init__(self, pem: str, *, what: str = "account key", hint: str = _KEPT) -> None:
        try:
            self._private = _checked(_load(pem))
        except _Unusable as error:
            raise PemInvalid(what, str(error), hint=hint) from error
        self._algorithm = _algorithm(self._private)
        self.public = self._private.public_key()

    def sign(self, payload: bytes, *, url: str, nonce: str, kid: str) -> bytes:
        """The body of a POST to ``url``, in flattened JSON (RFC 8555 section 6.2).

        With an empty ``kid`` the public key itself goes along, as newAccount wants it; without a ``nonce`` it is the
        inner half of a change of keys (section 7.3.5).
        """
        signed = jws.JWS.sign(
            payload,
            key=self._private,
            alg=self._algorithm,
            nonce=json_util.decode_b64jose(nonce) if nonce else None,
            url=url,
            kid=kid or None,
        )
        text: str = signed.json_dumps(indent=2)
        return text.encode()

    def jwk(self) -> Mapping[str, object]:
        """The public half as a JSON Web Key (RFC 7517)."""
        members: Mapping[str, object] = self.public.to_json()
        return members


def key_from_jwk(text: str) -> str:
    """The private key in a JSON Web Key (RFC 7517), as certbot keeps an account's, in PEM (PKCS#8).

    Raises PemInvalid where the text holds no private EC or RSA key.
    """
    try:
        private = _checked(jwk.JWK.json_loads(text))
    except (_Unusable, errors.Error, ValueError, TypeError, KeyError, AttributeError) as error:
        reason = str(error) if isinstance(error, _Unusable) else "it cannot be read"
        raise PemInvalid("account key in JSON", reason, hint="certbot keeps one in private_key.json") from None
    wrapped: Any = private.key
    return keys.pkcs8(wrapped)


class _Unusable(Exception):
    """Why a key cannot sign."""


def _load(pem: str) -> jwk.JWK:
    try:
        return jwk.JWK.load(pem.encode())
    except (errors.Error, ValueError) as error:
        raise _Unusable("it is of a kind that no CA accepts") from error


def _checked(key: object) -> jwk.JWKEC | jwk.JWKRSA:
    # What josepy cannot read it takes for a symmetric key: a damaged file would sign, as HMAC, with its own text.
    if not isinstance(key, jwk.JWKEC | jwk.JWKRSA):
        raise _Unusable("it cannot be read")
    try:
        members = key.to_partial_json()
    except (errors.Error, ValueError) as error:
        raise _Unusable("it is of a kind that no CA accepts") from error
    if "d" not in members:
        raise _Unusable("it is a public key")
    return key


def _algorithm(key: jwk.JWK) -> jwa.JWASignature:
    if isinstance(key, jwk.JWKRSA):
        return jwa.RS256
    return _CURVES[str(key.public_key().to_partial_json()["crv"])]

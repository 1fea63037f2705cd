"""The account key: what it signs, and its thumbprint's part in a challenge.

The door to acme's JWS and josepy's keys. A key that cannot sign as a CA wants it is refused at once; nothing here
shows a private key.
"""

from __future__ import annotations

from acme import jws
from josepy import errors, json_util, jwa, jwk

from dnsbroker.errors import PemInvalid

_CURVES = {"P-256": jwa.ES256, "P-384": jwa.ES384, "P-521": jwa.ES512}


class AccountKey:
    """An account's private key from PEM text: EC on P-256, P-384 or P-521, or RSA. Raises PemInvalid."""

    def __init__(self, pem: str) -> None:
        self._private = _load(pem)
        self._algorithm = _algorithm(self._private)
        self.public = self._private.public_key()

    def sign(self, payload: bytes, *, url: str, nonce: str, kid: str) -> bytes:
        """The body of a POST to ``url``, in flattened JSON (RFC 8555 section 6.2).

        With an empty ``kid`` the public key itself goes along, as newAccount wants it.
        """
        signed = jws.JWS.sign(
            payload,
            key=self._private,
            alg=self._algorithm,
            nonce=json_util.decode_b64jose(nonce),
            url=url,
            kid=kid or None,
        )
        text: str = signed.json_dumps(indent=2)
        return text.encode()


def _load(pem: str) -> jwk.JWK:
    try:
        key = jwk.JWK.load(pem.encode())
        members = key.to_partial_json()
    except (errors.Error, ValueError) as error:
        raise _unusable("it is of a kind that no CA accepts") from error
    # What josepy cannot read it takes for a symmetric key: a damaged file would sign, as HMAC, with its own text.
    if not isinstance(key, jwk.JWKEC | jwk.JWKRSA):
        raise _unusable("it cannot be read")
    if "d" not in members:
        raise _unusable("it is a public key")
    return key


def _algorithm(key: jwk.JWK) -> jwa.JWASignature:
    if isinstance(key, jwk.JWKRSA):
        return jwa.RS256
    return _CURVES[str(key.public_key().to_partial_json()["crv"])]


def _unusable(reason: str) -> PemInvalid:
    return PemInvalid(
        "account key",
        reason,
        hint="it stands below state_dir/accounts: put back an unencrypted EC or RSA key, or move its directory away",
    )

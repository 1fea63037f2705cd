"""Anti-replay nonces: kept from every reply, used once, newest first.

What is no canonical base64url is ignored, as RFC 8555 section 6.5.1 demands: it could not be sent back as it came.
"""

from __future__ import annotations

from josepy import errors, json_util

from dnsbroker.transport import Reply


def offered(reply: Reply) -> str:
    """The nonce in the reply, whatever its status; empty if it has none that can be used."""
    nonce = reply.headers.get("replay-nonce", "")
    return nonce if is_usable(nonce) else ""


def is_usable(nonce: str) -> bool:
    """Whether ``nonce`` is base64url without padding that comes back the same when it is decoded and encoded."""
    try:
        return bool(nonce) and json_util.encode_b64jose(json_util.decode_b64jose(nonce)) == nonce
    except errors.DeserializationError:
        return False


class Nonces:
    """The nonces that replies brought and no request has used. For one event loop; its methods do not wait."""

    def __init__(self) -> None:
        self._kept: list[str] = []

    def keep(self, reply: Reply) -> None:
        """Keep the reply's nonce, if it has one."""
        if nonce := offered(reply):
            self._kept.append(nonce)

    def take(self) -> str:
        """The newest nonce, which is then gone; empty if there is none."""
        return self._kept.pop() if self._kept else ""

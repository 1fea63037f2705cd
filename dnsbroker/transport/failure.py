"""Why there is no reply; a proxy is named without its password."""

from __future__ import annotations

import re


class HTTPFailed(Exception):
    """No usable reply. ``reached`` is true where the server may have read and acted on the request.

    ``is_late`` says that there was nothing but silence in the time it may take, ``untrusted`` that the server's
    certificate did not verify; ``proxy`` is the one that the request went through, without its password, or empty.
    """

    def __init__(
        self, reason: str, *, reached: bool, is_late: bool = False, untrusted: bool = False, proxy: str = ""
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.reached = reached
        self.is_late = is_late
        self.untrusted = untrusted
        self.proxy = proxy


def without_password(proxy: str) -> str:
    """The proxy's URL without user and password."""
    return re.sub(r"//.*@", "//", proxy)

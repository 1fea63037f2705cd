"""Which certificate a daemon serves at this moment, asked of OpenSSL's client and not of the code under test.

Rule: a handshake that succeeds proves the pair, for the server has signed with the key. Refused: judging the chain.
"""

from __future__ import annotations

import re
import subprocess
import threading
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from cryptography import x509

SECONDS = 5
_EVERY = 0.05


def serial(address: str, port: int, options: Sequence[str] = ()) -> str:
    """The serial number served, in lower-case hex; empty where no handshake succeeds. ``options`` as s_client's."""
    command = ["openssl", "s_client", "-connect", f"{address}:{port}", *options]
    try:
        done = subprocess.run(command, input=b"", capture_output=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return ""
    found = re.search(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", done.stdout, re.DOTALL)
    return f"{x509.load_pem_x509_certificate(found[0]).serial_number:x}" if found and done.returncode == 0 else ""


class Watch:
    """Asks again and again while the block runs, at its beginning and at its end, too.

    ``seen``: the answers in their order, repetitions left out.
    """

    def __init__(self, ask: Callable[[], str]) -> None:
        self._ask = ask
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._look, name="watch", daemon=True)
        self.seen: list[str] = []

    def _look(self) -> None:
        while not self._end.wait(_EVERY):
            self._add(self._ask())

    def _add(self, answer: str) -> None:
        if self.seen[-1:] != [answer]:
            self.seen.append(answer)

    def __enter__(self) -> Self:
        self._add(self._ask())
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end.set()
        self._thread.join()
        self._add(self._ask())

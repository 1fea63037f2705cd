"""A host as in ``hooked_host`` whose certificate has TLSA records, with a dehydrated's own configuration beside it.

Rule: what the client lays out is put there by the test; time passes only as it says.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from authority import START
from dnsbroker.config import DaneConfig
from dnsbroker.hooking import Answer
from dnsbroker.hooking.calls import Ended, Home, Started
from hooked_host import KEY, SESSION, Host, chain
from remembered_tlsa import TTL, Remembered

#: The certificate ends 90 days after START.
DUE = START + timedelta(days=60)
RIPE = timedelta(seconds=2 * TTL)


class Managed(Host):
    """A host whose ``a.test`` has TLSA records; ``reference`` is what the ``[[dane]]`` table calls it."""

    def __init__(self, directory: Path, client: str = "dehydrated", reference: str = "a.test") -> None:
        super().__init__(directory, client)
        self.kept.renew(KEY, chain(KEY, 1))
        self.reference = reference or str(self.kept.directory)
        self.tlsa = (DaneConfig(endpoint=("smtp://a.test",), certificate=(self.reference,)),)
        self.now = DUE
        self.dane = self.records = Remembered(DUE, {self.reference: self.kept.directory})
        certs = self.kept.directory.parent
        self.home = Home(certs, certs.parent / "config", certs.parent)
        self.set("PRIVATE_KEY_ROLLOVER=yes")

    def set(self, *lines: str, place: Path | None = None) -> None:
        """Dehydrated's own configuration."""
        (place or self.home.configuration).write_text("".join(f"{line}\n" for line in lines))

    def later(self, passed: timedelta) -> None:
        """So much time passes."""
        self.now += passed
        self.records.set_time(self.now)

    def lay_out(self, key_pem: str) -> None:
        """As dehydrated does in a run that signs."""
        self.kept.next_key.write_text(key_pem)

    def start(self) -> Answer:
        """As startup_hook says it."""
        return self.call(Started(SESSION, self.home))


def covered(host: Managed, *key_pems: str) -> None:
    """Their records and that of the live one stand for so long that every cache has them."""
    host.call(Ended(SESSION, host.home))
    for key_pem in key_pems:
        host.lay_out(key_pem)
        host.call(Ended(SESSION, host.home))
    host.later(RIPE)
    host.records.brought.clear()

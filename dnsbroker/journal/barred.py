"""Keys that were compromised, by the SHA-256 of their SPKI: never to be used again, and so never forgotten."""

from __future__ import annotations

from dnsbroker.journal.database import Journal


class Barred:
    """The barred keys in a journal; a key is named by the SHA-256 of its SPKI in hex. Each method raises StoreError."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def bar(self, spki_sha256: str, reason: str) -> None:
        """Bar a key for ever; the first ``reason`` stays."""
        with self._journal.transaction() as database:
            database.execute(
                "INSERT OR IGNORE INTO barred_key (spki_sha256, reason) VALUES (?, ?)", (spki_sha256.lower(), reason)
            )

    def is_barred(self, spki_sha256: str) -> bool:
        """Whether that key must not be used."""
        return bool(self._journal.rows("SELECT 1 FROM barred_key WHERE spki_sha256 = ?", (spki_sha256.lower(),)))

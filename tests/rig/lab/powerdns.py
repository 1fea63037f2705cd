"""PowerDNS with SQLite as a primary, its zones made by pdnsutil as an administrator makes them.

Rule: what pdnsutil leaves unset stays unset, so a zone made here has no SOA-EDIT-API. Refused: changing zones behind
the server's back in its database; tests use pdnsutil or the API.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab import wire
from lab.processes import LabError, Server, run
from lab.zonefile import absolute, zone_text

SCHEMA = Path("/usr/share/doc/pdns-backend-sqlite3/schema.sqlite3.sql")


@dataclass(frozen=True)
class Reply:
    """What the API answered: status, headers with lower-case names, the body as text."""

    status: int
    headers: Mapping[str, str]
    body: str

    def object(self) -> dict[str, Any]:
        """The body, which is a JSON object."""
        decoded = json.loads(self.body)
        assert isinstance(decoded, dict)
        return decoded

    def expect(self, status: int) -> Reply:
        """The reply itself; LabError if it has another status."""
        if self.status != status:
            raise LabError(f"PowerDNS answered {self.status}, not {status}: {self.body}")
        return self


class PowerDNS(Server):
    """A PowerDNS primary; the API listens at ``api_port`` of the same address.

    ``also_notify``: addresses of secondaries. ``settings``: further lines of pdns.conf, or other values for ours.
    """

    def __init__(
        self,
        directory: Path,
        *,
        address: str = "127.0.0.11",
        port: int = 53,
        api_port: int = 8081,
        also_notify: Sequence[str] = (),
        settings: Mapping[str, str] | None = None,
        name: str = "powerdns",
    ) -> None:
        super().__init__(name, directory, address=address, port=port)
        self.api_port = api_port
        self.api_key = secrets.token_urlsafe(16)
        self.also_notify = tuple(also_notify)
        self.settings = dict(settings or {})

    @property
    def url(self) -> str:
        """The API's base URL, as dnsbroker's configuration takes it."""
        return f"http://{self.address}:{self.api_port}"

    @property
    def api_key_file(self) -> Path:
        """A file with the API key and nothing else, readable by its owner only."""
        return self.directory / "api.key"

    @property
    def database(self) -> Path:
        """The SQLite database of the zones."""
        return self.directory / "zones.sqlite3"

    def write_files(self) -> None:
        """Configuration, the empty database, the API key's file."""
        lines = [f"{name}={value}\n" for name, value in (self._own_settings() | self.settings).items()]
        (self.directory / "pdns.conf").write_text("".join(lines))
        self.api_key_file.touch(mode=0o600)
        self.api_key_file.write_text(self.api_key + "\n")
        if not self.database.exists():
            with sqlite3.connect(self.database) as database:
                database.executescript(SCHEMA.read_text())
            database.close()

    def _own_settings(self) -> dict[str, str]:
        return {
            "launch": "gsqlite3",
            "gsqlite3-database": str(self.database),
            "gsqlite3-dnssec": "yes",
            "gsqlite3-pragma-synchronous": "0",
            "local-address": self.address,
            "local-port": str(self.port),
            # secondaries look at the source of a NOTIFY
            "query-local-address": self.address,
            "also-notify": ",".join(self.also_notify),
            "only-notify": "127.0.0.0/8",
            "allow-axfr-ips": "127.0.0.0/8,::1,fd00::/64",
            "primary": "yes",
            "api": "yes",
            "api-key": self.api_key,
            "webserver": "yes",
            "webserver-address": self.address,
            "webserver-port": str(self.api_port),
            "webserver-allow-from": "127.0.0.0/8",
            "socket-dir": str(self.directory),
            # a zone that pdnsutil makes while the server runs is to be served at once
            "zone-cache-refresh-interval": "0",
            "security-poll-suffix": "",
            "disable-syslog": "yes",
            "write-pid": "no",
            "loglevel": "5",
        }

    def command(self) -> Sequence[str | Path]:
        """The server in the foreground."""
        return ["pdns_server", f"--config-dir={self.directory}", "--daemon=no", "--guardian=no"]

    def is_ready(self) -> bool:
        """It answers DNS and its API."""
        if not wire.answers(self.address, port=self.port):
            return False
        try:
            return self.api("GET", "").status == 200
        except OSError:
            return False

    def pdnsutil(self, *arguments: str | Path) -> str:
        """What ``pdnsutil ARGUMENTS`` prints; LabError if it fails. Works while the server is stopped, too."""
        return run(["pdnsutil", f"--config-dir={self.directory}", *arguments])

    def create_zone(
        self,
        zone: str,
        records: str = "",
        *,
        kind: str = "primary",
        serial: int = 1,
        ttl: int = 60,
        servers: Mapping[str, Sequence[str]] | None = None,
        soa_edit: str = "",
        soa_edit_api: str = "",
        signed: bool = False,
    ) -> list[str]:
        """Make a zone with pdnsutil; gives back its DS records (in presentation form, SHA-256 only) if it is signed.

        ``records``: further lines of the zone file. ``servers``: its name servers with their addresses; default this
        one as ``ns1`` in the zone. ``soa_edit_api`` is set only where it is not empty.
        """
        file = self.directory / f"{zone.strip('.')}.zone"
        file.write_text(zone_text(zone, serial, servers or {"ns1": [self.address]}, ttl=ttl) + records)
        self.pdnsutil("load-zone", zone, file)
        self.pdnsutil("set-kind", zone, kind)
        for metadata, value in (("SOA-EDIT", soa_edit), ("SOA-EDIT-API", soa_edit_api)):
            if value:
                self.pdnsutil("set-meta", zone, metadata, value)
        if not signed:
            return []
        self.pdnsutil("secure-zone", zone)
        return self.ds(zone)

    def delete_zone(self, zone: str) -> None:
        """Remove a zone and all that belongs to it, answers in the server's caches included."""
        self.api("DELETE", f"/zones/{absolute(zone)}").expect(204)

    def ds(self, zone: str) -> list[str]:
        """The DS records (SHA-256) that the parent of a signed zone needs, in presentation form."""
        lines = [line.partition(" IN DS ")[2].split(";")[0].strip() for line in self._ds_lines(zone)]
        return [line for line in lines if line.split()[2:3] == ["2"]]

    def _ds_lines(self, zone: str) -> list[str]:
        return self.pdnsutil("export-zone-ds", zone).splitlines()

    def api(self, method: str, path: str, body: object = None, *, key: str | None = None) -> Reply:
        """One API call; ``path`` follows ``/api/v1/servers/localhost``. An HTTP error status is an ordinary reply."""
        request = urllib.request.Request(  # noqa: S310 - the URL is our own
            f"{self.url}/api/v1/servers/localhost{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"X-API-Key": self.api_key if key is None else key, "Accept": "application/json"},
        )
        direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with direct.open(request, timeout=10) as answer:
                return _reply(answer.status, answer.headers.items(), answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return _reply(error.code, error.headers.items(), error.read())

    def settings_of(self, zone: str) -> dict[str, Any]:
        """What the API says of a zone, its records included."""
        reply = self.api("GET", f"/zones/{absolute(zone)}")
        return reply.expect(200).object()

    def set_soa_edit_api(self, zone: str, value: str) -> None:
        """Set SOA-EDIT-API through the API; an empty value unsets it."""
        self.api("PUT", f"/zones/{absolute(zone)}", {"soa_edit_api": value}).expect(204)

    def notify(self, zone: str) -> None:
        """Tell the secondaries now."""
        self.api("PUT", f"/zones/{absolute(zone)}/notify").expect(200)

    def patch(self, zone: str, changes: Sequence[Mapping[str, object]]) -> None:
        """Send these RRset changes in one PATCH."""
        self.api("PATCH", f"/zones/{absolute(zone)}", {"rrsets": changes}).expect(204)

    def replace(self, zone: str, name: str, values: Sequence[str], *, record_type: str = "TXT", ttl: int = 5) -> None:
        """Make an RRset exactly these values (as the API takes them, so TXT quoted); none: delete it."""
        change: dict[str, object] = {"name": absolute(name), "type": record_type, "changetype": "DELETE"}
        if values:
            records = [{"content": value, "disabled": False} for value in values]
            change |= {"changetype": "REPLACE", "ttl": ttl, "records": records}
        self.patch(zone, [change])


def _reply(status: int, headers: Sequence[tuple[str, str]], body: bytes) -> Reply:
    return Reply(status, {name.lower(): value for name, value in headers}, body.decode())

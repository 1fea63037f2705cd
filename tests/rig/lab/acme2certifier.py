"""acme2certifier, the lab's second ACME server: another code base than Pebble's, with what Pebble 2.4 lacks.

Rule: it validates for real, through the resolver it is given, unless it is told to trust; it issues below a root and an
intermediate of the lab's own. Refused: anything beyond loopback, and writing anywhere but in its directory.
"""

from __future__ import annotations

import configparser
import contextlib
import datetime
import json
import re
import sqlite3
import ssl
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from lab.pebble import fetch, write_listener_certificate
from lab.private_ca import write_authority
from lab.processes import Server, with_environment

RIG = Path(__file__).parent.parent
DEFAULT_LIFETIME = datetime.timedelta(days=90)
REQUEST_LINE = re.compile(r'"(?P<method>[A-Z]+) (?P<path>/\S*) HTTP/[\d.]+" (?P<status>\d{3})')


class SecondCA(Server):
    """An ACME server at https://localhost:PORT/directory; its revocation list is at ``crl_url``.

    Everything below may be changed while it runs, and holds after :meth:`restart`.

    Attributes:
        resolver: an IP address; the port is always 53.
        trusting: whether it finds every challenge proved, unseen.
        binding_keys: keys for external account binding by kid, base64url; given, it demands one.
        profiles: what it advertises, by name; at least two, since with one alone it takes any name for that one.
        lifetime: of certificates.
        renewal_info: whether it offers renewal information (RFC 9773).
        window: its suggestion, as the share of the lifetime (per cent) after which it begins, and its length.
        crl: whether certificates say where the revocation list is.
    """

    def __init__(
        self,
        directory: Path,
        *,
        resolver: str = "127.0.0.53",
        address: str = "127.0.0.1",
        port: int = 14600,
        binding_keys: Mapping[str, str] | None = None,
        profiles: Mapping[str, str] | None = None,
        trusting: bool = False,
        name: str = "second-ca",
    ) -> None:
        super().__init__(name, directory, address=address, port=port)
        self.resolver = resolver
        self.trusting = trusting
        self.binding_keys = dict(binding_keys or {})
        self.profiles = dict(profiles or {})
        self.lifetime = DEFAULT_LIFETIME
        self.renewal_info = True
        self.window: tuple[float, datetime.timedelta] = (85.0, datetime.timedelta(days=1))
        self.crl = True

    @property
    def url(self) -> str:
        """The ACME directory's URL."""
        return f"https://localhost:{self.port}/directory"

    @property
    def crl_url(self) -> str:
        """Where its revocation list is."""
        return f"http://{self.address}:{self.port + 1}/crl"

    @property
    def ca_file(self) -> Path:
        """Trust for the listener's TLS (not for issued certificates)."""
        return self.directory / "ca.pem"

    @property
    def root_file(self) -> Path:
        """Trust for issued certificates."""
        return self.directory / "root.pem"

    def write_files(self) -> None:
        """The listener's certificate, its own CA, and the configuration; what is there stays."""
        if not self.ca_file.exists():
            write_listener_certificate(self.directory)
            write_authority(self.directory, "second CA")
            (self.directory / "issued").mkdir()
        (self.directory / "binding.json").write_text(json.dumps(self.binding_keys))
        parser = configparser.ConfigParser(interpolation=None)
        parser.optionxform = str  # type: ignore[assignment,method-assign] # the documented way to keep capitals
        parser.read_dict(self._settings())
        with (self.directory / "acme_srv.cfg").open("w") as file:
            parser.write(file)

    def _settings(self) -> dict[str, dict[str, str]]:
        here = self.directory
        begins, lasts = self.window
        settings = {
            "DEFAULT": {"debug": "False", "dns_server_list": json.dumps([self.resolver])},
            "DBhandler": {"handler": "wsgi", "dbfile": str(here / "acme_srv.db")},
            "CAhandler": {
                "handler_module": "lab.acme2certifier_issuing",
                "issuing_ca_key": str(here / "issuing.key"),
                "issuing_ca_cert": str(here / "issuing.pem"),
                "issuing_ca_crl": str(here / "crl.pem"),
                "cert_save_path": str(here / "issued"),
                "lifetime_seconds": str(self.lifetime.total_seconds()),
                "crl_url": self.crl_url if self.crl else "",
            },
            "Challenge": {
                "http_01_support": "False",
                "tls_alpn_01_support": "False",
                "challenge_validation_disable": str(self.trusting),
            },
            "Directory": {"tos_url": "https://localhost/terms"},
            "Order": {"profiles": json.dumps(self.profiles)} if self.profiles else {},
            "Renewalinfo": {
                "renewalinfo_disable": str(not self.renewal_info),
                "renewalthreshold_pctg": str(begins),
                "renewal_window_duration": f"{lasts.total_seconds():.0f}s",
            },
        }
        if self.binding_keys:
            settings["EABhandler"] = {
                "eab_handler_module": "acme2certifier.eabhandlers.json_handler",
                "key_file": str(here / "binding.json"),
            }
        return settings

    def command(self) -> Sequence[str | Path]:
        """The server in the foreground."""
        environment = {
            "PYTHONPATH": str(RIG),
            "ACME_SRV_CONFIGFILE": str(self.directory / "acme_srv.cfg"),
            **({"ACME2CERTIFIER_I_KNOW_THE_RISK": "1"} if self.trusting else {}),
        }
        program: list[str | Path] = [
            sys.executable,
            "-m",
            "lab.acme2certifier_server",
            self.directory,
            self.address,
            str(self.port),
        ]
        return with_environment(environment, program)

    def is_ready(self) -> bool:
        """It shows its directory."""
        try:
            return "newOrder" in json.loads(fetch(self.url, ssl.create_default_context(cafile=str(self.ca_file))))
        except OSError:
            return False

    def restart(self) -> None:
        """Start it anew with what the attributes now say; accounts, orders and certificates stay."""
        self.stop()
        self.write_files()
        self.start()

    def profiles_ordered(self) -> list[str]:
        """The profile of each order so far, in their order; empty where none was asked for."""
        with contextlib.closing(sqlite3.connect(self.directory / "acme_srv.db")) as database:
            return [profile or "" for (profile,) in database.execute("SELECT profile FROM orders ORDER BY id")]

    def requests(self, path: str = "/") -> list[str]:
        """The requests so far whose path begins so, "METHOD PATH STATUS" each, in their order."""
        found = (REQUEST_LINE.search(line) for line in self.log.read_text(errors="replace").splitlines())
        lines = [f"{one['method']} {one['path']} {one['status']}" for one in found if one]
        return [line for line in lines if line.split()[1].startswith(path)]

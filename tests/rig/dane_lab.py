"""Signed zones, mail and web servers and a CA of several issuers: what DANE needs, inside the lab.

::

    with DaneLab(lab, directory) as dane:
        mail = dane.machine("mail", {"mail": {"names": ["mail.dane.test"]}})
        mail("issue")
        mail.serve(MailServer, ["mail"], ["127.0.0.100", "::1"])
        mail.manage({"endpoint": "smtp://mail.dane.test", "certificate": "mail"})

Rule: TTLs are a second or two, so that everything a cache can do happens while a test looks on. The daemons are
Debian's, and take the program's own live files when its deploy hook says so. Refused: records by any other way than the
program's, but for those that a test writes in somebody else's name.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from daemons.daemon import Daemon
from daemons.mail import FAKEROOT, Postfix, unpacked
from daemons.one_user import with_users
from daemons.recipe import Recipe
from daemons.web import Nginx
from dane_client import digest
from lab.configuration import to_toml
from lab.pebble import Pebble
from lab.processes import look_until, with_environment
from lab.rig import Lab
from lab.topology import RESOLVER, Domain
from program import Program

TTL = 1
"""Seconds, of everything in these zones."""

MIN_WAIT = 2
"""Seconds from the moment at which a record is everywhere until it is relied on, as these tests configure it."""

LATE = "8s"
"""When a name server is late: BIND tells its secondaries of a second change after five seconds."""

ZONE = Domain(
    "dane.test",
    "powerdns",
    ["bind-secondary", "nsd"],
    ttl=TTL,
    soa_edit_api="INCREASE",
    records="""\
@ MX 10 mail
mail A 127.0.0.100
mail AAAA ::1
www A 127.0.0.101
www AAAA ::1
both A 127.0.0.102
both A 127.0.0.103
alias A 127.0.0.104
killed A 127.0.0.105
_443._tcp.alias CNAME _443._tcp.alias.danebind.test.
""",
)
"""The zone of every host; the TLSA records of one of them are in the other zone."""

OTHER = Domain("danebind.test", "bind", ["knot"], ttl=TTL)
"""A zone for dynamic updates, which BIND signs as they come."""


class MailServer(Postfix):
    """Postfix, at every address whatever ``addresses`` are, with the key and chain of each of ``certificates``."""

    def __init__(self, directory: Path, state: Path, certificates: Sequence[str], addresses: Sequence[str]) -> None:
        files = ", ".join(str(state / "live" / name / "combined.pem") for name in certificates)
        self._lines = f"inet_protocols = all\nsmtpd_tls_security_level = may\nsmtpd_tls_chain_files = {files}\n"
        super().__init__(directory, state)

    def _recipe(self, state: Path) -> Recipe:
        return Recipe("", self._lines)

    def finger(self, *arguments: str) -> str:
        """What ``posttls-finger`` prints with these arguments; its resolver is the lab's, by /etc/resolv.conf."""
        settings = {
            "LD_LIBRARY_PATH": str(unpacked("postfix", "usr/lib/postfix")),
            "LD_PRELOAD": FAKEROOT,
            "MAIL_CONFIG": str(self.directory),
        }
        program = unpacked("postfix", "usr/sbin/posttls-finger")
        command = with_users(with_environment(settings, [program, *arguments]))
        done = subprocess.run(command, cwd=self.directory, capture_output=True, text=True, timeout=60, check=False)
        return done.stdout + done.stderr


class WebServer(Nginx):
    """nginx at ``addresses``, with the key and chain of each of ``certificates``."""

    def __init__(self, directory: Path, state: Path, certificates: Sequence[str], addresses: Sequence[str]) -> None:
        written = [f"[{one}]" if ":" in one else one for one in addresses]
        listen = [f"listen {one}:443 ssl;\n" for one in written]
        live = [state / "live" / name for name in certificates]
        files = [f"ssl_certificate {one}/fullchain.pem;\nssl_certificate_key {one}/privkey.pem;\n" for one in live]
        self._lines = "".join(["server {\n", *listen, *files, "}\n"])
        super().__init__(directory, state)
        self.address = written[0]

    def _recipe(self, state: Path) -> Recipe:
        return Recipe("", self._lines)


class Machine(Program):
    """One host: its own configuration and state directory, and the daemons that serve its certificates."""

    def __init__(self, directory: Path, text: str) -> None:
        directory.mkdir()
        file = directory / "dnsbroker.toml"
        file.touch(mode=0o600)
        file.write_text(text)
        super().__init__(file)
        self.directory = directory
        self._text = text
        self.daemons: list[Daemon] = []

    def serve(
        self,
        kind: type[MailServer] | type[WebServer],
        certificates: Sequence[str],
        addresses: Sequence[str],
    ) -> Daemon:
        """Start a daemon with the live files of these certificates; from now on, the deploy hook reloads it."""
        daemon = kind(self.directory / f"daemon{len(self.daemons)}", self.state, certificates, addresses)
        daemon.prepare()
        daemon.start()
        self.daemons.append(daemon)
        self.reload_by("".join(f"{each.reload}\n" for each in self.daemons))
        return daemon

    def reload_by(self, commands: str) -> None:
        """Let the deploy hook of every certificate do this."""
        (self.directory / "reload").write_text(commands)

    def change(self, old: str, new: str) -> None:
        """Edit the configuration as a person does; ``old`` has to be there."""
        assert old in self._text, self._text
        text = self.configuration.read_text()
        self._text = self._text.replace(old, new)
        self.configuration.write_text(text.replace(old, new))

    def manage(self, *tables: Mapping[str, object]) -> None:
        """Have these ``[[dane]]`` tables from now on, TTL and waits as short as the zones'."""
        usual = {"ttl": f"{TTL}s", "min_wait": f"{MIN_WAIT}s"}
        inline = to_toml({"dane": [{**usual, **table} for table in tables]})
        self.configuration.write_text(inline + self._text)

    def advance(self) -> None:
        """``tlsa advance`` until nothing is left to move; each time it has to say that something is, or to succeed."""

        def is_over() -> bool:
            ran = self("tlsa", "advance")
            assert ran.status in (0, 5), (ran.status, ran.stdout, ran.stderr)
            return ran.status == 0

        look_until(is_over, "nothing is left to move", 90, 0.3)

    def chain(self, name: str) -> list[bytes]:
        """A live chain, each certificate as DER, leaf first."""
        found = x509.load_pem_x509_certificates((self.live(name) / "fullchain.pem").read_bytes())
        return [each.public_bytes(Encoding.DER) for each in found]

    def serials(self) -> set[int]:
        """The serial numbers of all live certificates."""
        leaves = [x509.load_der_x509_certificate(self.chain(live.name)[0]) for live in (self.state / "live").iterdir()]
        return {leaf.serial_number for leaf in leaves}

    def record(self, name: str) -> str:
        """What names the key of a live certificate."""
        return f"3 1 1 {digest('3 1 1', self.chain(name)[0])}"

    def top(self, name: str) -> str:
        """What names the highest CA that is sent along with a live certificate."""
        return f"2 1 1 {digest('2 1 1', self.chain(name)[-1])}"

    def stop(self) -> None:
        """End the daemons."""
        for daemon in self.daemons:
            daemon.stop(0)


class DaneLab:
    """The zones, a Pebble with two chains to choose from, and the machines; a context manager that takes all away."""

    resolver = RESOLVER

    def __init__(self, lab: Lab, directory: Path) -> None:
        self.lab = lab
        self.directory = directory
        self.machines: list[Machine] = []
        environment = {"PEBBLE_ALTERNATE_ROOTS": "1", "PEBBLE_CHAIN_LENGTH": "2"}
        self.pebble = Pebble(
            directory / "pebble", port=14001, management_port=15001, authorization_reuse=100, environment=environment
        )

    def machine(self, name: str, certificates: Mapping[str, Mapping[str, object]]) -> Machine:
        """A machine that obtains these certificates, by their tables; a deploy hook reloads what it serves."""
        directory = self.directory / name
        hook = f"test ! -e {directory}/reload || sh {directory}/reload"
        text = self.lab.config(
            directory / "state",
            overrides={
                "acme": {"directory": self.pebble.url, "ca_bundle": str(self.pebble.ca_file)},
                "propagation": {"timeout": LATE},
                "certificates": {key: {"deploy_hooks": [hook], **table} for key, table in certificates.items()},
            },
        )
        machine = Machine(directory, text)
        self.machines.append(machine)
        return machine

    def tlsa(self, owner: str, server: str = "") -> frozenset[str]:
        """The TLSA records at an owner name, at one server of its zone, by default the primary."""
        return self.lab.values(server or self.lab.domain_of(owner).primary, owner, "TLSA")

    def roots(self) -> list[str]:
        """The names of the roots above the CA's chains, as ``preferred_chain`` takes them: the default one first."""
        pems = [self.pebble.root(number) for number in range(2)]
        return [
            x509.load_pem_x509_certificate(pem.encode()).subject.rfc4514_string().removeprefix("CN=") for pem in pems
        ]

    def __enter__(self) -> Self:
        try:
            self.pebble.prepare()
            self.pebble.start()
            for domain in (ZONE, OTHER):
                # later than what a secondary may have kept of an earlier one
                self.lab.create_zone(replace(domain, serial=int(time.time())))
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End every daemon and the CA, and drop the zones."""
        for machine in self.machines:
            machine.stop()
        self.pebble.stop(0)
        for domain in (ZONE, OTHER):
            if domain.name in self.lab.domains:
                self.lab.drop_zone(domain.name)

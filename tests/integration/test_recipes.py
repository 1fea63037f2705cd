"""docs/recipes.md with the real daemons: whatever dnsbroker renews, each of them serves it, and never half of it.

The daemons run from the page's own lines, in the lab's namespace, which has but one user (``daemons.one_user``): who
may read which file is not what is tested here. Nor does systemd run there (``daemons.systemctl``).
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import pages
from authority import Authority
from daemons.chat import Prosody
from daemons.daemon import Daemon
from daemons.mail import Dovecot, Exim, Postfix
from daemons.recipe import substituted
from daemons.served import Watch
from daemons.systemctl import Units
from daemons.web import Apache, Nginx
from dnsbroker import keys
from dnsbroker.store import Access, Provenance, Store
from lab.configuration import Table
from lab.pebble import Pebble
from lab.processes import look_until, run
from lab.rig import Lab
from program import Program, Ran

each_daemon = pytest.mark.parametrize("kind", [Nginx, Apache, Postfix, Dovecot, Exim, Prosody])

NAMES = ("example.test", "www.example.test")
OURS = Access()


@dataclass(frozen=True)
class Authorized:
    """An account whose names are validated already, so that a renewal takes no DNS: where it is, and its CA."""

    lab: Lab
    accounts: Path
    overrides: Table

    def configuration(self, state: Path) -> str:
        """A dnsbroker.toml without certificates; the account is put into ``state``."""
        shutil.copytree(self.accounts, state / "accounts")
        return self.lab.config(state, overrides=self.overrides)


@pytest.fixture(scope="module")
def authorized(running_lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Authorized]:
    """A CA that remembers for whom it has validated what, and an account that it has validated NAMES for."""
    running_lab.clean()
    directory = tmp_path_factory.mktemp("authorized")
    with Pebble(directory / "pebble", port=14001, management_port=15001, authorization_reuse=100) as pebble:
        overrides = {"acme": {"directory": pebble.url, "ca_bundle": str(pebble.ca_file)}}
        file = directory / "dnsbroker.toml"
        file.write_text(running_lab.config(directory / "state", certificates={"first": NAMES}, overrides=overrides))
        Program(file)("issue").succeeded()
        yield Authorized(running_lab, directory / "state" / "accounts", overrides)


class Host:
    """A host with one daemon and its recipe: the daemon's own lines, and its table in dnsbroker.toml."""

    def __init__(self, directory: Path, kind: type[Daemon], authorized: Authorized) -> None:
        state = directory / "state"
        self.daemon, self.units = kind(directory / "daemon", state), Units(directory / "bin")
        self._general = authorized.configuration(state)
        self._program = Program(directory / "dnsbroker.toml")

    def run(self, *arguments: str, verify: bool = True) -> Ran:
        """A run of dnsbroker with ``--json``; without ``verify`` it does not wait for what is known not to come."""
        table = self.daemon.recipe.table
        table = table if verify else re.sub(r"^verify = .*\n", "", table, flags=re.MULTILINE)
        self._program.configuration.write_text(self._general + table)
        return self._program("--json", *arguments, environment=self.units.environment)

    def mend(self) -> None:
        """The unit runs, and can be reloaded."""
        self.units.running(self.daemon.unit, self.daemon.reload)


def serial(ran: Ran) -> str:
    """The serial number of the one certificate of a run."""
    (certificate,) = ran.result["certificates"]
    return str(certificate["serial"])


@each_daemon
def test_a_renewal_is_served_and_one_that_failed_halfway_is_served_later(
    authorized: Authorized, tmp_path: Path, kind: type[Daemon]
) -> None:
    """First, second, third certificate, each handshake with one of them; the third waits for a reload that succeeds."""
    host = Host(tmp_path, kind, authorized)
    first = serial(host.run("issue", verify=False).succeeded())
    with host.daemon as daemon, Watch(daemon.served) as watch:
        host.mend()
        second = serial(host.run("renew", "--force").succeeded())
        host.units.broken(daemon.unit)
        failed = host.run("renew", "--force", verify=False).failed(7)
        assert failed.result["error"]["steps"] == [f"reload {daemon.unit}"]
        third = serial(failed)
        if daemon.notices:
            look_until(lambda: daemon.served() == third, "the new certificate is served without a reload")
        assert daemon.served() == (third if daemon.notices else second)
        host.mend()
        repaired = host.run("renew").succeeded()
        assert (serial(repaired), repaired.named("order")) == (third, [])
    # While nginx reloads, an old worker may still take a connection after a new one has: that is its graceful way.
    handshakes = [seen for seen in watch.seen if seen or not kind.restarts]
    assert list(dict.fromkeys(handshakes)) == [first, second, third]
    assert handshakes[-1] == third
    assert host.units.reloads == [daemon.unit] * 4  # the first time it did not run yet


def test_the_first_time_the_run_says_that_nobody_serves_the_certificate_yet(
    authorized: Authorized, tmp_path: Path
) -> None:
    """And the next one, once the daemon is there, that all is well, without another order."""
    host = Host(tmp_path, Nginx, authorized)
    issued = host.run("issue").failed(7)
    assert issued.result["error"]["steps"] == ["verify https://www.example.test"]
    with host.daemon as daemon:
        host.mend()
        assert daemon.served() == serial(issued)
        assert host.run("renew").succeeded().named("order") == []
        assert host.units.reloads == ["nginx"]  # which did not run yet


def test_prosody_takes_no_older_copy_for_a_certificate(authorized: Authorized, tmp_path: Path) -> None:
    """It stays beside the new one, with its date, and not by a name that Prosody looks for."""
    host = Host(tmp_path, Prosody, authorized)
    assert isinstance(host.daemon, Prosody)
    copies = host.daemon.certificates
    host.run("issue", verify=False).succeeded()
    before = (copies / "example.test.crt").read_bytes()
    host.run("renew", "--force", verify=False).succeeded()
    names = sorted(file.name for file in copies.iterdir())
    dated = [re.sub(r"\d{8}T\d{6}Z", "DATE", name) for name in names]
    assert dated == ["example.test.crt", "example.test.crt.DATE", "example.test.key", "example.test.key.DATE"]
    assert (copies / names[1]).read_bytes() == before
    assert not re.search(r"\.crt$|fullchain", names[1])


# -- what the page says beside --


class Certificates:
    """What renewals leave below a state directory, made at once."""

    def __init__(self, state: Path) -> None:
        self._store = Store(state)
        self._authority = Authority()

    def renew(self, access: Access = OURS) -> None:
        """A new certificate, by either name that a recipe has."""
        now = datetime.now(UTC)
        key = keys.generate("ecdsa-p256")
        chain = self._authority.issue(key, NAMES, not_before=now - timedelta(hours=1))
        for name in NAMES:
            self._store.save(name, key, chain, access, Provenance("https://ca.example/dir", now))


@pytest.mark.usefixtures("namespace")
def test_fail_exim_cannot_serve_a_key_that_it_may_not_read(tmp_path: Path) -> None:
    """Twin: what happens without the recipe's group and mode, here by a mode under which not even the owner reads."""
    exim, certificates = Exim(tmp_path / "daemon", tmp_path / "state"), Certificates(tmp_path / "state")
    certificates.renew()
    with exim:
        certificates.renew(Access(mode=0o040))
        run(["sh", "-c", exim.reload])
        look_until(lambda: exim.served() == "", "no handshake succeeds")


def test_an_access_list_holds_for_every_new_certificate(tmp_path: Path) -> None:
    """Once set by the page's commands on the first one; without them nobody else reads the key."""
    section = pages.section(pages.text("docs/recipes.md"), "## An access list in place of a group")
    (commands,) = pages.blocks(section, "sh")
    key, certificates = tmp_path / "state/live/example.test/privkey.pem", Certificates(tmp_path / "state")
    certificates.renew()
    assert readers(key) == {"user:"}
    run(["sh", "-ec", substituted(commands, tmp_path / "state")])
    for _ in range(2):
        assert readers(key) == {"user:", "user:root"}
        certificates.renew()


def readers(path: Path) -> set[str]:
    """Who may read a file, with the mask of its access list taken into account; "user:" is its owner."""
    listed = run(["getfacl", "-cp", path]).splitlines()
    rights = {line.split("\t")[0].rpartition(":")[0]: line.rpartition(":")[2] for line in listed if line}
    return {who for who, right in rights.items() if right.startswith("r")} - {"mask:"}

"""docs/recipes.md with the real daemons: each one serves a certificate, and the next one once it is told.

The daemons run from the page's own lines, in the lab's namespace, which has but one user (``daemons.one_user``): who
may read which file is not what is tested here. Nor does systemd run there (``daemons.systemctl``).
"""

from __future__ import annotations

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
from lab.processes import LabError, look_until, run

each_daemon = pytest.mark.parametrize("kind", [Nginx, Apache, Postfix, Dovecot, Exim, Prosody])

OURS = Access()
NAMES = ("example.test", "www.example.test")


class Certificates:
    """What renewals leave for a daemon: its live files, and Prosody's copies."""

    def __init__(self, daemon: Daemon, state: Path) -> None:
        self._daemon = daemon
        self._store = Store(state)
        self._authority = Authority()

    def renew(self, access: Access = OURS) -> str:
        """The serial number of the new one, by either name that a recipe has."""
        now = datetime.now(UTC)
        key = keys.generate("ecdsa-p256")
        chain = self._authority.issue(key, NAMES, not_before=now - timedelta(hours=1))
        for name in NAMES:
            lineage = self._store.save(name, key, chain, access, Provenance("https://ca.example/dir", now))
        if isinstance(self._daemon, Prosody):
            self._copy("example.test.key", key)
            self._copy("example.test.crt", chain)
        return lineage.serial

    def _copy(self, name: str, text: str) -> None:
        assert isinstance(self._daemon, Prosody)
        beside = self._daemon.certificates / f".{name}"
        beside.write_text(text)
        beside.rename(self._daemon.certificates / name)


@pytest.mark.usefixtures("namespace")
@each_daemon
def test_a_daemon_serves_the_next_certificate_once_it_is_reloaded(kind: type[Daemon], tmp_path: Path) -> None:
    """And the old one until then, or until it is let; every handshake in between succeeds with one of the two."""
    daemon, units = kind(tmp_path / "daemon", tmp_path / "state"), Units(tmp_path / "bin")
    certificates = Certificates(daemon, tmp_path / "state")
    first = certificates.renew()
    with daemon:
        assert daemon.served() == first
        units.broken(daemon.unit)
        with Watch(daemon.served) as watch:
            second = certificates.renew()
            with pytest.raises(LabError, match="failed"):
                run(["env", *_assigned(units), "systemctl", "try-reload-or-restart", daemon.unit])
            assert daemon.served() == first
            units.running(daemon.unit, daemon.reload)
            run(["env", *_assigned(units), "systemctl", "try-reload-or-restart", daemon.unit])
            look_until(lambda: daemon.served() == second, "the new certificate is served")
        assert watch.seen == [first, second]


@pytest.mark.usefixtures("namespace")
def test_exim_takes_a_new_certificate_without_a_reload(tmp_path: Path) -> None:
    """Within seconds, as the page says, though only a link in the way has changed."""
    exim = Exim(tmp_path / "daemon", tmp_path / "state")
    certificates = Certificates(exim, tmp_path / "state")
    first = certificates.renew()
    with exim, Watch(exim.served) as watch:
        second = certificates.renew()
        look_until(lambda: exim.served() == second, "the new certificate is served")
    assert watch.seen[:2] == [first, second]


@pytest.mark.usefixtures("namespace")
def test_fail_exim_cannot_serve_a_key_that_it_may_not_read(tmp_path: Path) -> None:
    """Twin: what happens without the recipe's group and mode, here by a mode under which not even the owner reads."""
    exim = Exim(tmp_path / "daemon", tmp_path / "state")
    certificates = Certificates(exim, tmp_path / "state")
    certificates.renew()
    with exim:
        certificates.renew(Access(mode=0o040))
        run(["sh", "-c", exim.reload])
        look_until(lambda: exim.served() == "", "no handshake succeeds")


@pytest.mark.usefixtures("namespace")
def test_an_access_list_holds_for_every_new_certificate(tmp_path: Path) -> None:
    """Once set by the page's commands on the first one; without them nobody else reads the key."""
    section = pages.section(pages.text("docs/recipes.md"), "## An access list in place of a group")
    (commands,) = pages.blocks(section, "sh")
    key = tmp_path / "state/live/example.test/privkey.pem"
    certificates = Certificates(Nginx(tmp_path / "daemon", tmp_path / "state"), tmp_path / "state")
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


def _assigned(units: Units) -> list[str]:
    return [f"{name}={value}" for name, value in units.environment.items()]

"""What the demonstration shows, act by act.

Rule: the program is the installed one, called as a person calls it; what it says is printed, and what it did is read
from the servers, the resolver's log, the files and openssl. Refused: the program's own word for any of it.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lab.demo.page import Page
from lab.processes import LabError, look_until, run
from lab.rig import Lab
from lab.topology import PLACES
from lab.watched import Watch, Watched

DNSBROKER = Path(sys.executable).with_name("dnsbroker")
FOREIGN = "somebody-elses-value"
SLOWEST = 2.0
"""Seconds between the moment when the slowest server has the record and the live certificate, at most."""

UNSEEN = 1.0
"""Seconds that the secondaries are given to notice a record that came without a new serial."""

MAKES = {
    "powerdns": ("PowerDNS", "pdns-server"),
    "bind-secondary": ("BIND", "bind9"),
    "nsd": ("NSD", "nsd"),
    "bind": ("BIND", "bind9"),
    "knot": ("Knot", "knot"),
    "unbound": ("Unbound", "unbound"),
    "pebble": ("Pebble", "pebble"),
}


@dataclass(frozen=True)
class Act:
    """One zone of the lab, and what there is to say about it."""

    zone: str
    heading: str
    before: str
    after: str

    @property
    def challenge(self) -> str:
        """Where the records stand."""
        return f"_acme-challenge.{self.zone}"


POWERDNS = Act(
    "example.test",
    "1. Through PowerDNS: example.test and *.example.test",
    """A moment ago somebody wrote a value of their own at the challenge name, through the API, and told PowerDNS to
    NOTIFY. The zone was made by pdnsutil and has no SOA-EDIT-API: its serial stood still, and no secondary came for
    the record, nor ever would. That is where many clients wait in vain, or stop waiting and fail:""",
    """The setting was mended before the first write, and the other value came along with ours.""",
)
BIND = Act(
    "bind.test",
    "2. Through BIND, by RFC 2136: bind.test and *.bind.test",
    """Here, too, somebody has just put a value there. BIND has told its secondary, and will hold back the news of the
    next change: one NOTIFY each five seconds is its default (notify-delay), and this zone has it:""",
    """The run waited as long as the secondary was slow, and no longer. Apex and wildcard went out in one message: a
    second one might have been held back for another five seconds.""",
)


def version(server: str) -> str:
    """A server's make and its version, as Debian has it."""
    make, package = MAKES[server]
    try:
        packaged = run(["dpkg-query", "-W", "-f", "${Version}", package])
    except LabError:
        return make
    return f"{make} {packaged.partition(':')[2] or packaged}".split("-")[0].split("+")[0]


class Stage:
    """The lab, a configuration, and the page on which it is shown."""

    def __init__(self, lab: Lab, page: Page) -> None:
        self.lab = lab
        self.page = page
        self.directory = Path(tempfile.mkdtemp(prefix="demo-", dir=lab.directory))
        self.configuration = self.directory / "dnsbroker.toml"
        self.state = self.directory / "state"
        self._root = self.directory / "pebble-root.pem"

    def introduce(self) -> None:
        """The lab, and the whole configuration."""
        servers = {
            "CA": f"{version('pebble')}, which sees DNS through {version('unbound')}, a validating resolver",
            "example.test": f"signed on {version('powerdns')}, without SOA-EDIT-API; secondaries "
            f"{version('bind-secondary')} and {version('nsd')}",
            "bind.test": f"signed on {version('bind')}, written by RFC 2136; secondary {version('knot')}",
            "cloud.test": "from part 5 on, at a stand-in for Cloudflare",
        }
        for name, what in servers.items():
            self.page.line(f"  {name:13} {what}")
        zones = (POWERDNS.zone, BIND.zone)
        self.configuration.touch(mode=0o600)
        self.configuration.write_text(
            self.lab.config(self.state, certificates={zone: [zone, f"*.{zone}"] for zone in zones})
        )
        self._root.write_text(self.lab.pebble.root())
        self.page.section("The configuration, all of it")
        self.page.quoted(self.shown(self.configuration.read_text()).splitlines())

    def shown(self, text: str) -> str:
        """``text`` without the paths of the lab and of what is in it for this page."""
        return text.replace(str(self.directory), "LAB").replace(str(self.lab.directory), "LAB")

    def add(self, text: str) -> None:
        """Tables added to the configuration, and shown."""
        self.configuration.write_text(f"{self.configuration.read_text()}\n{text}")
        self.page.quoted(self.shown(text).strip().splitlines())

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Call the program, and show what it says."""
        self.page.command("dnsbroker", *arguments)
        done = subprocess.run(
            [DNSBROKER, "--config", self.configuration, *arguments],
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        self.page.quoted(self.shown(done.stderr + done.stdout).splitlines())
        self.page.line()
        return done

    def plant_at_powerdns(self) -> None:
        """Somebody else's value, by the API, and a moment for the secondaries to come for it."""
        self.lab.powerdns.replace(POWERDNS.zone, POWERDNS.challenge, [f'"{FOREIGN}"'])
        self.lab.powerdns.notify(POWERDNS.zone)
        planted = time.monotonic()
        look_until(lambda: time.monotonic() >= planted + UNSEEN, "a moment later", 2 * UNSEEN)

    def plant_at_bind(self) -> None:
        """Somebody else's value, by an update, and until the secondary has it."""
        self.lab.await_served(BIND.zone)
        self.lab.bind.update(BIND.zone, add={(BIND.challenge, "TXT"): [FOREIGN]})
        self.lab.await_values(BIND.challenge, [FOREIGN])

    def play(self, act: Act) -> None:
        """Get one certificate, and look at everything."""
        page, live = self.page, self.state / "live" / act.zone
        page.section(act.heading)
        page.text(act.before)
        self._standing(act)
        page.command("dnsbroker", "issue", act.zone)
        watch = Watch(self.lab, act.challenge, seconds=60)
        seen = watch.run([DNSBROKER, "--config", self.configuration, "issue", act.zone], live=live / "current")
        page.quoted(f"{line.at:5.2f}  {self.shown(line.text)}" for line in seen.lines)
        self._moments(act, seen)
        if seen.status == 0:
            page.text(act.after)
        self._judge(seen)
        self.judge_zone(act)
        if seen.status == 0:
            self._certificate(act, live)

    def _standing(self, act: Act) -> None:
        rows = [["name server", "make", "TXT at the challenge name", "serial"]]
        for member in self.lab.domain_of(act.challenge).members:
            values = ", ".join(self.lab.values(member, act.challenge)) or "none"
            rows.append([*_who(member), values, f"serial {self.lab.serial(member, act.zone)}"])
        self.page.table(rows)

    def _moments(self, act: Act, seen: Watched) -> None:
        """Who had the record when, by an observer that asks every server a hundred times a second."""
        rows = [["seconds since the start", "", "", "has both values", "is without"]]
        for label in seen.there:
            member, address = label.split()
            rows.append([*_who(member), address, time_of(seen.there[label]), time_of(seen.gone[label])])
        rows.append(["the CA asks for the first time", "", "", time_of(min(seen.asked, default=None)), ""])
        rows.append(["the certificate is live", "", "", time_of(seen.live), ""])
        self.page.table(rows)

    def _judge(self, seen: Watched) -> None:
        everywhere, live, page = seen.everywhere, seen.live, self.page
        asked = min(seen.asked, default=None)
        page.claim(seen.status == 0, "it ended with status 0", seen.status)
        page.claim(
            bool(everywhere and asked and everywhere <= asked), "every server had both values before the CA asked"
        )
        page.claim(not seen.asked_by_others, "nobody else asked a resolver for the challenge name")
        if everywhere and live:
            late = live - everywhere
            page.claim(late <= SLOWEST, f"live {late:.2f} s after the slowest server had them", f"{late:.2f} s")
        else:
            page.claim(False, "there is a new certificate", f"everywhere at {everywhere}, live at {live}")

    def judge_zone(self, act: Act) -> None:
        """Whether only what is not ours is left, on every server."""
        left = {member: self.lab.values(member, act.challenge) for member in self.lab.domain_of(act.challenge).members}
        wanted = dict.fromkeys(left, frozenset({FOREIGN}))
        self.page.claim(left == wanted, "no server has a value of ours, each has the other one", left)
        if act is POWERDNS:
            setting = self.lab.powerdns.settings_of(act.zone)["soa_edit_api"]
            self.page.claim(setting == "INCREASE", "the zone has SOA-EDIT-API INCREASE now", setting)

    def _certificate(self, act: Act, live: Path) -> None:
        """What openssl makes of the files."""
        page = self.page
        show = ["openssl", "x509", "-in", "cert.pem", "-noout", "-issuer", "-dates", "-ext", "subjectAltName"]
        page.command(f"cd {self.shown(str(live))} &&", *show)
        shown = openssl(live, *show[1:])
        page.quoted(line.strip() for line in shown.splitlines())
        page.claim(f"DNS:{act.zone}" in shown and f"DNS:*.{act.zone}" in shown, "it names the apex and the wildcard")
        verify = ["verify", "-untrusted", "chain.pem", "-verify_hostname", f"www.{act.zone}", "-CAfile"]
        trusted = openssl(live, *verify, str(self._root), "cert.pem")
        page.claim(trusted == "cert.pem: OK", f"it verifies for www.{act.zone} against the CA's root", trusted)
        refused = openssl(live, *verify, str(self.lab.pebble.ca_file), "cert.pem")
        page.claim("OK" not in refused, "and does not against another CA's", refused)
        same = openssl(live, "pkey", "-in", "privkey.pem", "-pubout") == openssl(
            live, "x509", "-in", "cert.pem", "-noout", "-pubkey"
        )
        mode = (live / "privkey.pem").stat().st_mode & 0o777
        page.claim(same and mode == 0o600, "privkey.pem is its key, with mode 0600", f"mode {mode:o}, its key: {same}")

    def again(self) -> None:
        """A second run finds nothing to do and touches nothing."""
        page = self.page
        page.section("3. The next run, as a timer has it every hour")
        before = self._serials()
        done = self.run("renew")
        page.claim(done.returncode == 0 and done.stdout.count("kept") == 2, "both are left alone, status 0")
        after = self._serials()
        page.claim(before == after, "no zone was touched", f"serials {before}, then {after}")

    def _serials(self) -> list[int | None]:
        return [self.lab.serial("powerdns", POWERDNS.zone), self.lab.serial("bind", BIND.zone)]


def openssl(directory: Path, *arguments: str) -> str:
    """What openssl prints, its complaints included."""
    done = subprocess.run(
        ["openssl", *arguments], cwd=directory, capture_output=True, text=True, timeout=20, check=False
    )
    return (done.stdout + done.stderr).strip()


def _who(member: str) -> Sequence[str]:
    return PLACES[member].host.rstrip("."), MAKES[member][0]


def time_of(seconds: float | None) -> str:
    """A moment of a table, as seconds since the start."""
    return "never" if seconds is None else f"{seconds:.2f}"

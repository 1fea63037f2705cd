"""The demonstration's last act: Postfix gets a new key under DANE, and no client is turned away.

Rule: what clients see is told by a client that is no part of the program, and by Postfix's own ``posttls-finger``.
"""

from __future__ import annotations

from collections.abc import Sequence

from dane_client import Watch, shown
from dane_lab import MIN_WAIT, TTL, ZONE, DaneLab, Machine, MailServer
from lab.configuration import to_toml
from lab.demo.acts import Stage
from lab.processes import LabError
from program import Ran

ENDPOINT = "smtp://mail.dane.test"
OWNER = "_25._tcp.mail.dane.test"
TABLE = {"endpoint": ENDPOINT, "certificate": "mail"}


def roll(stage: Stage) -> None:
    """First publication, then a new key, while a client looks all the time."""
    page = stage.page
    page.section("9. A mail server's new key, under DANE")
    page.text(
        """Who sends mail to mail.dane.test asks DNS whose key to expect there, by TLSA records that are signed, and
        delivers nothing to any other. Caches hold such records for a while: a new key that comes too early, or an
        old record that goes too early, and mail stops. Here Postfix serves the live files, and this is configured:"""
    )
    directory = stage.directory / "dane"
    directory.mkdir()
    with DaneLab(stage.lab, directory) as dane:
        machine = dane.machine("mail", {"mail": {"names": ["mail.dane.test"], "key_rotation": "never"}})
        machine("issue")
        postfix = machine.serve(MailServer, ["mail"], ["127.0.0.100", "::1"])
        assert isinstance(postfix, MailServer)
        machine.manage(TABLE)
        page.quoted(["[[dane]]", *to_toml(TABLE | {"ttl": f"{TTL}s", "min_wait": f"{MIN_WAIT}s"}).splitlines()])
        page.text("Both times are so short only in order that you need not wait: an hour each by default.")
        with Watch(dane.resolver, [ENDPOINT]) as watch:
            before = _publish(stage, machine, dane)
            _roll(stage, machine, dane, before)
            watch.await_records(ENDPOINT, dane.tlsa(OWNER))
        _run(stage, machine, "tlsa", "status", "--timeline", str(directory / "rollover.svg"))
        judge(stage, watch, postfix)


def _run(stage: Stage, machine: Machine, *arguments: str) -> Ran:
    """Call the program with the machine's configuration, and show what it says."""
    stage.page.command("dnsbroker", *map(stage.shown, arguments))
    ran = machine(*arguments)
    stage.page.quoted(stage.shown(ran.stderr + ran.stdout).splitlines())
    stage.page.line()
    return ran


def _publish(stage: Stage, machine: Machine, dane: DaneLab) -> str:
    """The first records; the one of the key that is served."""
    page = stage.page
    ran = _run(stage, machine, "tlsa", "publish")
    present = machine.record("mail")
    page.claim(ran.status == 0, "it ended with status 0", ran.status)
    records = {member: dane.tlsa(OWNER, member) for member in ZONE.members}
    page.claim(len(set(records.values())) == 1, "every name server has the same records", records)
    held = records["powerdns"]
    page.claim({present, machine.top("mail")} < held, "they name the key that is served, and the CA above it")
    page.claim(len(held) == 3, "and a key that is not used yet: the next one", sorted(held))
    return present


def _roll(stage: Stage, machine: Machine, dane: DaneLab, before: str) -> None:
    """The roll-over, as far as time allows, and on until nothing is left to move."""
    page, published = stage.page, dane.tlsa(OWNER)
    _run(stage, machine, "tlsa", "rollover", "mail")
    page.text("What is left is done by the timer, or by this, which ends with 5 while something has to wait:")
    _run(stage, machine, "tlsa", "advance")
    try:
        machine.advance()
    except (AssertionError, LabError) as error:
        page.claim(False, "it comes to an end", error)
    after, held = machine.record("mail"), dane.tlsa(OWNER)
    page.claim(after in published - {before}, "Postfix's key is the one that was published before it was used")
    page.claim(before not in held, "no record names the old key any more", sorted(held))
    page.claim(after in held and len(held) == 3, "the next but one is published already")


def judge(stage: Stage, watch: Watch, postfix: MailServer) -> None:
    """What the clients saw."""
    page = stage.page
    page.text("This is what the client saw, by way of a resolver that validates, and caches:")
    page.table([["seconds since the start", "records that it was given", "key that was served"], *_moments(watch)])
    looks = len(watch.seen)
    page.claim(
        looks > 0 and not watch.refusals, f"it looked {looks} times, and would have delivered each time", watch.refusals
    )
    finger = postfix.finger("-c", "-l", "dane-only", ZONE.name)
    verified = [line for line in finger.splitlines() if "Verified TLS connection established" in line]
    page.claim(bool(verified), "Postfix's own posttls-finger verifies the connection", finger)


def _moments(watch: Watch) -> Sequence[Sequence[str]]:
    """Each change of what was seen."""
    rows: list[list[str]] = []
    for seen in watch.seen:
        row = [", ".join(shown(record) for record in sorted(seen.records)) or "none", seen.key[:8]]
        if not rows or rows[-1][1:] != row:
            rows.append([f"{seen.at - watch.seen[0].at:.1f}", *row])
    return rows

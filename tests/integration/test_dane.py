"""DANE among real servers: whatever becomes of keys, issuers and endpoints, no client is ever turned away.

Each story has endpoints of its own, and a client that looks at them again and again, through a resolver that validates
and caches. The stories run beside each other, for most of their time is spent waiting.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from dane_client import Watch
from dane_lab import OTHER, ZONE, DaneLab, Machine, MailServer, WebServer
from lab.processes import look_until
from lab.rig import Lab
from lab.topology import RESOLVER
from underway import Underway

MAIL, WWW, ALIAS = "smtp://mail.dane.test", "https://www.dane.test", "https://alias.dane.test"
BOTH, KILLED = "https://both.dane.test", "https://killed.dane.test"
STEADY_KEY = {"key_rotation": "never"}


@pytest.fixture(scope="module")
def dane(running_lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaneLab]:
    """The zones, the resolver and the CA."""
    running_lab.clean()
    with DaneLab(running_lab, tmp_path_factory.mktemp("dane")) as dane:
        yield dane


@pytest.fixture(scope="module")
def told(dane: DaneLab) -> Iterator[Mapping[Story, Future[None]]]:
    """Every story, under way."""
    with ThreadPoolExecutor(len(STORIES)) as pool:
        yield {story: pool.submit(story, dane) for story in STORIES}


Story = Callable[[DaneLab], None]


def mail(dane: DaneLab) -> None:
    """Postfix with keys of two algorithms: first published, renewed, one key rolled over."""
    names = {"names": ["mail.dane.test"], **STEADY_KEY}
    machine = dane.machine("mail", {"ec": names, "rsa": {**names, "key_type": "rsa2048"}})
    machine("issue", "ec").succeeded()
    machine("issue").succeeded()
    postfix, owner = machine.serve(MailServer, ["ec", "rsa"], ["127.0.0.100", "::1"]), "_25._tcp.mail.dane.test"
    assert isinstance(postfix, MailServer)
    with Watch(RESOLVER, [MAIL], ["ECDSA", "RSA"]) as watch:
        machine.manage({"endpoint": MAIL, "certificate": ["ec", "rsa"]})
        machine("tlsa", "publish").succeeded()
        ec, rsa, first = machine.record("ec"), machine.record("rsa"), dane.tlsa(owner)
        assert {ec, rsa, machine.top("ec")} <= first
        assert sorted(record[:5] for record in first) == ["2 1 1", *["3 1 1"] * 4]  # each key with its next one
        serials, renewed = machine.serials(), machine("--json", "renew", "--force").succeeded()
        assert not machine.serials() & serials
        assert (machine.record("ec"), machine.record("rsa")) == (ec, rsa)
        assert (renewed.named("written"), dane.tlsa(owner)) == ([], first)
        machine("tlsa", "rollover", "ec")
        machine.advance()
        assert machine.record("ec") in first - {ec}
        assert machine.record("rsa") == rsa
        watch.await_records(MAIL, dane.tlsa(owner))
        machine("tlsa", "check").succeeded()
    assert watch.refusals == []
    assert {f"3 1 1 {key}" for key in watch.keys(MAIL)} == {ec, rsa, machine.record("ec")}
    for member in ZONE.members:
        last = dane.tlsa(owner, member)
        assert {rsa, machine.record("ec"), machine.top("ec")} < last
        assert (len(last), ec in last) == (5, False)
    for preference in ([], ["-p", "!TLSv1.3", "-g", "high", "-o", "tls_high_cipherlist=aRSA"]):
        finger = postfix.finger("-c", "-l", "dane-only", *preference, "dane.test")
        assert "Verified TLS connection established to mail.dane.test" in finger, finger


def issuers(dane: DaneLab) -> None:
    """Nginx with another issuer, then a key that waits for a name server, and for a daemon; one endpoint withdrawn."""
    chosen, other = dane.roots()
    names = ["www.dane.test", "alias.dane.test"]
    machine = dane.machine("www", {"www": {"names": names, "preferred_chain": chosen, **STEADY_KEY}})
    machine("issue").succeeded()
    machine.serve(WebServer, ["www"], ["127.0.0.101", "127.0.0.104"])
    machine.serve(WebServer, ["www"], ["::1"])
    owner, alias = "_443._tcp.www.dane.test", "_443._tcp.alias.danebind.test"
    with Watch(RESOLVER, [WWW, ALIAS]) as watch:
        machine.manage({"endpoint": [WWW, ALIAS], "certificate": "www"})
        machine("renew").succeeded()
        first, top = machine.record("www"), machine.top("www")
        assert {first, top} < dane.tlsa(owner) == dane.tlsa(alias)
        machine.change(chosen, other)
        held = machine("renew").failed(5)
        assert machine.top("www") == top, held
        machine.advance()
        assert machine.top("www") in dane.tlsa(owner) == dane.tlsa(alias)
        assert machine.top("www") != top
        assert top not in dane.tlsa(owner)
        waits_for_a_name_server(dane, machine)
        waits_for_a_daemon(dane, machine)
        withdrawn = machine("tlsa", "withdraw", ALIAS).succeeded()
        assert not dane.tlsa(alias)
        assert "foreign" not in withdrawn.stdout, withdrawn
        assert "unpublished" not in machine("renew").succeeded().stderr
        assert not dane.tlsa(alias)
        watch.await_records(ALIAS, frozenset())
        machine("tlsa", "check", WWW).succeeded()
    assert watch.refusals == []
    began, second, ended = watch.keys(WWW)
    assert [f"3 1 1 {began}", f"3 1 1 {ended}"] == [first, machine.record("www")], second


def waits_for_a_name_server(dane: DaneLab, machine: Machine) -> None:
    """One server of one owner name's zone lags behind: it lacks the key after the next, which is not ordered for."""
    dane.lab.knot.control("zone-freeze", OTHER.name)
    try:
        machine("tlsa", "rollover", "www").failed(5)
        before = machine.record("www")
        published = "www: published: the record of the next key is not on every name server"
        look_until(lambda: published in machine("tlsa", "advance").failed(5).stdout, "the end of that", 60, 0.3)
        machine("tlsa", "rollover", "www").failed(5)
        assert machine.record("www") == before
    finally:
        dane.lab.knot.control("zone-thaw", OTHER.name)


def waits_for_a_daemon(dane: DaneLab, machine: Machine) -> None:
    """One of two daemons is not reloaded: the old key's records stay, however often we come back."""
    before, owner = machine.record("www"), "_443._tcp.www.dane.test"
    machine.reload_by(machine.daemons[0].reload)
    look_until(lambda: machine("tlsa", "advance").status == 5 and machine.record("www") != before, "the next key", 60)
    for _ in range(4):
        machine("tlsa", "advance").failed(5)
        assert {before, machine.record("www")} < dane.tlsa(owner)
    machine.reload_by("\n".join(daemon.reload for daemon in machine.daemons))
    machine("deploy").succeeded()
    machine.advance()
    assert before not in dane.tlsa(owner)


def two_machines(dane: DaneLab) -> None:
    """Each with a key and a state directory of its own, behind one name with one set of records."""
    owner, addresses = "_443._tcp.both.dane.test", ["127.0.0.102", "127.0.0.103"]
    machines = [dane.machine(f"machine{last}", {"both": {"names": ["both.dane.test"]}}) for last in (102, 103)]
    for machine, address in zip(machines, addresses, strict=True):
        machine("issue").succeeded()
        dane.lab.unbound.control("flush_type", "_acme-challenge.both.dane.test", "TXT")  # as if the CA asked anew
        machine.serve(WebServer, ["both"], [address])
        machine.manage({"endpoint": BOTH, "certificate": "both", "addresses": [address]})
    one, other = machines
    with Watch(RESOLVER, [BOTH]) as watch:
        _, hint = one("tlsa", "publish").failed(1).error
        assert "--adopt" in hint
        assert dane.tlsa(owner) == {one.top("both")}  # which names what the other serves, too
        one("tlsa", "publish", "--adopt").succeeded()
        other("tlsa", "publish").succeeded()
        before = {machine.record("both") for machine in machines}
        assert before < dane.tlsa(owner)
        for machine in machines:
            machine("tlsa", "rollover", "both")
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(Machine.advance, machines))
        after = {machine.record("both") for machine in machines}
        assert not before & after
        assert after < dane.tlsa(owner)
        assert not before & dane.tlsa(owner)
        watch.await_records(BOTH, dane.tlsa(owner))
        one("tlsa", "check").succeeded()
    assert watch.refusals == []
    assert len(watch.keys(BOTH, addresses[0])) == len(watch.keys(BOTH, addresses[1])) == 2


def killed(dane: DaneLab) -> None:
    """A roll-over each run of which is killed, the first time that it says something new."""
    owner, machine = "_443._tcp.killed.dane.test", dane.machine("killed", {"killed": {"names": ["killed.dane.test"]}})
    machine("issue").succeeded()
    machine.serve(WebServer, ["killed"], ["127.0.0.105"])
    machine.manage({"endpoint": KILLED, "certificate": "killed"})
    with Watch(RESOLVER, [KILLED]) as watch:
        machine("tlsa", "publish").succeeded()
        machine.advance()
        before = machine.record("killed")
        with Underway(machine.configuration, "tlsa", "rollover", "killed", halting='"event": "dane"') as run:
            run.await_halt()
        for event in EVENTS:
            kill_at(event, machine)
        machine.advance()
        assert machine.record("killed") != before
        assert before not in dane.tlsa(owner)
        watch.await_records(KILLED, dane.tlsa(owner))
    assert watch.refusals == []
    assert len(watch.keys(KILLED)) == 2


EVENTS = ("key", "order", "issued", "written", "hook", "withdrawn")


def kill_at(event: str, machine: Machine) -> None:
    """Go on with the roll-over until a run comes so far as to tell the event; that one is killed."""

    def is_killed() -> bool:
        with Underway(machine.configuration, "tlsa", "advance", halting=f'"event": "{event}"') as run:
            if run.is_halted():
                run.send(signal.SIGKILL)
            return run.end() == 128 + signal.SIGKILL

    look_until(is_killed, f"a run that tells {event}", 30, 0.3)


STORIES: tuple[Story, ...] = (mail, issuers, two_machines, killed)


def test_first_publication_renewal_and_roll_over_of_a_mail_servers_key_are_never_noticed(
    told: Mapping[Story, Future[None]],
) -> None:
    """With RSA and ECDSA side by side; Postfix's own posttls-finger agrees at the end about both."""
    told[mail].result()


def test_another_issuer_waits_until_caches_know_it_and_a_new_key_for_whoever_lags(
    told: Mapping[Story, Future[None]],
) -> None:
    """Two owner names, one of them behind an alias in another zone; withdrawn at last, it is not published again."""
    told[issuers].result()


def test_two_machines_behind_one_name_roll_over_beside_each_other(told: Mapping[Story, Future[None]]) -> None:
    """Neither takes away what the other serves."""
    told[two_machines].result()


def test_a_roll_over_whose_runs_are_killed_one_after_the_other_ends_well(told: Mapping[Story, Future[None]]) -> None:
    """Each at another event, with nothing tidied up."""
    told[killed].result()

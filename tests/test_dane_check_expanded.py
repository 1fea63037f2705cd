"""`tlsa check --mx` and `--srv`: where mail domains and services lead, and whose names count there."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from dane_scene import HOST, HOSTS, Scene, standing
from dnsbroker.endpoints import parse
from tls_service import Talk


@pytest.fixture
def scene() -> Iterator[Scene]:
    """The world in its best state."""
    with standing() as made:
        yield made


async def _smtp(talk: Talk) -> None:
    await talk.say("220 mail.example.test ESMTP\r\n")
    await talk.hear("EHLO [127.0.0.1]\r\n")
    await talk.say("250-mail.example.test\r\n250 STARTTLS\r\n")
    await talk.hear("STARTTLS\r\n")
    await talk.say("220 go on\r\n")


# Mail.


@pytest.fixture
def mail() -> Iterator[Scene]:
    """A world whose service is a mail server on a port of its own, as its table says."""
    with standing(_smtp) as made:
        made.configured(f"smtp://{HOST}", "smtp://mx2.example.test", records=("3 1 1",))
        yield made


def of_mail(scene: Scene, *lines: str, kinds: tuple[str, ...] = ("3 1 1",)) -> str:
    """The zone of a mail domain: its MX, and records for each of two hosts."""
    both = "".join(scene.records(*kinds, owner=f"_25._tcp.{host}") for host in ("mail", "mx2"))
    return "\n".join((*lines, "mail A 127.0.0.1", "mx2 A 127.0.0.1", both))


def test_case_3_each_mail_host_is_an_endpoint(mail: Scene) -> None:
    """Two owner names, and none at the domain."""
    mail.have(of_mail(mail, "@ MX 10 mail", "@ MX 20 mx2"))
    report = mail.look(mail=["Example.Test"])
    assert [(str(one.endpoint), one.via) for one in report.endpoints] == [
        (f"smtp://{HOST}", "example.test MX"),
        ("smtp://mx2.example.test", "example.test MX"),
    ]
    assert all(one.is_good for one in report.endpoints)
    asked = mail.tree.servers.asked(mail.tree.resolver)
    assert {one for one in asked if one.endswith("TLSA")} == {
        f"_25._tcp.{host}.example.test. TLSA" for host in ("mail", "mx2")
    }


def test_one_bare_mail_host_is_an_error(mail: Scene) -> None:
    """Preference comes before security: any host may be used."""
    mail.have(
        f"@ MX 10 mail\n@ MX 20 mx2\nmx2 A 127.0.0.1\nmail A 127.0.0.1\n{mail.records('3 1 1', owner='_25._tcp.mail')}"
    )
    first, second = mail.look(mail=["example.test"]).endpoints
    assert first.is_good
    assert "no-records" in {finding.check for finding in second.findings}


def test_case_24_the_mail_domain_is_a_name_under_usage_2(mail: Scene) -> None:
    """Where the MX is proved; named as an endpoint, the host alone is."""
    mail.present(mail.issue(["example.test"]))
    mail.have(of_mail(mail, "@ MX 10 mail", kinds=("2 1 1",)))
    mail.configured(f"smtp://{HOST}", records=("2 1 1",))
    assert mail.look(mail=["example.test"]).endpoints[0].is_good
    assert "refused" in mail.found(parse(f"smtp://{HOST}"))


def test_the_mail_domain_is_no_name_where_its_mx_is_not_proved(mail: Scene) -> None:
    """The twin: anybody could have led us here."""
    mail.present(mail.issue(["example.test"]))
    mail.have(of_mail(mail, "@ MX 10 mail", kinds=("2 1 1",)))
    mail.configured(f"smtp://{HOST}", records=("2 1 1",))
    mail.tree.resolver.behaviour.insecure = frozenset({"example.test."})
    found = mail.found(mail=["example.test"])
    assert {"insecure", "refused"} <= set(found)
    assert found["insecure"].subject == "example.test MX"


def test_a_bogus_mx_leads_nowhere(mail: Scene) -> None:
    """Mail waits; nothing is looked at beyond."""
    mail.tree.resolver.behaviour.bogus = frozenset({"example.test."})
    report = mail.look(mail=["example.test"])
    assert report.endpoints == ()
    assert [one.check for one in report.findings] == ["bogus"]


def test_a_domain_without_mx_gets_its_mail_itself(mail: Scene) -> None:
    """RFC 5321 section 5.1."""
    mail.configured("smtp://example.test")
    mail.have("@ A 127.0.0.1\n" + mail.records(owner="_25._tcp"))
    mail.present(mail.issue(["example.test"]))
    report = mail.look(mail=["example.test"])
    assert [str(one.endpoint) for one in report.endpoints] == ["smtp://example.test"]
    assert not report.has_error
    assert report.findings[0].check == "implicit-mx"


def test_a_null_mx_takes_no_mail(mail: Scene) -> None:
    """RFC 7505: nothing to look at, and nothing wrong."""
    mail.have("@ MX 0 .\n")
    report = mail.look(mail=["example.test"])
    assert (report.endpoints, [one.check for one in report.findings]) == ((), ["null-mx"])
    assert not report.has_error


def test_an_mx_host_with_an_underscore_is_unusable(mail: Scene) -> None:
    """The others are looked at."""
    mail.have(of_mail(mail, "@ MX 5 mail_out", "@ MX 10 mail"))
    report = mail.look(mail=["example.test"])
    assert [one.check for one in report.findings] == ["mx-host-unusable"]
    assert len(report.endpoints) == 1


# SRV.


async def _xmpp(talk: Talk) -> None:
    await talk.hear(
        "<?xml version='1.0'?><stream:stream xmlns='jabber:server'"
        " xmlns:stream='http://etherx.jabber.org/streams' to='example.test' version='1.0'>"
    )
    tls = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
    await talk.say(f"<?xml version='1.0'?><stream:stream version='1.0'><stream:features>{tls}</stream:features>")
    await talk.hear(tls)
    await talk.say("<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>")


def test_an_srv_leads_to_host_and_port() -> None:
    """The stream is for the domain, SNI and records are the target's."""
    with standing(_xmpp) as scene:
        srv = f"_xmpp-server._tcp SRV 0 5 {scene.port} mail\n"
        scene.have(srv + HOSTS + scene.records("3 1 1"))
        report = scene.look(services=["_xmpp-server._tcp.example.test"])
        (checked,) = report.endpoints
        assert str(checked.endpoint) == f"xmpp-server://{HOST}:{scene.port}"
        assert report.all_findings == ()
        assert set(scene.service.names) == {HOST}


@pytest.mark.parametrize(
    ("line", "word", "is_wrong"),
    [
        ("_imaps._tcp SRV 0 0 0 .", "srv-not-offered", False),
        ("_imaps._tcp SRV 0 0 993 bad_host", "srv-target-unusable", True),
        ("www A 127.0.0.1", "no-srv", True),
    ],
)
def test_an_srv_that_leads_nowhere_is_told(scene: Scene, line: str, word: str, is_wrong: bool) -> None:
    """That a service is not offered is no fault."""
    scene.have(line + "\n")
    report = scene.look(services=["_imaps._tcp.example.test"])
    assert [one.check for one in report.findings] == [word]
    assert report.has_error == is_wrong

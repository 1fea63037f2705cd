import pytest

from dnsbroker import endpoints
from dnsbroker.endpoints import Endpoint, parse
from dnsbroker.settings import Rejected

USUAL = {
    "smtp": 25,
    "submission": 587,
    "submissions": 465,
    "imap": 143,
    "imaps": 993,
    "pop3": 110,
    "pop3s": 995,
    "xmpp-client": 5222,
    "xmpp-server": 5269,
    "https": 443,
    "ftp": 21,
    "ldap": 389,
    "ldaps": 636,
    "sieve": 4190,
    "postgres": 5432,
}
IN_TLS = {"submissions", "imaps", "pop3s", "https", "ldaps"}


@pytest.mark.parametrize("scheme", USUAL)
def test_a_scheme_brings_its_usual_port_and_the_way_to_tls(scheme: str) -> None:
    """Each scheme stands for one port and for one way to reach TLS there."""
    endpoint = parse(f"{scheme}://host.example.org")
    assert endpoint == Endpoint(scheme, "host.example.org", USUAL[scheme])
    assert endpoint.starttls is (scheme not in IN_TLS)


def test_no_scheme_is_known_but_these() -> None:
    """The list of schemes is the one that the documentation gives."""
    assert {*endpoints.STARTTLS_PORTS, *endpoints.TLS_PORTS} == {*USUAL, "tls"}


def test_tls_is_for_every_other_service_and_needs_a_port() -> None:
    """``tls`` has no usual port, so its port is always written."""
    assert parse("tls://db.example.org:6514") == Endpoint("tls", "db.example.org", 6514)
    assert str(parse("tls://db.example.org:6514")) == "tls://db.example.org:6514"
    assert not parse("tls://db.example.org:6514").starttls
    with pytest.raises(Rejected, match="tls has no usual port") as refused:
        parse("tls://db.example.org")
    assert "tls://db.example.org:443" in refused.value.hint


@pytest.mark.parametrize(
    ("written", "shortest"),
    [
        ("smtp://mail.example.org:25", "smtp://mail.example.org"),
        ("SMTP://Mail.Example.ORG.", "smtp://mail.example.org"),
        ("https://www.example.org/", "https://www.example.org"),
        ("https://www.example.org:8443/", "https://www.example.org:8443"),
        ("imap://bücher.example", "imap://xn--bcher-kva.example"),
        ("https://localhost", "https://localhost"),
    ],
)
def test_the_text_of_an_endpoint_is_the_shortest_that_names_it(written: str, shortest: str) -> None:
    """However it was written, an endpoint has one text, and reading that gives it back."""
    assert str(parse(written)) == shortest
    assert parse(shortest) == parse(written)


def test_the_owner_of_the_tlsa_records_has_port_and_protocol_before_the_host() -> None:
    """The port in the owner name is the one connected to, the host the canonical one."""
    assert parse("smtp://mail.example.org").tlsa_name == "_25._tcp.mail.example.org."
    assert parse("https://Bücher.example:8443").tlsa_name == "_8443._tcp.xn--bcher-kva.example."


def test_people_see_internationalised_names_as_they_write_them() -> None:
    """What is printed for people has no punycode."""
    assert parse("https://bücher.example:8443").shown() == "https://bücher.example:8443"


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ("mail.example.org", "it has no scheme"),
        ("mail.example.org:25", "it has no scheme"),
        ("", "it has no scheme"),
        ("gopher://mail.example.org", "scheme 'gopher' is not known"),
        ("http://www.example.org", "scheme 'http' is not known"),
        ("https://www.example.org/index.html", "'/index.html' follows the host"),
        ("https://www.example.org?x", "'\\?x' follows the host"),
        ("smtp://mail.example.org/", "'/' follows the host"),
        ("https://user@www.example.org", "it carries a user name"),
        ("https://", "it has no host"),
        ("https://.", "it has no host"),
        ("https://:443", "it has no host"),
        ("https://*.example.org", "nobody can connect to a wildcard"),
        ("https://192.0.2.1", "an address for a host"),
        ("https://[2001:db8::1]:443", "an address for a host"),
        ("https://2001:db8::1", "an address for a host"),
        ("smtp://_25._tcp.mail.example.org", "a host name has no underscore"),
        ("https://www..example.org", "empty label"),
        ("https://www example.org", "bad label"),
        ("https://www.example.org\n", "bad label"),
        ("https://www.example.org:", "'' is no port"),
        ("https://www.example.org:0", "'0' is no port"),
        ("https://www.example.org:65536", "'65536' is no port"),
        ("https://www.example.org:0443", "'0443' begins with a zero"),
        ("https://www.example.org:+443", "'\\+443' is no port"),
        ("https://www.example.org:４４３", "is no port"),
    ],
)
def test_what_is_no_endpoint_is_refused_with_its_reason(written: str, why: str) -> None:
    """Nothing is guessed: each refusal names what is wrong and says what to write."""
    with pytest.raises(Rejected, match=why) as refused:
        parse(written)
    assert refused.value.hint


def test_an_unknown_scheme_is_answered_with_the_known_ones() -> None:
    """The hint lists every scheme there is."""
    with pytest.raises(Rejected) as refused:
        parse("smpt://mail.example.org")
    assert all(scheme in refused.value.hint for scheme in USUAL)

"""What an answer tells, read from wire-true messages that stand here as text."""

from __future__ import annotations

import dns.flags
import dns.message
import pytest

from dnsbroker.lookup.answer import SOA, Answer
from dnsbroker.lookup.exchange import Address
from dnsbroker.records import text_octets


def answer(text: str) -> Answer:
    """The answer whose message is ``text``, in dig's manner; it has been over the wire."""
    message = dns.message.from_wire(dns.message.from_text(text).to_wire(want_shuffle=False))
    return Answer(
        Address("192.0.2.53"),
        rcode="NXDOMAIN" if "rcode NXDOMAIN" in text else "NOERROR",
        authoritative=bool(message.flags & dns.flags.AA),
        tcp=False,
        udp_silent=False,
        tcp_refused=False,
        message=message,
    )


POSITIVE = answer(
    """id 1
flags QR AA
;QUESTION
X.Example.Test. IN ANY
;ANSWER
X.Example.Test. 5 IN TXT "one"
X.Example.Test. 5 IN TXT "tw" "o \\"quoted\\""
X.Example.Test. 5 IN TXT "\\255\\195\\164"
X.Example.Test. 9 IN TLSA 3 1 1 00112233445566778899AABBCCDDEEFF00112233445566778899AABBCCDDEEFF
X.Example.Test. 9 IN NS NS1.Other.Test.
X.Example.Test. 9 IN DS 12345 13 2 00112233445566778899AABBCCDDEEFF00112233445566778899AABBCCDDEEFF
X.Example.Test. 9 IN MX 10 Mail.Example.Test.
X.Example.Test. 9 IN A 192.0.2.1
X.Example.Test. 9 IN AAAA 2001:DB8:0::1
y.example.test. 9 IN TXT "another owner's"
;ADDITIONAL
ns1.other.test. 9 IN A 192.0.2.7
x.example.test. 9 IN TXT "not the answer"
"""
)
NAME = "x.example.test."


class TestValues:
    """The text forms of each type."""

    @pytest.mark.parametrize(
        ("type", "values"),
        [
            ("TXT", {"one", 'two "quoted"', "\udcffä"}),
            ("TLSA", {"3 1 1 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"}),
            ("NS", {"ns1.other.test."}),
            ("DS", {"12345 13 2 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"}),
            ("MX", {"10 mail.example.test."}),
            ("A", {"192.0.2.1"}),
            ("AAAA", {"2001:db8::1"}),
            ("CNAME", set()),
        ],
    )
    def test_are_in_the_form_of_records(self, type: str, values: set[str]) -> None:
        """Strings joined, names in lower case, hex in lower case; only of the owner asked for."""
        assert POSITIVE.values(NAME, type) == values

    def test_octets_that_are_no_text_survive(self) -> None:
        """A foreign value of any octets can be told from every other one."""
        value = next(value for value in POSITIVE.values(NAME, "TXT") if "ä" in value)
        assert text_octets(value) == b"\xff\xc3\xa4"

    def test_n17_values_keep_their_case(self) -> None:
        """N17: "One" is not "one"."""
        assert "One" not in POSITIVE.values(NAME, "TXT")

    def test_ttl_and_addresses(self) -> None:
        """The TTL of the RRset in seconds; addresses also from the additional section."""
        assert (POSITIVE.ttl(NAME, "TXT"), POSITIVE.ttl(NAME, "CAA")) == (5, None)
        assert POSITIVE.addresses("ns1.other.test.") == {"192.0.2.7"}
        assert POSITIVE.addresses(NAME) == {"192.0.2.1", "2001:db8::1"}


def test_a_denial_names_its_zone() -> None:
    """The SOA of the authority section, and for how long the denial is kept (RFC 2308)."""
    denial = answer(
        """id 1
flags QR AA
rcode NXDOMAIN
;QUESTION
x.ample.test. IN TXT
;AUTHORITY
Ample.test. 300 IN SOA NS1.ample.test. host.ample.test. 4294967295 3600 600 86400 900
"""
    )
    assert denial.soa("ample.test.") == SOA("ample.test.", "ns1.ample.test.", 4294967295, 3600, 900, 300, 600, 86400)
    assert denial.soa("test.") is None
    assert SOA("z.", "a.", 1, 1, minimum=900, ttl=300).negative_ttl == 300
    assert SOA("z.", "a.", 1, 1, minimum=60, ttl=300).negative_ttl == 60
    assert denial.apex("x.ample.test.") == "ample.test."
    assert denial.apex("x.example.test.") is None, "ample.test. is no zone of example.test., on label boundaries"
    assert denial.referral("x.ample.test.") is None


def test_a_referral_names_the_zone_below() -> None:
    """NS in the authority section, no answer, no SOA; with glue and DS."""
    referral = answer(
        """id 1
flags QR
;QUESTION
x.example.test. IN TXT
;AUTHORITY
Example.test. 300 IN NS ns1.Example.test.
example.test. 300 IN DS 1 13 2 00112233445566778899AABBCCDDEEFF00112233445566778899AABBCCDDEEFF
;ADDITIONAL
ns1.example.test. 300 IN A 192.0.2.1
ns1.example.test. 300 IN AAAA 2001:db8::1
"""
    )
    assert referral.referral(NAME) == "example.test."
    assert referral.referral("x.other.test.") is None
    assert referral.delegation("example.test.") == {"ns1.example.test."}
    assert len(referral.delegation("example.test.", "DS")) == 1
    assert referral.addresses("ns1.example.test.") == {"192.0.2.1", "2001:db8::1"}


def test_aliases_are_read_at_their_owner_only() -> None:
    """A CNAME is the name's own; a DNAME stands strictly above it."""
    redirected = answer(
        """id 1
flags QR AA
;QUESTION
a.tree.test. IN TXT
;ANSWER
Tree.test. 5 IN DNAME Else.test.
a.tree.test. 0 IN CNAME a.Else.test.
a.else.test. 5 IN TXT "there"
"""
    )
    assert redirected.dname_above("a.tree.test.") == "tree.test."
    assert redirected.alias("a.tree.test.") == "a.else.test."
    assert redirected.dname_above("tree.test.") is None
    assert redirected.alias("b.tree.test.") is None
    assert redirected.dname_above("a.atree.test.") is None


def test_an_alias_is_not_denied_by_what_it_leads_to() -> None:
    """The rcode speaks of the last name of a chain (RFC 6604 section 3)."""
    question = "id 1\nflags QR AA\nrcode NXDOMAIN\n;QUESTION\nx.ample.test. IN A\n;ANSWER\n"
    assert answer(question).denies("x.ample.test.")
    assert not answer(question.replace("NXDOMAIN", "NOERROR")).denies("x.ample.test.")
    alias = "x.ample.test. 60 IN CNAME gone.ample.test.\n"
    redirected = "ample.test. 60 IN DNAME gone.test.\n"
    assert not answer(question + alias).denies("x.ample.test.")
    assert not answer(question + redirected).denies("x.ample.test.")


def test_signatures_tell_a_wildcard() -> None:
    """Fewer labels in the RRSIG than in the name (RFC 4035 section 5.3.4); without one, nothing is known."""
    signature = "CNAME 13 {} 60 20300101000000 20200101000000 1 example.test. AAAA"
    text = "id 1\nflags QR AA\n;QUESTION\nx.example.test. IN CNAME\n;ANSWER\nx.example.test. 5 IN CNAME y.test.\n"
    made = answer(f"{text}x.example.test. 5 IN RRSIG {signature.format(2)}\n")
    own = answer(f"{text}x.example.test. 5 IN RRSIG {signature.format(3)}\n")
    unsigned = answer(text)
    assert [each.is_synthesised(NAME, "CNAME") for each in (made, own, unsigned)] == [True, False, False]
    assert [each.is_signed(NAME, "CNAME") for each in (made, own, unsigned)] == [True, True, False]

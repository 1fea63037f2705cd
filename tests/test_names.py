"""Names: one canonical form, compared by labels."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnsbroker import names
from dnsbroker.errors import NameInvalid

LABEL = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True).filter(lambda text: text[2:4] != "--")
NAME = st.lists(LABEL, min_size=1, max_size=5).map(lambda parts: ".".join(parts) + ".")


class TestMeant:
    """What a person calls a certificate is found however it is written."""

    @pytest.mark.parametrize(
        ("name", "found"),
        [
            ("bücher.example", "xn--bcher-kva.example"),
            ("BÜCHER.example.", "xn--bcher-kva.example"),
            ("xn--strae-oqa.example", "straße.example"),
            ("WEB", "web"),
            ("web one", "web one"),
        ],
    )
    def test_in_another_form(self, name: str, found: str) -> None:
        """The known one is given back."""
        assert names.meant(name, ["xn--bcher-kva.example", "straße.example", "web", "web one"]) == found

    @pytest.mark.parametrize("name", ["else.example", "not a name", ""])
    def test_fail_none(self, name: str) -> None:
        """Then it stays as it is, for whoever says that it is unknown."""
        assert names.meant(name, ["xn--bcher-kva.example", "web one"]) == name

    def test_itself_before_another(self) -> None:
        """Where both are there."""
        assert names.meant("WEB", ["web", "WEB"]) == "WEB"


class TestOwner:
    """Owner names are absolute, in lower-case A-labels."""

    @pytest.mark.parametrize(
        ("text", "name"),
        [
            ("example.org", "example.org."),
            ("Example.ORG.", "example.org."),
            (".", "."),
            ("_acme-challenge.example.org", "_acme-challenge.example.org."),
            ("_443._tcp.Example.org", "_443._tcp.example.org."),
            ("*.example.org", "*.example.org."),
            ("bücher.example", "xn--bcher-kva.example."),
            ("BÜCHER.example", "xn--bcher-kva.example."),
            ("bücher。example。", "xn--bcher-kva.example."),
            ("_acme-challenge.straße.example", "_acme-challenge.xn--strae-oqa.example."),
            ("xn--bcher-kva.example", "xn--bcher-kva.example."),
            ("a" * 63 + ".org", "a" * 63 + ".org."),
            ("localhost", "localhost."),
        ],
    )
    def test_has_one_form(self, text: str, name: str) -> None:
        """However it is written."""
        assert names.owner(text) == name
        assert names.owner(name) == name

    @pytest.mark.parametrize(
        ("text", "reason"),
        [
            ("", "empty label"),
            ("a..org", "empty label"),
            (".org", "empty label"),
            ("a" * 64 + ".org", "longer than 63 octets"),
            (".".join(["a" * 60] * 5), "longer than 253 octets"),
            ("exa mple.org", "bad label"),
            ("-a.org", "bad label"),
            ("a-.org", "bad label"),
            ("a\\.b.org", "bad label"),
            ("a\n.org", "bad label"),
            ("ex/ample.org", "bad label"),
            ("ü\u0000.org", "label"),
            ("ü" * 70 + ".org", "label"),
        ],
    )
    def test_refuses_what_no_host_is_called(self, text: str, reason: str) -> None:
        """With the label and the reason."""
        with pytest.raises(NameInvalid, match=reason):
            names.owner(text)

    @given(st.text(max_size=80))
    def test_takes_or_refuses_any_text(self, text: str) -> None:
        """What is taken is canonical; nothing else than NameInvalid is raised."""
        try:
            name = names.owner(text)
        except NameInvalid:
            return
        assert names.owner(name) == name
        assert name.isascii()


class TestIdentifier:
    """What a certificate names."""

    @pytest.mark.parametrize(
        ("text", "name", "challenge"),
        [
            ("example.org", "example.org", "_acme-challenge.example.org."),
            ("*.Example.org.", "*.example.org", "_acme-challenge.example.org."),
            ("bücher.example", "xn--bcher-kva.example", "_acme-challenge.xn--bcher-kva.example."),
            ("1.2.3.example", "1.2.3.example", "_acme-challenge.1.2.3.example."),
        ],
    )
    def test_and_its_challenge(self, text: str, name: str, challenge: str) -> None:
        """Apex and wildcard share one challenge name (RFC 8555 section 8.4)."""
        assert names.identifier(text) == name
        assert names.challenge_name(text) == challenge

    @pytest.mark.parametrize(
        "text", ["localhost", "*", ".", "*.*.example.org", "a.*.org", "192.0.2.1", "_dmarc.example.org", "*."]
    )
    def test_refuses_what_no_ca_validates_through_dns(self, text: str) -> None:
        """Single labels, addresses, underscores, wildcards elsewhere."""
        with pytest.raises(NameInvalid):
            names.identifier(text)


class TestTree:
    """Above and below, label by label."""

    @pytest.mark.parametrize(
        ("name", "zone", "within"),
        [
            ("example.com.", "example.com.", True),
            ("a.example.com.", "example.com.", True),
            ("example.com.", "ample.com.", False),
            ("example.com.", "a.example.com.", False),
            ("example.com.", ".", True),
            (".", ".", True),
            (".", "com.", False),
        ],
    )
    def test_within_ends_at_labels(self, name: str, zone: str, within: bool) -> None:
        """``ample.com.`` holds nothing of ``example.com.``."""
        assert names.is_within(name, zone) is within

    def test_ancestors_are_the_name_and_those_above(self) -> None:
        """Longest first, without the root."""
        assert names.ancestors("a.b.example.") == ("a.b.example.", "b.example.", "example.")
        assert names.ancestors(".") == ()

    def test_between_two_names_are_those_that_are_neither(self) -> None:
        """From the top; nothing where one stands right below the other, or both are the same."""
        assert names.between("a.b.c.example.", "example.") == ("c.example.", "b.c.example.")
        assert names.between("a.example.", "example.") == names.between("example.", "example.") == ()
        assert names.between("a.b.", ".") == ("b.",)

    def test_longest_match_ends_at_labels(self) -> None:
        """The deepest zone that holds the name; none where none does."""
        zones = ["example.com.", "ample.com.", "sub.example.com.", "com."]
        assert names.longest_match("x.sub.example.com.", zones) == "sub.example.com."
        assert names.longest_match("xsub.example.com.", zones) == "example.com."
        assert names.longest_match("other.org.", zones) is None
        assert names.longest_match("other.org.", [".", *zones]) == "."

    @given(NAME)
    def test_every_ancestor_holds_the_name(self, name: str) -> None:
        """And none of them but itself is held by it."""
        assert all(names.is_within(name, above) for above in names.ancestors(name))
        assert [above for above in names.ancestors(name) if names.is_within(above, name)] == [name]


class TestShown:
    """Names for people."""

    @pytest.mark.parametrize(
        ("name", "text"),
        [
            ("example.org.", "example.org"),
            (".", "."),
            ("xn--bcher-kva.example.", "bücher.example"),
            ("*.xn--bcher-kva.example", "*.bücher.example"),
            ("xn--zzzzzz99999.example.", "xn--zzzzzz99999.example"),
        ],
    )
    def test_are_in_u_labels(self, name: str, text: str) -> None:
        """What cannot be decoded stays as it is."""
        assert names.shown(name) == text

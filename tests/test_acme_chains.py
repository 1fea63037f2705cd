"""Chains: certificates and nothing else; alternates wherever the links stand."""

from __future__ import annotations

import pytest

from authority import Authority
from dnsbroker import keys
from dnsbroker.acme import chains
from dnsbroker.errors import PemInvalid

ONE = "-----BEGIN CERTIFICATE-----\nMAoCAQE=\n-----END CERTIFICATE-----\n"
TWO = "-----BEGIN CERTIFICATE-----\n" + ("A" * 64 + "\n") * 2 + "AAAA\n-----END CERTIFICATE-----\n"


def test_a_chain_is_passed_on_in_one_form() -> None:
    """Line ends, blank lines and line lengths of the CA's do not reach the files."""
    assert chains.checked(ONE + TWO, "ca.test") == ONE + TWO
    assert chains.checked(f"\r\n{ONE}\n\n{TWO}".replace("\n", "\r\n"), "ca.test") == ONE + TWO
    long = "-----BEGIN CERTIFICATE-----\n" + "A" * 132 + "\n-----END CERTIFICATE-----"
    assert chains.checked(long, "ca.test") == TWO


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<html>busy</html>",
        "0\x82\x03",
        "# my comment\n" + ONE,
        ONE + ONE.replace("CERTIFICATE", "PRIVATE KEY"),
        ONE.replace("MAoCAQE=", "MAoCAQE"),
        ONE.replace("MAoCAQE=", "MAo=AQE="),
        ONE.replace("-----END", "----END"),
    ],
)
def test_fail_anything_else_is_refused(text: str) -> None:
    """A private key, a page, or what is no base64 never becomes a chain."""
    with pytest.raises(PemInvalid, match=r"ca\.test"):
        chains.checked(text, "ca.test")


LINKS = {
    "one": (['<https://ca.test/cert/1/1>;rel="alternate"'], ["https://ca.test/cert/1/1"]),
    "several fields": (['<https://a.test/1>; rel="alternate"', "<https://a.test/2>;rel=alternate"], [1, 2]),
    "several in a field": (['<https://a.test/1>;rel="alternate", <https://a.test/2>;rel="alternate"'], [1, 2]),
    "others between": (['<https://a.test/dir>;rel="index"', '<https://a.test/1>;title="a,b;c";rel="alternate"'], [1]),
    "several relations": (['<https://a.test/1>; rel="up ALTERNATE"'], [1]),
    "relative": (["</2>; rel=alternate"], ["https://ca.test/2"]),
    "repeated": (["<https://a.test/1>;rel=alternate, <https://a.test/1>;rel=alternate"], [1]),
    "none": (['<https://a.test/1>;rel="alternates"', "<https://a.test/1>", "junk", ""], []),
}


@pytest.mark.parametrize(("fields", "targets"), LINKS.values(), ids=LINKS)
def test_alternates_are_found_in_every_form(fields: list[str], targets: list[str | int]) -> None:
    """RFC 8288 allows several links in one field and several fields."""
    wanted = tuple(target if isinstance(target, str) else f"https://a.test/{target}" for target in targets)
    assert chains.alternates(fields, "https://ca.test/cert/1") == wanted


def test_a_chain_is_preferred_by_who_issued_its_topmost_certificate() -> None:
    """Not by who issued the leaf, which may be one CA in all of them."""
    key = keys.generate("ecdsa-p256")
    one, two = (Authority(name).issue(key, ["a.test"]) for name in ("one", "two"))
    assert chains.preferred([one, two], "two root") == two
    assert chains.preferred([one, two], "one root") == one
    assert chains.preferred([one, two], "one issuing") is None
    assert chains.preferred([], "one root") is None


def test_the_name_to_the_letter_goes_before_one_in_another_case() -> None:
    """Both are found; the better match wins whatever the order."""
    key = keys.generate("ecdsa-p256")
    small, large = (Authority(name).issue(key, ["a.test"]) for name in ("test", "TEST"))
    assert chains.preferred([small, large], "TEST root") == large
    assert chains.preferred([small, large], "test root") == small
    assert chains.preferred([large], "test root") == large


@pytest.mark.parametrize("broken", [ONE, "", "<html>"])
def test_fail_a_chain_that_cannot_be_read_is_passed_over(broken: str) -> None:
    """It is nobody's choice, and does not hide another."""
    good = Authority("one").issue(keys.generate("ecdsa-p256"), ["a.test"])
    assert chains.preferred([broken, good], "one root") == good
    assert chains.preferred([broken], "") is None

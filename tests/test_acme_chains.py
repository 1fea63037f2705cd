"""Chains: certificates and nothing else; alternates wherever the links stand."""

from __future__ import annotations

import pytest

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

"""The values of CAA records, read by the grammar of RFC 8659 section 4.2."""

from __future__ import annotations

from dnsbroker.lookup.caa import read_issue


def test_an_issue_value_is_read_by_its_grammar() -> None:
    """Parameters in their order; what does not fit says nothing."""
    read = read_issue(" ca.test ; a = 1 ;b=/x:y?z ")
    assert read is not None
    assert (read.issuer, read.parameters) == ("ca.test", (("a", "1"), ("b", "/x:y?z")))
    assert [read_issue(value) for value in ("-ca.test", "ca..test", "ca.test; =1", "ca.test; a=\u00e4", "a b")] == [
        None
    ] * 5

"""What a CA refuses becomes an error with its own words, the time and a way out."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from dnsbroker import readable
from dnsbroker.acme import hints, problem
from dnsbroker.errors import Problem
from dnsbroker.transport import HTTPFailed, Reply

NOW = datetime(2026, 11, 20, 12, 0, 0, tzinfo=UTC)
HTML = b"""<!DOCTYPE html><html><head><title>x</title><style>p { color: red }</style></head>
<body><h1>503 Service &amp; all that</h1><p>Our Services Aren&#39;t Available \x1b[31m right now</p>
<script>alert(1)</script></body></html>"""


def _refusal(status: int, body: object = b"", **headers: str) -> Problem:
    octets = body if isinstance(body, bytes) else json.dumps(body).encode()
    reply = Reply(status, {name.replace("_", "-"): value for name, value in headers.items()}, octets)
    return problem.refusal(reply, what="the order", host="ca.test", now=NOW)


def _document(kind: str, **members: object) -> dict[str, object]:
    return {"type": problem.URN + kind, "detail": "because", **members}


def test_a_problem_document_becomes_fields_and_a_sentence() -> None:
    """Type without its prefix, status, detail, and who said it."""
    refused = _refusal(400, _document("badCSR"))
    assert (refused.type, refused.status, refused.detail) == ("badCSR", 400, "because")
    assert str(refused) == "ca.test refused the order: because (badCSR)"
    assert "key_type" in refused.hint
    assert not refused.transient


def test_subproblems_name_their_identifiers() -> None:
    """Each reason stands with the name it is about, in the fields and in the sentence."""
    sub = {"type": problem.URN + "caa", "detail": "forbidden", "identifier": {"type": "dns", "value": "a.test"}}
    refused = _refusal(403, _document("compound", subproblems=[sub, {"detail": "also"}, "junk", None]))
    assert refused.subproblems == (
        {"type": "caa", "detail": "forbidden", "identifier": "a.test"},
        {"type": "", "detail": "also"},
    )
    assert "because; a.test: forbidden (caa); also" in str(refused)


@pytest.mark.parametrize(("status", "kind"), [(429, "rateLimited"), (403, "rateLimited"), (429, "malformed")])
def test_a_limit_without_an_end_is_not_tried_against(status: int, kind: str) -> None:
    """Asking again at once would only count against the limit."""
    assert not _refusal(status, _document(kind)).transient
    assert _refusal(503, _document("serverInternal")).transient


@pytest.mark.parametrize(
    ("field", "seconds"), [("3600", 3600.0), ("Fri, 20 Nov 2026 13:00:00 GMT", 3600.0), ("99999999999999", 86_400.0)]
)
@pytest.mark.parametrize("status", [429, 503, 400, 403])
def test_the_time_to_come_back_is_kept_whatever_the_status(status: int, field: str, seconds: float) -> None:
    """As a number in the field, as a moment in the hint."""
    refused = _refusal(status, _document("rateLimited"), retry_after=field)
    assert refused.retry_after == seconds
    assert refused.transient
    if seconds == 3600.0:
        assert refused.hint == "the CA asks to come back at 2026-11-20 13:00:00 UTC, in 60 min"


def test_a_page_in_place_of_a_document_is_read_for_its_words() -> None:
    """A load balancer's HTML is a refusal with a status and a line of text, and cannot write to a terminal."""
    refused = _refusal(503, HTML, content_type="text/html", retry_after="5")
    assert (refused.type, refused.status, refused.retry_after) == ("", 503, 5.0)
    assert refused.detail == "503 Service & all that Our Services Aren't Available [31m right now"
    assert "(HTTP 503)" in str(refused)
    assert refused.transient


@pytest.mark.parametrize("body", [b"", b"null", b"[]", b'{"type": 3}', b"{", b"[" * 100_000, b"\xff\xfe"])
def test_garbage_is_a_refusal_all_the_same(body: bytes) -> None:
    """Whatever the body is, the status speaks."""
    refused = _refusal(500, body)
    assert (refused.status, refused.transient, refused.type) == (500, True, "")
    assert str(refused).isprintable()


def test_a_redirect_is_a_refusal_that_names_its_target() -> None:
    """The target is shown, not followed."""
    refused = _refusal(307, b"", location="https://elsewhere.test/new-order")
    assert "redirects to https://elsewhere.test/new-order" in str(refused)
    assert (refused.status, refused.transient) == (307, False)


def test_an_unknown_type_stays_as_it_is() -> None:
    """A type of another kind keeps its whole URN; about:blank is none."""
    assert _refusal(400, {"type": "urn:example:mine", "detail": "x"}).type == "urn:example:mine"
    assert _refusal(400, {"type": "about:blank", "title": "Teapot"}).type == ""
    assert _refusal(400, {"type": "about:blank", "title": "Teapot"}).detail == "Teapot"


@pytest.mark.parametrize("kind", ["alreadyReplaced", "invalidProfile", "autoRenewalCanceled", "onionCAARequired"])
def test_types_that_the_acme_library_does_not_know_are_kept(kind: str) -> None:
    """A conflict is parsed like everything else."""
    assert _refusal(409, _document(kind)).type == kind


HINTED = {
    "externalAccountRequired": "set eab_kid and eab_hmac_key",
    "accountDoesNotExist": "state_dir/accounts",
    "rejectedIdentifier": "names",
    "caa": "CAA",
    "serverInternal": "later",
    "malformed": "acme.directory",
    "unauthorized": "deactivated",
    "rateLimited": "wait",
    "badCSR": "key_type",
    "alreadyReplaced": "without saying what is replaced",
    "invalidProfile": "directory names",
    "badRevocationReason": "--reason",
    "conflict": "another",
}


@pytest.mark.parametrize("kind", HINTED)
def test_the_common_refusals_have_a_way_out(kind: str) -> None:
    """Each hint says what to do."""
    assert HINTED[kind] in _refusal(403, _document(kind)).hint


def test_action_by_the_user_names_the_page_to_open() -> None:
    """The document's instance is the URL (RFC 8555 section 7.3.3)."""
    refused = _refusal(403, _document("userActionRequired", instance="https://ca.test/agree"))
    assert refused.hint.endswith("open https://ca.test/agree")


@pytest.mark.parametrize(
    ("field", "kind", "told"),
    [
        ('<https://ca.test/v2>;rel="terms-of-service"', "userActionRequired", "open https://ca.test/v2"),
        ("<https://ca.test/dir>;rel=index, <https://ca.test/v2>; rel=terms-of-service", "userActionRequired", "/v2"),
        ('<https://ca.test/dir>;rel="index"', "userActionRequired", "agreed to"),
        ("<javascript:x>;rel=terms-of-service", "userActionRequired", "agreed to"),
        ('<https://ca.test/v2>;rel="terms-of-service"', "badNonce", "try again later"),
    ],
)
def test_new_terms_are_named_by_the_link_that_comes_along(field: str, kind: str, told: str) -> None:
    """RFC 8555 section 7.3.3 has them in a Link field; other links and other refusals do not matter."""
    reply = Reply(403, {}, json.dumps(_document(kind)).encode(), ("<https://ca.test/x>;rel=index", field))
    assert problem.refusal(reply, what="the order", host="ca.test", now=NOW).hint.endswith(told)


def test_a_paused_account_is_shown_where_to_go_on() -> None:
    """No wait would help; the link in the CA's words is long, and whole in the hint."""
    url = "https://portal.ca.test/sfe/v1/unpause?jwt=" + "eyJ" * 300
    told = {"type": problem.URN + "rateLimited", "detail": f"your account is paused, visit: {url}"}
    assert _refusal(429, told).hint.endswith(f"open {url}")
    assert _refusal(429, told, retry_after="3600").hint.endswith(f"open {url}")
    limit = "too many certificates, see https://ca.test/docs/rate-limits/"
    assert "wait an hour" in _refusal(429, {"type": problem.URN + "rateLimited", "detail": limit}).hint


def test_a_failed_validation_is_explained_by_its_cause() -> None:
    """A CAA hint is the very record to add; the others name the owner where the CA looked."""
    assert hints.invalid("caa", "*.a.test", ["ca.test"]) == 'add the record: a.test. CAA 0 issuewild "ca.test"'
    assert hints.invalid("caa", "a.test", ["ca.test"]) == 'add the record: a.test. CAA 0 issue "ca.test"'
    assert "tag issuewild" in hints.invalid("caa", "*.a.test")
    for kind in ("dns", "dnssec", "unauthorized", "incorrectResponse", "never heard of"):
        assert "_acme-challenge.a.test" in hints.invalid(kind, "*.a.test")
    assert "port 53" in hints.invalid("connection", "a.test")


def test_no_answer_is_explained_by_the_way_it_went() -> None:
    """Trust, proxy, or plain distance."""
    assert "acme.ca_bundle" in hints.unanswered(HTTPFailed("x", reached=False, untrusted=True))
    assert "http://proxy.test" in hints.unanswered(HTTPFailed("x", reached=False, proxy="http://proxy.test"))
    assert "acme.directory" in hints.unanswered(HTTPFailed("x", reached=False))


def test_text_is_shown_on_one_line_and_cut() -> None:
    """Control characters, and those that turn the direction of writing, are gone."""
    assert readable.line("a\r\n\tb\x1b]0;x\x07\u202ec") == "a b]0;xc"
    assert readable.line("y" * 900, 10) == "yyyyyyyyy…"

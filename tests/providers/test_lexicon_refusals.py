"""What drivers raise, as our errors."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
import requests
from lexicon.exceptions import AuthenticationError

from dnsbroker.errors import (
    AuthRejected,
    BrokerError,
    ProviderError,
    ProviderUnavailable,
    RateLimited,
    RecordRejected,
    ZoneMissing,
)
from dnsbroker_lexicon.driver import UnknownOption
from dnsbroker_lexicon.refusals import Blame

SECRET = "s3cret/+value"
BLAME = Blame("hoster", "ovh", "example.org.", (SECRET, ""))
RRSET = "_acme-challenge.example.org. TXT"


def answered(status: int, body: str = "", **headers: str) -> requests.HTTPError:
    """As ``raise_for_status`` raises it."""
    response = requests.Response()
    response.status_code = status
    response._content = body.encode()
    response.headers.update(headers)
    return requests.HTTPError(f"{status} Client Error for url: https://api.example/", response=response)


@pytest.mark.parametrize(
    ("error", "rrset", "kind", "words"),
    [
        (answered(401), "", AuthRejected, "401"),
        (answered(403, "not yours"), RRSET, AuthRejected, "not yours"),
        (answered(404), "", ZoneMissing, "404"),
        (answered(404), RRSET, RecordRejected, "404"),
        (answered(400, "bad ttl"), RRSET, RecordRejected, "bad ttl"),
        (answered(400, "bad ttl"), "", ProviderError, "bad ttl"),
        (answered(429), "", RateLimited, "429"),
        (answered(503), RRSET, ProviderUnavailable, "503"),
        (answered(408), "", ProviderUnavailable, "408"),
        (requests.ConnectionError("refused"), "", ProviderUnavailable, "refused"),
        (requests.ReadTimeout("silence"), RRSET, ProviderUnavailable, "silence"),
        (TimeoutError("silence"), "", ProviderUnavailable, "silence"),
        (requests.exceptions.MissingSchema("no scheme"), "", ProviderError, "no scheme"),
        (AuthenticationError("No domain found"), "", AuthRejected, "No domain found"),
        (ModuleNotFoundError("No module named 'boto3'"), "", ProviderError, "boto3"),
        (Exception("Domain not found."), "", ProviderError, "Domain not found"),
        (Exception("Type TLSA is not supported"), RRSET, RecordRejected, "not supported"),
        (Exception(), RRSET, RecordRejected, "Exception"),
        (NotImplementedError(), RRSET, RecordRejected, "NotImplementedError"),
        (AttributeError("no split"), "", ProviderError, "its driver failed with AttributeError: no split"),
        (UnknownOption("auth_tokn", ("auth_token", "auth_key")), "", ProviderError, "the nearest is auth_token"),
    ],
)
def test_each_trouble_is_an_error_of_its_kind(
    error: Exception, rrset: str, kind: type[BrokerError], words: str
) -> None:
    """With the service's own words, its name, and a hint."""
    ours = BLAME.translated(error, rrset)
    assert type(ours) is kind
    assert words in str(ours)
    assert str(ours).startswith("provider hoster, zone example.org: ovh")
    assert ours.hint
    assert ours.transient == (kind in (ProviderUnavailable, RateLimited))


@pytest.mark.parametrize(("header", "seconds"), [("30", 30.0), ("", 60.0), ("Fri, 20 Nov 2026 12:00:00 GMT", 60.0)])
def test_how_long_a_service_wants_to_be_left_alone_is_kept(header: str, seconds: float) -> None:
    """A minute where it does not say so in seconds."""
    ours = BLAME.translated(answered(429, **{"Retry-After": header}))
    assert isinstance(ours, RateLimited)
    assert ours.retry_after == seconds


@pytest.mark.parametrize(
    "error",
    [
        Exception(f"bad token {SECRET}"),
        answered(400, f'{{"token": "{SECRET}"}}'),
        requests.ConnectionError("/v1?token=s3cret%2F%2Bvalue&x=1"),
        AuthenticationError(f"{SECRET}{SECRET}"),
        KeyError(SECRET),
    ],
)
def test_no_secret_gets_through(error: Exception) -> None:
    """Not as it is, nor as a URL has it."""
    ours = BLAME.translated(error)
    assert "s3cret" not in f"{ours} {ours.hint} {ours.fields()} {BLAME!r}"
    assert "***" in str(ours)


MULTILINE = '{"type": "account",\n "key": "s3cret/"}\n'


@pytest.mark.parametrize(
    ("secret", "text"),
    [
        ('s3cret"x', json.dumps({"key": 's3cret"x'})),
        ("s3cret\\x", json.dumps("s3cret\\x")),
        ("s3crét", json.dumps("s3crét")),
        ("ab/s3cret", r"denied for \"ab\/s3cret\""),
        ('a"b/s3cret', r"denied for a\"b\/s3cret"),
        ("s3cret/+é", "/v1?token=s3cret%2f%2b%c3%a9&x=1"),
        (MULTILINE, f"invalid header value {MULTILINE!r}"),
        (MULTILINE, json.dumps(MULTILINE)),
        ("s3cret\n", "invalid header value 's3cret'"),
        ("s3cret\n", "bad token s3cret, sorry"),
        ("s3cret's", repr(["s3cret's"])),
    ],
)
def test_no_secret_gets_through_in_the_notation_of_json_python_or_urls(secret: str, text: str) -> None:
    """Whatever it holds that these write otherwise; the line end of a file is no part of it."""
    blame = Blame("hoster", "ovh", "example.org.", (secret,))
    for error in (Exception(text), answered(403, text), requests.ConnectionError(text)):
        ours = blame.translated(error, RRSET)
        assert "s3cr" not in f"{ours} {ours.hint} {ours.fields()}"
        assert "***" in str(ours)


@pytest.mark.parametrize("before", range(298 - len(SECRET), 301))
def test_no_half_of_a_secret_gets_through(before: int) -> None:
    """Where a long text is cut: what is left of it there would not be recognized any more."""
    for error in (Exception("x" * before + SECRET), answered(400, "x" + " " * before + SECRET)):
        assert "s3" not in BLAME.words(error)


def test_what_is_no_json_is_said_so() -> None:
    """A page in the service's place has nothing to do with a way that is closed; here requests' error is an OSError."""
    response = requests.Response()
    response.status_code = 200
    response._content = b"<html>"
    readings: list[Callable[[], object]] = [lambda: response.json(), lambda: json.loads("<html>")]
    for read in readings:
        with pytest.raises(ValueError, match="Expecting value") as caught:
            read()
        ours = BLAME.translated(caught.value, RRSET)
        assert str(ours) == "provider hoster, zone example.org: ovh: what answered is no JSON"
        assert "the address among the options" in ours.hint
        assert type(ours) is ProviderUnavailable


def test_what_cannot_be_reached_is_said_in_few_words() -> None:
    """By its host and the operating system's reason, and not as a library's tower of exceptions."""
    with pytest.raises(requests.ConnectionError) as caught:
        requests.get("http://127.0.0.1:9/v1?token=s3cret", timeout=5)
    ours = BLAME.translated(caught.value)
    assert str(ours) == "provider hoster, zone example.org: ovh: 127.0.0.1: connection refused"
    assert "reached from here" in ours.hint


def test_a_short_word_is_no_secret() -> None:
    """A user's name of two letters is in every other word."""
    assert Blame("hoster", "ovh", "example.org.", ("no",)).words(Exception("not known")) == "not known"


def test_a_page_of_html_is_one_short_line() -> None:
    """Without what would move a terminal's cursor."""
    words = BLAME.words(answered(400, "<html>\n\x1b[2J" + "x" * 5000))
    assert len(words) <= 300
    assert words.isprintable()

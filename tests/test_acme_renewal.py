"""When a CA would like a certificate renewed, and the order that says what it renews."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from dnsbroker.acme import RenewalInfo, renewal
from dnsbroker.errors import AcmeError, Problem
from fake_ca import Stage, answer, opened, refusal, scenario
from loopback import Response

IDENT = "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE"
START, END = "2026-11-21T04:00:00Z", "2026-11-22T04:00:00Z"
WINDOW = {"suggestedWindow": {"start": START, "end": END}}
PATH = f"renewal-info/{IDENT}"


@scenario
async def test_a_window_is_asked_for_without_a_signature(stage: Stage) -> None:
    """By the certificate's identifier, below the URL in the directory (RFC 9773 section 4.1)."""
    stage.ca.windows[IDENT] = {**WINDOW, "explanationURL": "https://ca.test/incident"}
    found = await stage.client.renewal_info(IDENT)
    assert stage.ca.paths[-1] == f"GET {PATH}"
    assert found == RenewalInfo(
        datetime(2026, 11, 21, 4, tzinfo=UTC), datetime(2026, 11, 22, 4, tzinfo=UTC), "https://ca.test/incident", None
    )


@scenario
async def test_a_known_url_needs_neither_account_nor_directory(stage: Stage) -> None:
    """One request, nothing else; a slash at its end is not doubled."""
    stage.ca.windows[IDENT] = WINDOW
    before = len(stage.ca.paths)
    async with opened(stage.ca) as visitor:
        for url in ("renewal-info", "renewal-info/"):
            await visitor.renewal_info(IDENT, stage.ca.url(url))
    assert stage.ca.paths[before:] == [f"GET {PATH}"] * 2


@pytest.mark.parametrize(
    ("field", "seconds"),
    [
        *(("21600", 21600.0), ("1", 60.0), ("-5", 60.0), ("99999999999999", 86400.0), ("soon", None)),
        *(("Fri, 20 Nov 2026 13:00:00 GMT", 3600.0), ("Thu, 19 Nov 2026 13:00:00 GMT", 60.0)),
    ],
)
def test_when_to_ask_again_is_between_a_minute_and_a_day(field: str, seconds: float | None) -> None:
    """In both forms of the field; what cannot be read counts as not said."""

    @scenario
    async def play(stage: Stage) -> None:
        stage.ca.scripts[PATH] = [answer(200, WINDOW, Retry_After=field)]
        assert (await stage.client.renewal_info(IDENT)).retry_after == seconds

    play()


@pytest.mark.parametrize(
    "text", ["2026-11-21T05:00:00+01:00", "2026-11-21t04:00:00z", "2026-11-21T04:00:00.000000001Z"]
)
def test_every_form_of_a_moment_is_read_as_utc(text: str) -> None:
    """RFC 3339 allows offsets, small letters and any fraction."""
    told = renewal.read({"suggestedWindow": {"start": text, "end": END}}, None, "ca.test")
    assert told.start == datetime(2026, 11, 21, 4, tzinfo=UTC)
    assert told.start.tzinfo is UTC


def test_a_window_in_the_past_is_one() -> None:
    """It means now."""
    past = {"start": "2020-01-01T00:00:00Z", "end": "2020-01-02T00:00:00Z"}
    assert renewal.read({"suggestedWindow": past}, None, "ca.test").end.year == 2020


NO_WINDOW: dict[str, Any] = {
    "fail_inverted": {"suggestedWindow": {"start": END, "end": START}},
    "fail_empty": {"suggestedWindow": {"start": START, "end": START}},
    "fail_no_window": {},
    "fail_null": {"suggestedWindow": None},
    "fail_list": {"suggestedWindow": [START, END]},
    "fail_no_end": {"suggestedWindow": {"start": START}},
    "fail_number": {"suggestedWindow": {"start": 1, "end": 2}},
    "fail_words": {"suggestedWindow": {"start": "now", "end": "later"}},
    "fail_no_zone": {"suggestedWindow": {"start": "2026-11-21T04:00:00", "end": END}},
    "fail_overflow": {"suggestedWindow": {"start": START, "end": "9999-12-31T23:59:59-14:00"}},
    "fail_overflow_down": {"suggestedWindow": {"start": "0001-01-01T00:00:00+14:00", "end": END}},
    "fail_absurd": {"suggestedWindow": {"start": START, "end": "9999-12-31T23:59:59Z"}},
    "fail_month": {"suggestedWindow": {"start": "2026-13-01T00:00:00Z", "end": END}},
}


@pytest.mark.parametrize("told", NO_WINDOW.values(), ids=NO_WINDOW)
def test_a_window_that_is_none_is_no_answer(told: dict[str, Any]) -> None:
    """It is lasting: asking again at once would bring the same."""

    @scenario
    async def play(stage: Stage) -> None:
        stage.ca.windows[IDENT] = told
        with pytest.raises(AcmeError, match="suggests no window") as refused:
            await stage.client.renewal_info(IDENT)
        assert not refused.value.transient

    play()


@pytest.mark.parametrize("page", ["javascript:alert(1)", "ftp://ca.test/x", 7, None])
def test_only_a_page_is_shown_to_a_person(page: object) -> None:
    """Anything else is left out; the window counts all the same."""
    assert renewal.read({**WINDOW, "explanationURL": page}, None, "ca.test").explanation_url == ""


FAILED = {
    "unknown": (refusal(404, "malformed", "no such certificate"), False),
    "gone": (refusal(410, "malformed"), False),
    "moved": (Response(301, (("Location", "https://elsewhere.test/"),)), False),
    "busy": (Response(503, (("Retry-After", "7"),)), True),
    "broken": (Response(500, body=b"<html>oops</html>"), True),
    "too often": (refusal(429, "rateLimited", Retry_After="3600"), True),
    "hung up": (Response(hang_up=True), True),
    "no object": (answer(200, []), False),
    "no JSON": (Response(200, body=b"<html>"), False),
}


@pytest.mark.parametrize(("told", "transient"), FAILED.values(), ids=FAILED)
def test_fail_passing_errors_are_told_from_lasting_ones(told: Response, transient: bool) -> None:
    """After one request: whoever asks comes back later anyway."""

    @scenario
    async def play(stage: Stage) -> None:
        stage.ca.windows[IDENT] = WINDOW
        stage.ca.scripts[PATH] = [told]
        with pytest.raises(AcmeError) as refused:
            await stage.client.renewal_info(IDENT)
        assert refused.value.transient is transient
        assert stage.ca.paths.count(f"GET {PATH}") == 1
        assert stage.clock.slept == []

    play()


@scenario
async def test_fail_a_ca_that_gives_no_such_information(stage: Stage) -> None:
    """Nothing is asked; the directory says so."""
    stage.ca.absent = frozenset({"renewalInfo"})
    async with opened(stage.ca) as client:
        with pytest.raises(AcmeError, match="offers no renewal information") as refused:
            await client.renewal_info(IDENT)
    assert not refused.value.transient


@scenario
async def test_an_order_says_which_certificate_it_replaces(stage: Stage) -> None:
    """And nothing of it where none is (RFC 9773 section 5)."""
    stage.ca.windows[IDENT] = WINDOW
    await stage.client.new_order(["a.test"])
    assert "replaces" not in stage.ca.posts[-1].json()
    await stage.client.new_order(["a.test"], replaces=IDENT)
    assert stage.ca.posts[-1].json()["replaces"] == IDENT


@scenario
async def test_fail_a_certificate_is_replaced_once(stage: Stage) -> None:
    """The problem keeps its type and status, so that the caller can order without it."""
    stage.ca.windows[IDENT] = WINDOW
    await stage.client.new_order(["a.test"], replaces=IDENT)
    with pytest.raises(Problem) as refused:
        await stage.client.new_order(["a.test"], replaces=IDENT)
    assert (refused.value.type, refused.value.status, refused.value.transient) == ("alreadyReplaced", 409, False)
    assert (await stage.client.new_order(["a.test"])).names == ("a.test",)


@scenario
async def test_fail_another_cas_certificate_cannot_be_replaced(stage: Stage) -> None:
    """Type and status are the CA's."""
    with pytest.raises(Problem) as refused:
        await stage.client.new_order(["a.test"], replaces="AAAA.AQ")
    assert (refused.value.type, refused.value.status) == ("malformed", 404)


@scenario
async def test_a_profile_is_chosen_by_its_advertised_name(stage: Stage) -> None:
    """What the CA says of it is in the directory; the order says which one it follows."""
    stage.ca.meta = {"profiles": {"shortlived": "six\x1b days", "odd": 7}, "website": "https://ca.test/"}
    async with opened(stage.ca) as client:
        await client.find()
        directory = await client.directory()
        assert directory.profiles == {"shortlived": "six days", "odd": "7"}
        assert (directory.website, directory.external_account_required) == ("https://ca.test/", False)
        assert (await client.new_order(["a.test"], profile="shortlived")).profile == "shortlived"
        assert (await client.new_order(["a.test"])).profile == ""
        with pytest.raises(Problem) as refused:
            await client.new_order(["a.test"], profile="classic")
        assert refused.value.type == "invalidProfile"
        assert "profile" in refused.value.hint


@scenario
async def test_a_directory_of_the_least_says_nothing_of_the_rest(stage: Stage) -> None:
    """Members of the wrong type count as absent."""
    stage.ca.absent = frozenset({"revokeCert", "keyChange", "renewalInfo"})
    stage.ca.meta = {"profiles": ["a"], "externalAccountRequired": "yes", "website": 7}
    async with opened(stage.ca) as client:
        found = await client.directory()
    assert (found.revoke_cert, found.key_change, found.renewal_info, found.website) == ("", "", "", "")
    assert (dict(found.profiles), found.external_account_required) == ({}, False)

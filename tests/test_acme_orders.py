"""Orders and their authorizations: which states pass, which wait, which fail, and in whose words."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from acme.challenges import DNS01
from josepy import json_util, jwk

from dnsbroker.acme import Authorization
from dnsbroker.clock import Deadline, SystemClock
from dnsbroker.errors import AcmeError, OrderFailed, OrderUnfinished, Problem
from fake_ca import URN, FakeCA, Stage, account_key, answer, opened, refusal, scenario
from loopback import Response

NAMES = ["a.test", "*.a.test"]


async def _first(stage: Stage) -> Authorization:
    """The wildcard's authorization in a fresh order."""
    return (await stage.client.authorizations(await stage.client.new_order(NAMES)))[0]


def _state(stage: Stage, number: int = 1, **members: object) -> Response:
    """A reply that shows the authorization with these members."""
    headers = {"Retry_After": str(members.pop("retry_after"))} if "retry_after" in members else {}
    return answer(200, {**stage.ca.authorizations[number], **members}, **headers)


def _failed(kind: str, detail: str, **members: object) -> dict[str, object]:
    return {"type": "dns-01", "status": "invalid", "error": {"type": URN + kind, "detail": detail, **members}}


@scenario
async def test_apex_and_wildcard_are_two_challenges_on_one_name(stage: Stage) -> None:
    """The authorizations come in any order, the wildcard under its base name; the values differ."""
    found = await stage.client.authorizations(await stage.client.new_order(NAMES))
    assert [authorization.identifier for authorization in found] == ["*.a.test", "a.test"]
    assert [authorization.wildcard for authorization in found] == [True, False]
    challenges = [authorization.challenge for authorization in found]
    assert all(challenge is not None for challenge in challenges)
    assert len({challenge.value for challenge in challenges if challenge}) == 2


@scenario
async def test_the_value_is_what_the_acme_library_computes(stage: Stage) -> None:
    """Digest of token and thumbprint, unpadded (RFC 8555 section 8.4)."""
    challenge = (await _first(stage)).challenge
    assert challenge is not None
    theirs = DNS01(token=json_util.decode_b64jose(challenge.token))
    assert challenge.value == theirs.validation(jwk.JWK.load(account_key().encode()))
    assert len(challenge.value) == 43


@scenario
async def test_an_order_names_each_name_once_and_is_found_by_its_url(stage: Stage) -> None:
    """It can be resumed from the URL alone, and says until when."""
    order = await stage.client.new_order([*NAMES, "a.test"])
    assert stage.ca.posts[-1].json()["identifiers"] == [{"type": "dns", "value": name} for name in NAMES]
    assert await stage.client.order(order.url) == order
    assert order.expires is not None
    assert order.expires.isoformat() == "2026-11-27T12:00:00+00:00"


@scenario
async def test_an_authorization_that_is_valid_already_needs_nothing(stage: Stage) -> None:
    """It is reported as it is, challenge or not."""
    order = await stage.client.new_order(NAMES)
    stage.ca.authorizations[1].update(status="valid", challenges=[])
    first, second = await stage.client.authorizations(order)
    assert (first.is_valid, first.challenge) == (True, None)
    assert not second.is_valid


ODD: dict[str, dict[str, Any]] = {
    "a new type": {"type": "dns-persist-01", "issuer-domain-names": ["ca.test"], "status": "pending"},
    "no token": {"type": "dns-01", "status": "pending"},
    "a token of the wrong type": {"type": "dns-01", "status": "pending", "token": 7},
    "a short token": {"type": "dns-01", "status": "pending", "token": "YWJj"},
    "a token that does not come back": {"type": "dns-01", "status": "pending", "token": "A" * 42 + "B"},
    "no type": {"token": "x"},
    "a type of the wrong type": {"type": ["dns-01"], "token": "x"},
    "an unknown status": {"type": "dns-01", "status": "dreaming", "token": "x"},
}


@pytest.mark.parametrize("odd", ODD)
def test_a_challenge_that_cannot_be_used_counts_as_not_offered(odd: str) -> None:
    """Beside a good one it does not matter; alone it is an error that names the identifier."""

    @scenario
    async def play(stage: Stage) -> None:
        order = await stage.client.new_order(NAMES)
        good = stage.ca.authorizations[1]["challenges"][1]
        challenge = {**ODD[odd], "url": stage.ca.url("challenge/1")}
        stage.ca.authorizations[1]["challenges"] = ["junk", None, challenge, good]
        first, _ = await stage.client.authorizations(order)
        assert first.challenge is not None
        assert first.challenge.token == good["token"]
        stage.ca.authorizations[1]["challenges"] = [challenge]
        with pytest.raises(OrderFailed, match=r"no dns-01 challenge for \*\.a\.test"):
            await stage.client.authorizations(order)

    play()


@scenario
async def test_an_answered_challenge_is_waited_for(stage: Stage) -> None:
    """The answer is an empty object, no Link is needed in the reply, and looking begins at once."""
    authorization = await _first(stage)
    assert authorization.challenge is not None
    stage.ca.scripts["authz/1"] = [_state(stage)] * 5
    await stage.client.answer(authorization.challenge)
    assert stage.ca.posts[-1].json() == {}
    deadline = Deadline.after(stage.clock, 60)
    assert (await stage.client.validated(authorization, deadline)).is_valid
    assert stage.clock.slept[0] <= 0.1
    assert stage.clock.slept == sorted(stage.clock.slept)
    assert sum(stage.clock.slept) < 2


@pytest.mark.parametrize(
    ("retry_after", "wait"), [("7", 7.0), ("Fri, 20 Nov 2026 12:00:09 GMT", 9.0), ("0", 1.0), ("-3", 1.0)]
)
def test_the_next_look_is_when_the_ca_says(retry_after: str, wait: float) -> None:
    """Pending and processing wait; zero and less do not spin."""

    @scenario
    async def play(stage: Stage) -> None:
        authorization = await _first(stage)
        stage.ca.scripts["authz/1"] = [
            _state(stage, status="pending", retry_after=retry_after),
            _state(stage, status="processing", retry_after=retry_after if retry_after.isdigit() else "9"),
            _state(stage, status="valid"),
        ]
        await stage.client.validated(authorization, Deadline.after(stage.clock, 60))
        assert stage.clock.slept[0] == wait
        assert len(stage.clock.slept) == 2

    play()


@pytest.mark.parametrize("status", ["invalid", "deactivated", "revoked", "expired", "ready", "dreaming", ""])
def test_fail_only_valid_passes(status: str) -> None:
    """Every other final state is a failure, with or without a challenge that says why."""

    @scenario
    async def play(stage: Stage) -> None:
        order = await stage.client.new_order(NAMES)
        authorization = (await stage.client.authorizations(order))[0]
        stage.ca.authorizations[1]["status"] = status
        with pytest.raises(OrderFailed) as failed:
            await stage.client.validated(authorization, Deadline.after(stage.clock, 60))
        assert failed.value.identifier == "*.a.test"
        assert (status or "no status") in str(failed.value)
        assert stage.clock.slept == []
        with pytest.raises(OrderFailed):
            await stage.client.authorizations(order)

    play()


@scenario
async def test_fail_the_challenges_own_words_reach_the_user(stage: Stage) -> None:
    """Type, detail and subproblems; the challenge that was tried counts, not its neighbour."""
    authorization = await _first(stage)
    sub = {"type": URN + "dns", "detail": "from Tokyo: NXDOMAIN", "identifier": {"type": "dns", "value": "a.test"}}
    tried = _failed("unauthorized", "Incorrect TXT record found", subproblems=[sub])
    other = {**_failed("connection", "port 80"), "type": "http-01"}
    stage.ca.authorizations[1].update(status="invalid", challenges=[other, tried])
    with pytest.raises(OrderFailed) as failed:
        await stage.client.validated(authorization, Deadline.after(stage.clock, 60))
    error = failed.value
    assert (error.problem_type, error.detail) == ("unauthorized", "Incorrect TXT record found")
    assert error.subproblems == ({"type": "dns", "detail": "from Tokyo: NXDOMAIN", "identifier": "a.test"},)
    assert "could not validate *.a.test: Incorrect TXT record found; a.test: from Tokyo: NXDOMAIN" in str(error)
    assert "_acme-challenge.a.test" in error.hint


@scenario
async def test_fail_names_are_told_as_people_write_them(stage: Stage) -> None:
    """In whatever goes wrong with them, whoever named them; as data they stay as they go over the wire."""
    (authorization,) = await stage.client.authorizations(await stage.client.new_order(["*.xn--mnchen-3ya.test"]))
    told: list[str] = []

    async def fails() -> None:
        with pytest.raises(AcmeError) as failed:
            await stage.client.validated(authorization, Deadline.after(stage.clock, 1))
        assert getattr(failed.value, "identifier", "") in ("", "*.xn--mnchen-3ya.test")
        told.append(str(failed.value))

    await fails()
    sub = {"type": URN + "dns", "detail": "no", "identifier": {"type": "dns", "value": "xn--mnchen-3ya.test"}}
    stage.ca.authorizations[1].update(status="invalid", challenges=[_failed("dns", "no", subproblems=[sub])])
    await fails()
    stage.ca.scripts["authz/1"] = [refusal(403, "unauthorized")] * 2
    await fails()
    with pytest.raises(AcmeError) as failed:
        await stage.client.deactivate(authorization)
    told.append(str(failed.value))
    stage.ca.authorizations[1].update(status="pending", challenges=[])
    with pytest.raises(OrderFailed) as failed:
        await stage.client.authorizations(await stage.client.order(stage.ca.url("order/1")))
    told.append(str(failed.value))
    assert len(told) == 5
    assert all("*.münchen.test" in words and "xn--" not in words for words in told), told


def test_fail_a_caa_refusal_computes_the_record() -> None:
    """The CA's own name comes from its directory."""

    async def play() -> None:
        ca = FakeCA(meta={"caaIdentities": ["letsencrypt.test"]})
        async with ca.server, opened(ca) as client:
            await client.register((), agree_tos=True)
            (authorization,) = await client.authorizations(await client.new_order(["*.a.test"]))
            ca.authorizations[1].update(status="invalid", challenges=[_failed("caa", "CAA forbids")])
            with pytest.raises(OrderFailed) as failed:
                await client.validated(authorization, Deadline.after(SystemClock(), 5))
            assert failed.value.hint == 'add the record: a.test. CAA 0 issuewild "letsencrypt.test"'

    asyncio.run(play())


@scenario
async def test_fail_at_the_deadline_the_wait_ends(stage: Stage) -> None:
    """No sleep passes it, and the last look is at it."""
    authorization = await _first(stage)
    with pytest.raises(OrderUnfinished, match=r"authorization of \*\.a\.test is still pending after 10 s") as late:
        await stage.client.validated(authorization, Deadline.after(stage.clock, 10))
    assert stage.clock.monotonic() == 10
    assert (late.value.waited, late.value.retry_after, late.value.transient) == (10, None, True)


@scenario
async def test_fail_a_wait_beyond_the_deadline_is_not_begun(stage: Stage) -> None:
    """The error comes at once, with the time to come back."""
    authorization = await _first(stage)
    stage.ca.scripts["authz/1"] = [_state(stage, retry_after=600)]
    with pytest.raises(OrderUnfinished) as late:
        await stage.client.validated(authorization, Deadline.after(stage.clock, 60))
    assert stage.clock.slept == []
    assert late.value.retry_after == 600
    assert "2026-11-20 12:10:00 UTC, in 10 min" in late.value.hint


@scenario
async def test_a_busy_ca_is_waited_for_within_the_deadline(stage: Stage) -> None:
    """A poll may wait longer than a request without a deadline would."""
    authorization = await _first(stage)
    stage.ca.authorizations[1]["status"] = "valid"
    stage.ca.scripts["authz/1"] = [refusal(429, "rateLimited", Retry_After="90")]
    await stage.client.validated(authorization, Deadline.after(stage.clock, 600))
    assert stage.clock.slept == [90.0]
    stage.ca.scripts["authz/1"] = [refusal(429, "rateLimited", Retry_After="90")]
    with pytest.raises(Problem):
        await stage.client.validated(authorization, Deadline.after(stage.clock, 60))
    assert stage.clock.slept == [90.0]


@scenario
async def test_an_answer_may_be_repeated(stage: Stage) -> None:
    """A CA that refuses the second answer because the first one counted is not believed to have failed."""
    challenge = (await _first(stage)).challenge
    assert challenge is not None
    for status in ("processing", "valid"):
        seen = answer(200, {"type": "dns-01", "status": status})
        stage.ca.scripts["challenge/1"] = [refusal(400, "malformed", "authorization is not pending"), seen]
        await stage.client.answer(challenge)


@scenario
async def test_fail_an_answer_that_did_not_count_is_an_error(stage: Stage) -> None:
    """The challenge is still pending, or the refusal is of another kind."""
    challenge = (await _first(stage)).challenge
    assert challenge is not None
    pending = answer(200, {"type": "dns-01", "status": "pending"})
    stage.ca.scripts["challenge/1"] = [refusal(400, "malformed", "what?"), pending]
    with pytest.raises(Problem, match=r"what\?"):
        await stage.client.answer(challenge)
    stage.ca.scripts["challenge/1"] = [refusal(403, "unauthorized", "not yours")]
    with pytest.raises(Problem, match="not yours"):
        await stage.client.answer(challenge)


@scenario
async def test_an_authorization_can_be_given_up(stage: Stage) -> None:
    """So that it does not count among the pending ones (RFC 8555 section 7.5.2)."""
    await stage.client.deactivate(await _first(stage))
    assert stage.ca.posts[-1].json() == {"status": "deactivated"}
    assert stage.ca.authorizations[1]["status"] == "deactivated"


@scenario
async def test_giving_up_is_tried_once(stage: Stage) -> None:
    """Whoever gives up does not wait for a CA that is busy."""
    authorization = await _first(stage)
    stage.ca.scripts["authz/1"] = [refusal(503, "serverInternal", Retry_After="1"), refusal(503, "serverInternal")]
    for _ in range(2):
        with pytest.raises(Problem):
            await stage.client.deactivate(authorization)
    assert stage.clock.slept == []


@scenario
async def test_members_of_the_wrong_type_stop_nothing(stage: Stage) -> None:
    """They count as absent."""
    strange = {"status": 7, "identifiers": "a", "authorizations": [1, "x"], "expires": "soon", "error": []}
    stage.ca.scripts["order/1"] = [answer(200, strange), answer(200, {**strange, "expires": "2026-01-01"})]
    for _ in range(2):
        order = await stage.client.order(stage.ca.url("order/1"))
        assert (order.status, order.names, order.authorizations, order.expires) == ("", (), ("x",), None)

"""Requests to a CA: nonces, repetition, redirects, odd replies, concurrency and cancellation."""

from __future__ import annotations

import asyncio
import itertools
import json
import logging

import pytest

from dnsbroker.clock import SystemClock
from dnsbroker.errors import AcmeError, DirectoryUnreachable, Problem
from dnsbroker.testing import FakeClock
from fake_ca import URN, FakeCA, Stage, answer, opened, refusal, scenario
from loopback import Request, Response

NAMES = ["a.test"]


def _nonces(stage: Stage, path: str) -> list[str]:
    return [post.protected["nonce"] for post in stage.ca.posts if post.path == path]


@scenario
async def test_a_refused_nonce_is_replaced_by_the_one_that_came_with_the_refusal(stage: Stage) -> None:
    """The second attempt uses it, and nobody is asked for another."""
    fresh = stage.ca.nonce()
    stage.ca.scripts["new-order"] = [refusal(400, "badNonce", Replay_Nonce=fresh)]
    heads = stage.ca.paths.count("HEAD new-nonce")
    await stage.client.new_order(NAMES)
    assert _nonces(stage, "new-order")[1:] == [fresh]
    assert stage.ca.paths.count("HEAD new-nonce") == heads


@scenario
async def test_nineteen_refused_nonces_are_survived_without_a_pause(stage: Stage) -> None:
    """Each refusal brings the next attempt."""
    stage.ca.rejects = itertools.chain([True] * 19, itertools.repeat(False))
    await stage.client.new_order(NAMES)
    assert len(_nonces(stage, "new-order")) == 20
    assert len(set(_nonces(stage, "new-order"))) == 20
    assert stage.clock.slept == []


@scenario
async def test_fail_a_ca_that_refuses_every_nonce_is_given_up(stage: Stage) -> None:
    """After twenty attempts the refusal is the error."""
    stage.ca.rejects = itertools.repeat(True)
    with pytest.raises(Problem) as refused:
        await stage.client.new_order(NAMES)
    assert refused.value.type == "badNonce"
    assert len(_nonces(stage, "new-order")) == 20


@scenario
async def test_half_of_all_nonces_refused_is_no_trouble(stage: Stage) -> None:
    """Two hundred requests, each other one refused, all succeed."""
    stage.ca.rejects = itertools.cycle([True, False, False, True])
    for _ in range(50):
        await stage.client.new_order(NAMES)
    assert len(stage.ca.orders) == 50


@scenario
async def test_a_nonce_of_any_refusal_is_used(stage: Stage) -> None:
    """An error's nonce is as good as another (RFC 8555 section 6.5)."""
    fresh = stage.ca.nonce()
    stage.ca.scripts["new-order"] = [refusal(403, "rejectedIdentifier", Replay_Nonce=fresh)]
    with pytest.raises(Problem):
        await stage.client.new_order(NAMES)
    await stage.client.new_order(NAMES)
    assert _nonces(stage, "new-order")[-1] == fresh


@scenario
async def test_a_malformed_nonce_is_ignored(stage: Stage) -> None:
    """With a success as with a refusal: a new one is fetched, nothing is raised or mangled."""
    body = {"status": "pending", "identifiers": [], "authorizations": [], "finalize": stage.ca.url("finalize/9")}
    stage.ca.scripts["new-order"] = [
        answer(201, body, Location=stage.ca.url("order/9"), Replay_Nonce="a"),
        refusal(400, "badNonce", Replay_Nonce="abc+"),
    ]
    heads = stage.ca.paths.count("HEAD new-nonce")
    await stage.client.new_order(NAMES)
    await stage.client.new_order(NAMES)
    assert stage.ca.paths.count("HEAD new-nonce") == heads + 2
    assert {"a", "abc+", "abc-"}.isdisjoint(_nonces(stage, "new-order"))


@scenario
async def test_a_short_wait_that_the_ca_asks_for_is_waited(stage: Stage) -> None:
    """Seconds or a date, 429 or 503, at any endpoint: the request is repeated then."""
    stage.ca.scripts["new-order"] = [
        refusal(429, "rateLimited", Retry_After="3"),
        Response(503, (("Retry-After", "Fri, 20 Nov 2026 12:00:05 GMT"),), b"<html>busy</html>"),
    ]
    stage.ca.scripts["order/1"] = [refusal(429, "rateLimited", Retry_After="4")]
    order = await stage.client.new_order(NAMES)
    await stage.client.order(order.url)
    assert stage.clock.slept == [3.0, 2.0, 4.0]


@scenario
async def test_fail_a_long_wait_that_the_ca_asks_for_is_an_error_with_the_time(stage: Stage) -> None:
    """Nothing is waited for, nothing repeated."""
    stage.ca.scripts["new-order"] = [refusal(429, "rateLimited", "too many orders", Retry_After="3600")]
    with pytest.raises(Problem, match="too many orders") as refused:
        await stage.client.new_order(NAMES)
    assert refused.value.retry_after == 3600.0
    assert refused.value.transient
    assert "2026-11-20 13:00:00 UTC" in refused.value.hint
    assert stage.clock.slept == []
    assert stage.ca.paths.count("POST new-order") == 1


@scenario
async def test_fail_a_ca_that_stays_away_is_given_up(stage: Stage) -> None:
    """Repetition is bounded in number and in time."""
    stage.ca.scripts["new-order"] = [Response(503, body=b"<html>Service busy</html>")] * 99
    with pytest.raises(Problem, match="Service busy") as refused:
        await stage.client.new_order(NAMES)
    assert (refused.value.status, refused.value.transient) == (503, True)
    assert stage.ca.paths.count("POST new-order") <= 4
    assert stage.clock.monotonic() <= 30


@scenario
async def test_new_nonce_may_be_busy_too(stage: Stage) -> None:
    """Its Retry-After is honoured like every other."""
    await stage.client.new_order(NAMES)
    stage.ca.scripts["new-nonce"] = [Response(503, (("Retry-After", "2"), ("Replay-Nonce", "!")))]
    stage.ca.scripts["order/1"] = [refusal(400, "badNonce", Replay_Nonce="!")]
    await stage.client.order(stage.ca.url("order/1"))
    assert stage.clock.slept == [2.0]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_fail_a_redirect_is_neither_followed_nor_a_success(status: int) -> None:
    """A signed request is for the URL that it names."""

    @scenario
    async def play(stage: Stage) -> None:
        stage.ca.scripts["new-order"] = [Response(status, (("Location", stage.ca.url("elsewhere")),))]
        with pytest.raises(Problem, match="redirects to") as refused:
            await stage.client.new_order(NAMES)
        assert refused.value.status == status
        assert not any("elsewhere" in path for path in stage.ca.paths)

    play()


@scenario
async def test_the_account_is_not_forgotten_after_a_failure(stage: Stage) -> None:
    """Every request but newAccount names the account and carries no key, whatever failed before."""
    stage.ca.scripts["new-order"] = [refusal(500, "serverInternal"), refusal(400, "malformed")]
    with pytest.raises(Problem):
        await stage.client.new_order(NAMES)
    stage.ca.scripts["new-account"] = [refusal(403, "unauthorized")]
    with pytest.raises(Problem):
        await stage.client.register((), agree_tos=True)
    await stage.client.new_order(NAMES)
    for post in stage.ca.posts:
        assert ("jwk" in post.protected) == (post.path == "new-account")
        assert post.protected.get("kid", stage.client.account_url) == stage.client.account_url


@scenario
async def test_a_conflict_is_parsed_like_every_refusal(stage: Stage) -> None:
    """The type of a 409 reaches the caller."""
    stage.ca.scripts["new-order"] = [refusal(409, "alreadyReplaced", "done before")]
    with pytest.raises(Problem, match="done before") as refused:
        await stage.client.new_order(NAMES)
    assert (refused.value.type, refused.value.status) == ("alreadyReplaced", 409)


@pytest.mark.parametrize("body", [b"", b"[]", b"<html>welcome</html>", b'"order"', b"{"])
def test_fail_a_success_without_json_is_an_error(body: bytes) -> None:
    """A portal's page with status 200 is no order."""

    @scenario
    async def play(stage: Stage) -> None:
        stage.ca.scripts["new-order"] = [Response(201, (("Location", stage.ca.url("order/1")),), body)]
        with pytest.raises(AcmeError, match="no JSON object"):
            await stage.client.new_order(NAMES)

    play()


@scenario
async def test_the_media_type_of_a_success_does_not_matter(stage: Stage) -> None:
    """JSON is JSON, whatever the header calls it."""
    await stage.client.new_order(NAMES)
    body = json.dumps(stage.ca.orders[1]).encode()
    stage.ca.scripts["order/1"] = [Response(200, (("Content-Type", "text/html"),), body)]
    assert (await stage.client.order(stage.ca.url("order/1"))).names == ("a.test",)


@scenario
async def test_fail_a_huge_reply_is_cut_off(stage: Stage) -> None:
    """Two mebibytes are no order."""
    stage.ca.scripts["new-order"] = [Response(201, body=b"x" * 2 * 1024 * 1024)] * 9
    with pytest.raises(AcmeError, match="larger than"):
        await stage.client.new_order(NAMES)


def test_fail_a_reply_that_drips_ends_with_the_time_out() -> None:
    """The time-out is for the whole reply, not for each octet."""

    async def play() -> None:
        ca, clock = FakeCA(), SystemClock()
        async with ca.server, opened(ca, timeout=0.3) as client:
            await client.register((), agree_tos=True)
            ca.scripts["new-order"] = [Response(201, body=b"x" * 1000, drip=0.05)] * 9
            started = clock.monotonic()
            with pytest.raises(AcmeError, match=r"no complete reply within 0.3 s"):
                await client.new_order(NAMES)
            assert clock.monotonic() - started < 5

    asyncio.run(play())


@scenario
async def test_a_lost_reply_is_asked_for_again(stage: Stage) -> None:
    """A connection that breaks costs a moment, not the order."""
    stage.ca.scripts["new-order"] = [Response(hang_up=True)]
    assert (await stage.client.new_order(NAMES)).names == ("a.test",)
    assert len(stage.clock.slept) == 1


def test_requests_in_flight_are_bounded() -> None:
    """Forty orders at once, never more than three requests; each nonce is used once."""

    async def play() -> None:
        ca, flying, peak = FakeCA(), 0, 0
        plain = ca.server.answer

        async def slowly(request: Request) -> Response:
            nonlocal flying, peak
            flying += 1
            peak = max(peak, flying)
            await SystemClock().sleep(0.002)
            flying -= 1
            told = plain(request)
            assert isinstance(told, Response)
            return told

        ca.server.answer = slowly
        async with ca.server, opened(ca, parallel=3) as client:
            await client.register((), agree_tos=True)
            ca.rejects = itertools.cycle([False, True, True])
            await asyncio.gather(*(client.new_order(NAMES) for _ in range(40)))
        assert (len(ca.orders), peak) == (40, 3)
        assert len({post.protected["nonce"] for post in ca.posts}) == len(ca.posts)
        assert ca.paths.count("GET dir") == 1

    asyncio.run(play())


def test_a_cancelled_request_leaves_the_client_whole() -> None:
    """Its place among the requests in flight is free again, and the next one works."""

    async def play() -> None:
        ca = FakeCA()
        async with ca.server, opened(ca, parallel=1) as client:
            await client.register((), agree_tos=True)
            ca.scripts["new-order"] = [Response(hang=True)]
            task = asyncio.create_task(client.new_order(NAMES))
            while "POST new-order" not in ca.paths:
                await SystemClock().sleep(0.005)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert (await client.new_order(NAMES)).names == ("a.test",)

    asyncio.run(play())


def test_one_cancelled_fetch_does_not_leave_the_others_running() -> None:
    """Authorizations are fetched at once; the first failure ends them all."""

    async def play() -> None:
        ca = FakeCA()
        async with ca.server, opened(ca) as client:
            await client.register((), agree_tos=True)
            order = await client.new_order(["a.test", "b.test"])
            ca.scripts["authz/1"] = [Response(hang=True)]
            ca.scripts["authz/2"] = [refusal(404, "malformed", "expired")]
            before = len(asyncio.all_tasks())
            with pytest.raises(Problem, match="expired"):
                await client.authorizations(order)
            assert len(asyncio.all_tasks()) <= before + 1  # the server's connection that hangs

    asyncio.run(play())


def test_the_log_holds_no_signed_request(caplog: pytest.LogCaptureFixture) -> None:
    """Not even at the finest level of any library."""

    @scenario
    async def play(stage: Stage) -> None:
        with caplog.at_level(logging.DEBUG):
            await stage.client.authorizations(await stage.client.new_order(NAMES))
        told = json.loads(stage.ca.posts[-2].body)
        assert told["signature"] not in caplog.text
        assert told["payload"] not in caplog.text
        assert told["protected"] not in caplog.text

    play()


def test_the_directory_is_read_once_and_unknown_members_are_ignored() -> None:
    """Its URLs are used exactly as given, its CAA names are kept."""

    async def play() -> None:
        ca = FakeCA(meta={"caaIdentities": ["ca.test", 7], "termsOfService": "https://ca.test/tos", "new": {}})
        async with ca.server, opened(ca) as client:
            found = await client.directory()
            assert found == await client.directory()
            assert (found.new_order, found.caa_identities) == (ca.url("new-order"), ("ca.test",))
            assert found.terms_of_service == "https://ca.test/tos"
        assert ca.paths == ["GET dir"]
        assert ca.server.requests[0].headers["user-agent"].startswith("dnsbroker/")

    asyncio.run(play())


NO_DIRECTORY = {
    "a page": (Response(200, body=b"<html>It works!</html>"), "not JSON", "acme.directory"),
    "a list": (Response(200, body=b"[]"), "not JSON", "acme.directory"),
    "no newOrder": (answer(200, {"newNonce": "x", "newAccount": "y"}), "names no newNonce", "acme.directory"),
    "an old protocol's": (answer(200, {"new-authz": "x"}), "names no newNonce", "acme.directory"),
    "not found": (Response(404, body=b"not here"), "not here", "acme.directory"),
    "moved": (Response(301, (("Location", "https://ca.test/d"),)), "redirects", 'directory = "https://ca.test/d"'),
    "forbidden": (refusal(403, "unauthorized", "go away"), "go away", ""),
}


@pytest.mark.parametrize(("told", "words", "hint"), NO_DIRECTORY.values(), ids=NO_DIRECTORY)
def test_fail_what_is_no_directory_is_named_with_its_url(told: Response, words: str, hint: str) -> None:
    """At once, without repetition, and the hint names the key to correct."""

    async def play() -> None:
        ca = FakeCA()
        ca.scripts["dir"] = [told]
        async with ca.server, opened(ca) as client:
            with pytest.raises(DirectoryUnreachable, match=words) as refused:
                await client.directory()
            assert refused.value.url == ca.url("dir")
            assert hint in refused.value.hint
            assert not refused.value.transient

    asyncio.run(play())


def test_a_busy_directory_is_asked_again_when_it_says() -> None:
    """Its Retry-After counts like every other; a failed attempt is not remembered."""

    async def play() -> None:
        ca, clock = FakeCA(), FakeClock()
        ca.scripts["dir"] = [Response(503, (("Retry-After", "6"),)), Response(503, (("Retry-After", "3600"),))]
        async with ca.server, opened(ca, clock=clock) as client:
            with pytest.raises(DirectoryUnreachable) as refused:
                await client.directory()
            assert (clock.slept, refused.value.retry_after) == ([6.0], 3600.0)
            await client.directory()

    asyncio.run(play())


def test_fail_nobody_listens() -> None:
    """The error says what the system said, and that it may pass."""

    async def play() -> None:
        ca = FakeCA()
        async with ca.server:
            pass
        async with opened(ca) as client:
            with pytest.raises(DirectoryUnreachable, match="connection refused") as refused:
                await client.directory()
            assert refused.value.transient
            assert "acme.directory" in refused.value.hint

    asyncio.run(play())


def test_the_urns_of_the_protocol_are_one_constant() -> None:
    """The fake and the client mean the same prefix."""
    from dnsbroker.acme import problem

    assert problem.URN == URN

"""The Cloudflare adapter against literal HTTP: what every refusal means to a person, and that no secret gets out."""

from __future__ import annotations

import json
import logging
from typing import Any

import pytest

from cloudflare_clients import Adapter, adapter, add, played, secret
from dnsbroker.errors import (
    AuthRejected,
    BrokerError,
    ConfigError,
    Conflict,
    ProviderError,
    ProviderUnavailable,
    RateLimited,
    RecordRejected,
    ZoneMissing,
)
from dnsbroker.testing import FakeClock
from dnsbroker_cloudflare import limits
from loopback import LoopbackServer, Request, Response

TOKEN = "s3cret-token-of-the-account"
ZONE = "example.com."
NAME = "_acme-challenge.example.com."
JSON = ("Content-Type", "application/json")
IDS = {"example.com": "023e105f4ecef8ad9ca31a8372d0c353"}
OURS = {"id": "1", "type": "TXT", "name": NAME.rstrip("."), "content": '"ours"', "ttl": 60}


def told(document: object, status: int = 200, *headers: tuple[str, str]) -> Response:
    """A JSON reply."""
    return Response(status, (JSON, *headers), json.dumps(document).encode())


def refused(status: int, *codes: int, message: str = "no", headers: tuple[tuple[str, str], ...] = ()) -> Response:
    """A refusal with these codes, in the shape of today: no chain, no result."""
    errors = [{"code": code, "message": message} for code in codes]
    return told({"success": False, "errors": errors, "messages": [], "result": None}, status, *headers)


def listed(*records: dict[str, Any]) -> Response:
    """A list of records on one page."""
    info = {"page": 1, "per_page": 2000, "count": len(records), "total_count": len(records), "total_pages": 1}
    return told({"success": True, "errors": [], "messages": [], "result": list(records), "result_info": info})


class Literal(LoopbackServer):
    """An API that lists what it is told to, before the first batch and ``afterwards``, and answers each batch so."""

    def __init__(self, batch: Response, lists: Response | None = None, afterwards: Response | None = None) -> None:
        super().__init__(self._told)
        self._batch = batch
        self._lists = lists or listed()
        self._afterwards = afterwards or self._lists

    def _told(self, request: Request) -> Response:
        if request.method == "POST":
            return self._batch
        return self._afterwards if self.posts else self._lists

    @property
    def posts(self) -> int:
        """How many changes were asked for."""
        return sum(request.method == "POST" for request in self.requests)


def applied(server: LoopbackServer, **settings: Any) -> object:
    """What adding our value gives."""

    async def play(_: Adapter) -> object:
        async with server:
            client = adapter(f"{server.url}/v4", **{"token": TOKEN, "zone_ids": IDS, **settings})
            try:
                return await client.apply(ZONE, [add(NAME)])
            finally:
                await client.aclose()

    return played(adapter("http://127.0.0.1:9", TOKEN), play)


def failed(kind: type[BrokerError], server: LoopbackServer, **settings: Any) -> Any:
    """The error, of this kind, with which adding our value fails; it never holds the token."""
    with pytest.raises(kind) as caught:
        applied(server, **settings)
    error = caught.value
    shown = f"{error} {error.hint} {error.fields()} {error!r}"
    cause: BaseException | None = error
    while cause is not None:
        shown += f"{cause} {cause!r}"
        cause = cause.__cause__ or cause.__context__
    assert TOKEN not in shown
    return error


# Codes


@pytest.mark.parametrize(
    ("status", "code"), [(400, 6003), (400, 6103), (400, 6111), (403, 9103), (403, 9109), (403, 10000), (401, 1000)]
)
def test_credentials_that_are_refused_are_not_tried_again(status: int, code: int) -> None:
    """The hint says which key, where its secret comes from, and which rights are needed."""
    server = Literal(refused(status, code))
    error = failed(AuthRejected, server)
    assert server.posts == 1
    for word in ("api_token", "the test", "DNS:Edit"):
        assert word in error.hint


def test_a_refused_global_key_is_told_otherwise() -> None:
    """By its own two keys, and the better way."""
    server = Literal(refused(403, 9103))
    error = failed(AuthRejected, server, token="", api_email="me@example.org", api_key=secret(TOKEN))
    assert "api_key" in error.hint
    assert "token" in error.hint


def test_a_missing_right_is_told_by_its_name() -> None:
    """1009: the token may not edit."""
    assert "lacks DNS:Edit" in failed(AuthRejected, Literal(refused(403, 1009))).hint


@pytest.mark.parametrize("code", [1004, 9000, 9005, 9015, 9051, 9101, 83011])
def test_a_record_that_is_not_valid_is_refused_for_good(code: int) -> None:
    """Once, with the code and the service's own words."""
    server = Literal(refused(400, code, message="it is too long"))
    error = failed(RecordRejected, server)
    assert (error.status, error.detail, error.transient) == (str(code), f"it is too long ({code})", False)
    assert ("shorten" if code in (9015, 83011) else "compare the name and the value") in error.hint
    assert server.posts == 1


@pytest.mark.parametrize("code", [81053, 81054])
def test_an_alias_in_the_way_is_a_conflict(code: int) -> None:
    """With the advice to follow it."""
    error = failed(Conflict, Literal(refused(400, code)))
    assert "CNAME's target" in error.hint
    assert error.rrset == f"{NAME} TXT"


@pytest.mark.parametrize("codes", [(1004, 10000), (10000, 1004), (9101, 6003, 1004)])
def test_every_error_is_read(codes: tuple[int, ...]) -> None:
    """Not the first alone: what matters may come second; all are told."""
    error = failed(AuthRejected, Literal(refused(400, *codes)))
    assert all(f"({code})" in str(error) for code in codes)


def test_a_chained_error_is_read_too() -> None:
    """Errors about headers still come so."""
    chained = {"code": 1, "message": "wrapped", "error_chain": [{"code": 9109, "message": "inside"}]}
    error = failed(AuthRejected, Literal(told({"success": False, "errors": [chained], "result": None}, 400)))
    assert "inside (9109)" in str(error)


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Response(403, (), b"<html><h1>Attention required</h1></html>"), AuthRejected),
        (Response(404, (), b"Not Found"), ZoneMissing),
        (refused(404, 7003), ZoneMissing),
        (refused(404), ZoneMissing),
        (refused(400), RecordRejected),
        (told({"success": False}, 422), RecordRejected),
        (told({"success": False, "errors": [{"code": "x"}, 5, None]}), RecordRejected),
        (Response(418), RecordRejected),
    ],
)
def test_a_refusal_without_a_known_code_goes_by_its_status(reply: Response, kind: type[ProviderError]) -> None:
    """Whatever its body is; and a success that says it is none is none."""
    assert not failed(kind, Literal(reply)).transient


@pytest.mark.parametrize("status", [500, 502, 503, 520, 521, 530, 408])
def test_trouble_at_the_service_is_transient_whatever_it_says(status: int) -> None:
    """An error page in HTML is no JSON error, and codes in it are not looked at."""
    page = Response(status, (("Content-Type", "text/html"),), b"<html><h1>Web server is down</h1></html>")
    for reply in (page, refused(status, 10000)) if status >= 500 else (page,):
        server = Literal(reply)
        error = failed(ProviderUnavailable, server)
        assert str(status) in str(error)
        assert error.transient
        assert server.posts == 3


@pytest.mark.parametrize("body", [b"", b"<html>hello</html>", b'"text"', b"[1, 2]", b'{"result": []}', b"\xff"])
def test_something_else_that_answers_is_not_taken_for_cloudflare(body: bytes) -> None:
    """200 with anything but what the API says."""
    error = failed(ProviderError, Literal(Response(200, (JSON,), body)))
    assert "Cloudflare would not say" in str(error)
    assert "base_url" in error.hint


def test_records_of_today_and_of_former_days_are_read() -> None:
    """Without zone_id, zone_name and locked, or with; a comment of null is none."""
    today = {"id": "1", "type": "TXT", "name": NAME.rstrip("."), "content": "ours", "ttl": 1, "comment": None}
    former = {**today, "id": "2", "content": '"old"', "zone_id": "z", "zone_name": "example.com", "locked": False}
    found: Any = applied(Literal(refused(400, 1004), lists=listed(today, former)))
    assert not found.changed


def test_a_redirect_is_not_followed() -> None:
    """The token reaches no other place; its address is told."""
    error = failed(ProviderError, Literal(Response(307, (("Location", "https://thief.example/v4"),))))
    assert "a redirect to https://thief.example/v4" in str(error)
    assert "base_url" in error.hint


def test_nobody_listening_is_worth_another_try() -> None:
    """The hint says what has to be open."""
    with pytest.raises(ProviderUnavailable, match="cannot be reached") as caught:
        played(adapter("http://127.0.0.1:9", TOKEN), lambda client: client.zones())
    assert "HTTPS" in caught.value.hint


def test_a_proxy_that_fails_is_named() -> None:
    """Its password is in no message."""
    client = adapter("http://127.0.0.1:9", TOKEN, proxy="http://user:hidden@127.0.0.1:10")
    with pytest.raises(ProviderUnavailable) as caught:
        played(client, lambda client: client.zones())
    assert "127.0.0.1:10" in caught.value.hint
    assert "hidden" not in f"{caught.value} {caught.value.hint}"


# Limits


def test_a_wait_that_does_not_fit_is_told_at_once() -> None:
    """With the time; nothing is slept, and nothing sent again."""
    clock = FakeClock()
    server = Literal(refused(429, 971, headers=(("Retry-After", "300"),)))
    error = failed(RateLimited, server, clock=clock)
    assert error.retry_after == 300
    assert clock.slept == []
    assert server.posts == 1


def test_a_wait_that_fits_is_waited() -> None:
    """As long as it says, and then it goes on by looking."""
    clock = FakeClock()
    server = Literal(refused(429, headers=(("retry-after", "7"),)), afterwards=listed(OURS))
    assert applied(server, clock=clock)
    assert clock.slept == [7.0]


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "12"}, 12.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": "Fri, 20 Nov 2026 12:01:00 GMT"}, 60.0),
        ({"retry-after": "Fri, 20 Nov 2026 11:00:00 GMT"}, 0.0),
        ({"retry-after": "soon", "ratelimit": '"default";r=0;t=30'}, 30.0),
        ({"ratelimit": '"burst";r=0;t=9, "default" ; R = 0 ; T = 40;w=5'}, 40.0),
        ({"ratelimit": "nonsense;;=,"}, 300.0),
        ({}, 300.0),
    ],
)
def test_how_long_to_keep_still_is_read_leniently(headers: dict[str, str], seconds: float) -> None:
    """A number, a date, or what the other field says; five minutes where nothing does."""
    clock = FakeClock()
    pace = limits.Pace(clock)
    assert pace.note(headers, is_refused=True) == seconds
    assert pace.left() == seconds
    clock.turn(seconds)
    assert pace.left() == 0


@pytest.mark.parametrize(
    ("field", "seconds"),
    [('"default";r=50;t=30', 0), ('"default";r=0;t=30', 30), ('"a";r=0;t=5, "b";r=7;t=60', 5), ("r=0", 0), ("", 0)],
)
def test_nothing_is_sent_while_nothing_is_left(field: str, seconds: float) -> None:
    """Whoever asks on is shut out for minutes."""
    pace = limits.Pace(FakeClock())
    pace.note({"ratelimit": field}, is_refused=False)
    assert pace.left() == seconds


def test_a_used_up_allowance_is_not_overdrawn() -> None:
    """After the reply that says so, the next question waits, and goes out in time."""
    clock = FakeClock()
    used = ("Ratelimit", '"default";r=0;t=20')
    done = told({"success": True, "errors": [], "messages": [], "result": {}}, 200, used)
    server = Literal(done, afterwards=listed(OURS))
    applied(server, clock=clock)
    assert clock.slept == [20.0]
    assert server.posts == 1


def test_an_allowance_of_one_request_at_a_time_is_enough() -> None:
    """Every reply says that nothing is left for five seconds: each request waits for them, and none is repeated."""
    clock = FakeClock()
    one = ("Ratelimit", '"default";r=0;t=5')
    done = told({"success": True, "errors": [], "messages": [], "result": {}}, 200, one)
    before, after = listed(), listed(OURS)
    slow = [Response(reply.status, (*reply.headers, one), reply.body) for reply in (before, after)]
    server = Literal(done, slow[0], afterwards=slow[1])
    applied(server, clock=clock)
    assert clock.slept == [5.0, 5.0]
    assert (server.posts, len(server.requests)) == (1, 3)


@pytest.mark.parametrize("is_split", [False, True])
def test_one_token_has_one_pace(is_split: bool) -> None:
    """What it used up on zones is missing for records; another token's allowance is its own."""
    clock = FakeClock()
    shown = {"id": "0" * 32, "name": "example.com"}
    result = {"success": True, "result": [shown], "result_info": {"total_count": 1, "total_pages": 1}}
    used = told(result, 200, ("Ratelimit", '"default";r=0;t=9'))
    server = LoopbackServer(lambda request: used if "/zones?" in request.target else listed(OURS))
    more = {"zone_api_token": secret("another")} if is_split else {}
    applied(server, clock=clock, zone_ids={}, **more)
    assert clock.slept == ([] if is_split else [9.0])


# Secrets


def test_a_secret_of_a_letter_does_not_disfigure_what_is_said() -> None:
    """It is in any text, and keeps nobody out."""
    error = failed(RecordRejected, Literal(refused(400, 1004, message="Invalid request")), api_token=secret("e"))
    assert error.detail == "Invalid request (1004)"


ECHO = f"the header 'Authorization: Bearer {TOKEN}' is wrong"


@pytest.mark.parametrize(
    "reply",
    [
        refused(400, 6003, message=ECHO),
        refused(400, 81058, message=ECHO),
        refused(400, 1004, message=ECHO),
        refused(400, 81054, message=ECHO),
        refused(404, 7003, message=ECHO),
        refused(429, 971, message=ECHO),
        refused(502, 1, message=ECHO),
        Response(502, (), ECHO.encode()),
        Response(403, (), ECHO.encode()),
        Response(200, (JSON,), ECHO.encode()),
        Response(hang_up=True),
    ],
)
def test_no_failure_shows_the_token(reply: Response, caplog: pytest.LogCaptureFixture) -> None:
    """Not even where the service repeats it; neither does any log."""
    caplog.set_level(logging.DEBUG)
    failed(ProviderError, Literal(reply))
    assert TOKEN not in caplog.text


def test_no_redirect_shows_the_token() -> None:
    """Not even where it would lead to an address that holds it."""
    error = failed(ProviderError, Literal(Response(307, (("Location", f"https://thief.example/?{TOKEN}"),))))
    assert "https://thief.example/?[secret]" in str(error)


def test_the_token_is_really_sent() -> None:
    """The twin: in its header, and nowhere else."""
    server = Literal(refused(403, 10000))
    failed(AuthRejected, server)
    for request in server.requests:
        assert request.headers["authorization"] == f"Bearer {TOKEN}"
        assert TOKEN not in request.target + request.body.decode()


@pytest.mark.parametrize(
    "token", ["", "  \n", "schlüssel-s3cret", "two\nlines", "two words", "Bearer s3cret", "tab\ttoken"]
)
def test_a_token_that_no_header_can_carry_is_told_before_any_request(token: str) -> None:
    """The secret's source is named, the secret is not."""
    client = adapter("http://127.0.0.1:9", api_token=secret(token))
    with pytest.raises(ConfigError, match="the secret from the test is no token") as caught:
        played(client, lambda client: client.zones())
    assert caught.value.key == "providers.cf.api_token"
    assert not token.strip() or token.strip() not in f"{caught.value} {caught.value.hint}"


def test_a_token_file_may_end_its_line() -> None:
    """The token is what stands on it."""
    server = Literal(refused(403, 10000))
    failed(AuthRejected, server, token=f"{TOKEN}\n")
    assert server.requests[0].headers["authorization"] == f"Bearer {TOKEN}"


def test_control_characters_do_not_reach_the_terminal() -> None:
    """What the service says is shown on one line."""
    error = failed(RecordRejected, Literal(refused(400, 1004, message="red \x1b[31m\r\u202eend")))
    assert error.detail == "red [31m end (1004)"

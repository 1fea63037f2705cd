"""HTTP comes back bounded, fails in words, and keeps its secrets."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import logging
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from dnsbroker.clock import SystemClock
from dnsbroker.testing import FakeClock
from dnsbroker.transport import Connections, HTTPFailed, Reply
from loopback import LoopbackServer, Request, Response

KEY = "very-secret-key"


def _plain(text: str = "told") -> LoopbackServer:
    """A server that answers everything with ``text``."""
    return LoopbackServer(lambda request: Response(body=text.encode()))


async def _get(url: str, environment: dict[str, str] | None = None, *, timeout: float = 2.0) -> Reply:
    session = Connections(environment or {}).session(timeout=timeout)
    try:
        return await session.request("GET", url)
    finally:
        await session.aclose()


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_replies(status: int) -> None:
    """The caller sees them; nobody follows."""

    async def play() -> None:
        headers = (("Location", "/elsewhere"),)
        async with LoopbackServer(lambda request: Response(status, headers)) as service:
            reply = await _get(service.url + "/x")
            assert (reply.status, reply.headers["location"]) == (status, "/elsewhere")
            assert [request.target for request in service.requests] == ["/x"]

    asyncio.run(play())


def test_a_reply_has_its_headers_in_lower_case_and_every_link() -> None:
    """Repeated fields are joined, links are also kept apart; octets that are no UTF-8 are replaced."""

    async def play() -> None:
        fields = (("Link", "<a>;rel=x"), ("Link", "<b>;rel=y"), ("X-Seen", "1"), ("x-seen", "2"))
        async with LoopbackServer(lambda request: Response(418, fields, b"\xff!")) as service:
            reply = await _get(service.url)
            assert (reply.status, reply.headers["x-seen"]) == (418, "1, 2")
            assert reply.links == ("<a>;rel=x", "<b>;rel=y")
            assert reply.text() == "\ufffd!"

    asyncio.run(play())


@pytest.mark.parametrize("packed", [False, True])
def test_fail_a_body_is_capped(packed: bool) -> None:
    """One octet less is a reply, one more is none, packed or not."""

    async def play() -> None:
        def answer(request: Request) -> Response:
            body = b"x" * int(request.target.removeprefix("/"))
            fields = (("Content-Encoding", "gzip"),) if packed else ()
            return Response(200, fields, gzip.compress(body) if packed else body)

        async with LoopbackServer(answer) as service:
            session = Connections({}).session(timeout=2.0, body_limit=1000)
            assert len((await session.request("GET", service.url + "/1000")).body) == 1000
            with pytest.raises(HTTPFailed, match="larger than 1000 octets") as failed:
                await session.request("GET", service.url + "/1001")
            assert failed.value.reached
            await session.aclose()

    asyncio.run(play())


@pytest.mark.parametrize("rude", [Response(body=b"x" * 1000, drip=0.05), Response(hang=True)], ids=["drip", "hang"])
def test_fail_an_exchange_has_one_time_out(rude: Response) -> None:
    """However it drips; the server may have acted on it."""

    async def play() -> None:
        clock = SystemClock()
        async with LoopbackServer(lambda request: rude) as service:
            started = clock.monotonic()
            with pytest.raises(HTTPFailed, match=r"no complete reply within 0\.3 s") as failed:
                await _get(service.url, timeout=0.3)
            assert 0.2 < clock.monotonic() - started < 10
            assert failed.value.reached

    asyncio.run(play())


def test_a_connection_that_never_stands_reached_nobody() -> None:
    """A listener whose queue is full drops what knocks."""

    async def play() -> None:
        with socket.socket() as listener, contextlib.ExitStack() as knocking:
            listener.bind(("127.0.0.1", 0))
            listener.listen(0)
            for _ in range(4):
                knock = knocking.enter_context(socket.socket())
                knock.setblocking(False)
                knock.connect_ex(listener.getsockname())
            with pytest.raises(HTTPFailed, match="no connection in time") as failed:
                await _get(f"http://127.0.0.1:{listener.getsockname()[1]}/", timeout=0.6)
            assert not failed.value.reached

    asyncio.run(play())


NOWHERE = {
    "http://127.0.0.1:{closed}/": "connection refused",
    "http://localhost:{closed}/": "connection refused",
    "http://no.such.name.invalid/": "",
    "http://127.0.0.1:99999/": "port",
    "ftp://127.0.0.1/": "protocol",
    "nonsense": "protocol",
    "http://a..b/": "",
    "http://xn--/": "characters that cannot be sent",
    "http://127.0.0.1/\x00": "",
}


@pytest.mark.parametrize("url", NOWHERE)
@pytest.mark.parametrize("with_proxies", [False, True])
def test_fail_a_url_that_leads_nowhere_is_an_error_of_ours(url: str, with_proxies: bool) -> None:
    """In the words of the first cause, lower case, without a full stop; nobody was reached."""

    async def play() -> None:
        async with _plain() as gone:
            closed = gone.port
        # Where there are proxies the way is chosen by the same URL, which must not fail otherwise.
        environment = {"all_proxy": f"http://127.0.0.1:{closed}"} if with_proxies else {}
        with pytest.raises(HTTPFailed) as failed:
            await _get(url.format(closed=closed), environment)
        reason = failed.value.reason
        assert not failed.value.reached
        assert reason
        assert not reason.endswith(".")
        if not with_proxies or "127.0.0.1:{" in url:
            assert NOWHERE[url] in reason

    asyncio.run(play())


def test_a_server_that_hangs_up_may_have_acted() -> None:
    """The reply is lost, not the request."""

    async def play() -> None:
        async with LoopbackServer(lambda request: Response(hang_up=True)) as service:
            with pytest.raises(HTTPFailed) as failed:
                await _get(service.url)
            assert failed.value.reached

    asyncio.run(play())


@pytest.mark.parametrize("key", [f"{KEY}\n", f" {KEY}", f"{KEY}\x00", f"{KEY}\r\nX: y", f"{KEY}é"])
@pytest.mark.parametrize("whole_session", [False, True])
def test_fail_a_key_that_cannot_be_sent_is_not_shown(key: str, whole_session: bool) -> None:
    """Neither in the error nor in what led to it."""

    async def play() -> None:
        async with _plain() as service:
            headers = {"x-api-key": key}
            session = Connections({}).session(timeout=2.0, headers=headers if whole_session else {})
            with pytest.raises(HTTPFailed, match="characters that cannot be sent") as failed:
                await session.request("GET", service.url, headers={} if whole_session else headers)
            assert service.requests == []
            assert not failed.value.reached
            assert failed.value.__suppress_context__
            assert KEY not in f"{failed.value!r} {vars(failed.value)} {failed.value.__cause__}"
            await session.aclose()

    asyncio.run(play())


def test_the_log_shows_no_key_and_no_body(caplog: pytest.LogCaptureFixture) -> None:
    """Not even at the finest level of any library."""

    async def play() -> None:
        async with _plain("a private answer") as service:
            session = Connections({}).session(timeout=2.0, headers={"x-api-key": KEY})
            await session.request("POST", service.url, content=b"a private question")
            await session.aclose()
            assert service.requests[0].headers["x-api-key"] == KEY

    with caplog.at_level(logging.DEBUG):
        asyncio.run(play())
    assert KEY not in caplog.text
    assert "private" not in caplog.text


@pytest.mark.parametrize("keep_alive", [True, False])
def test_connections_are_kept_only_where_that_is_wanted(keep_alive: bool) -> None:
    """Without keep-alive each request says so."""

    async def play() -> None:
        async with _plain() as service:
            session = Connections({}).session(timeout=2.0, keep_alive=keep_alive)
            for _ in range(2):
                await session.request("GET", service.url)
            await session.aclose()
            await session.aclose()
            wanted = "keep-alive" if keep_alive else "close"
            assert {request.headers["connection"] for request in service.requests} == {wanted}

    asyncio.run(play())


def test_a_cancelled_request_leaves_the_session_whole() -> None:
    """The next one works."""

    async def play() -> None:
        async with LoopbackServer(lambda request: Response(hang=request.target == "/hang")) as service:
            session = Connections({}).session(timeout=5.0)
            task = asyncio.create_task(session.request("GET", service.url + "/hang"))
            while not service.requests:
                await SystemClock().sleep(0.005)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            assert (await session.request("GET", service.url + "/x")).status == 200
            await session.aclose()

    asyncio.run(play())


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A certificate for localhost, signed by itself, with its key in one file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    start = FakeClock().now().replace(year=2020)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start.replace(year=2120))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    path = tmp_path_factory.mktemp("tls") / "localhost.pem"
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM) + key.private_bytes(*form))
    yield path


async def _over_tls(certificate: Path, *, bundle: str, host: str = "localhost") -> Reply:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    async with LoopbackServer(lambda request: Response(), tls=context) as service:
        session = Connections({}).session(timeout=2.0, ca_bundle=bundle)
        try:
            return await session.request("GET", f"https://{host}:{service.port}/")
        finally:
            await session.aclose()


def test_a_bundle_is_the_trust(certificate: Path) -> None:
    """The server's own root in a file is enough."""
    assert asyncio.run(_over_tls(certificate, bundle=str(certificate))).status == 200


@pytest.mark.parametrize(("bundle", "host"), [(False, "localhost"), (True, "127.0.0.1")])
def test_fail_a_certificate_that_does_not_verify_is_told_apart(certificate: Path, bundle: bool, host: str) -> None:
    """The twins: without the bundle, and with it under another name."""
    with pytest.raises(HTTPFailed, match="certificate is not trusted") as failed:
        asyncio.run(_over_tls(certificate, bundle=str(certificate) if bundle else "", host=host))
    assert failed.value.untrusted
    assert not failed.value.reached


def test_fail_a_bundle_that_cannot_be_read(tmp_path: Path) -> None:
    """At once, before any request."""
    with pytest.raises(OSError):
        Connections({}).session(timeout=1.0, ca_bundle=str(tmp_path / "none.pem"))
    (tmp_path / "junk.pem").write_text("junk")
    with pytest.raises(ssl.SSLError):
        Connections({}).session(timeout=1.0, ca_bundle=str(tmp_path / "junk.pem"))

"""``tlsa compute``: lines of a zone file, JSON, and what a call has to have."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from authority import Authority
from dnsbroker import keys
from dnsbroker.cli import main
from dnsbroker.cli.tlsa import _served
from dnsbroker.clock import SystemClock
from dnsbroker.endpoints import parse
from dnsbroker.errors import ServiceUnreachable
from dnsbroker.events import Emitter, Event
from dnsbroker.tlsa import compute
from dnsbroker.tlsa.computing import read
from tls_service import TlsService, at_once

HOST = "mail.example.org"
KEY = keys.generate("ecdsa-p256")
CHAIN = Authority().issue(KEY, [HOST])
LEAF_RECORD, CA_RECORD = compute(CHAIN)

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Call ``tlsa compute`` beside the files key.pem, chain.pem and request.pem; its status, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "key.pem").write_text(KEY)
    (tmp_path / "chain.pem").write_text(CHAIN)

    def called(*arguments: str) -> tuple[int, str, str]:
        status = main(["tlsa", "compute", *arguments])
        said = capsys.readouterr()
        return status, said.out, said.err

    return called


def test_without_a_host_the_data_alone_is_printed(run: Run) -> None:
    """A record a line, and not a word beside."""
    assert run("--cert", "chain.pem") == (0, f"{LEAF_RECORD}\n{CA_RECORD}\n", "")
    assert run("--key", "key.pem") == (0, f"{LEAF_RECORD}\n", "")
    assert run("--cert", "chain.pem", "--records", " 2 1 1, 3 1 1,") == (0, f"{CA_RECORD}\n{LEAF_RECORD}\n", "")


@pytest.mark.parametrize(
    ("host", "port", "owner"),
    [
        (HOST, "25", "_25._tcp.mail.example.org."),
        ("Mail.Example.ORG.", "443", "_443._tcp.mail.example.org."),
        ("mail.bücher.example", "25", "_25._tcp.mail.xn--bcher-kva.example."),
    ],
)
def test_with_a_host_whole_records_are_printed(run: Run, host: str, port: str, owner: str) -> None:
    """As a zone file has them, the name absolute and in A-labels."""
    assert run("--key", "key.pem", "--host", host, "--port", port) == (0, f"{owner} IN TLSA {LEAF_RECORD}\n", "")


@pytest.mark.parametrize("port", ["0443", "0", "65536", "+25", "25x", "smtp", "²"])
def test_a_port_is_a_number_as_owner_names_have_it(run: Run, port: str) -> None:
    """``_0443`` is another name, at which nobody looks."""
    status, out, error = run("--key", "key.pem", "--host", HOST, "--port", port)
    assert (status, out) == (2, "")
    assert "is no port" in error


@pytest.mark.parametrize("host", ["mail_1.example.org", "*.example.org", "192.0.2.1", "2001:db8::1", "", "a/b.example"])
def test_a_host_is_one(run: Run, host: str) -> None:
    """TLSA records stand nowhere else."""
    status, out, error = run("--key", "key.pem", "--host", host, "--port", "25")
    assert (status, out) == (2, "")
    assert error.startswith(f"error: --host {host!r}: ")


def test_a_host_without_a_port_is_asked_for_one(run: Run) -> None:
    """None is guessed."""
    status, _, error = run("--key", "key.pem", "--host", HOST)
    assert status == 2
    assert "--host needs --port" in error


@pytest.mark.parametrize("given", [(), ("--key", "key.pem", "--cert", "chain.pem")])
def test_there_is_one_source(run: Run, given: tuple[str, ...]) -> None:
    """Two would leave open which of them is served."""
    status, _, error = run(*given)
    assert status == 2
    assert "give one of --cert, --key, --csr and --connect" in error


@pytest.mark.parametrize(
    ("given", "why"),
    [
        (("--cert", "key.pem"), "key.pem: certificate: there is none"),
        (("--key", "chain.pem"), "chain.pem: private key: there is none"),
        (("--csr", "chain.pem"), "chain.pem: certificate signing request: there is none"),
        (("--cert", "missing.pem"), "missing.pem: cannot be read: no such file"),
        (("--cert", "chain.pem", "--records", "3 0 1"), "3 0 1 names the certificate itself"),
        (("--cert", "chain.pem", "--records", "1 1 1", "--port", "25"), "1 1 1 on port 25"),
        (("--cert", "chain.pem", "--allow", "everything"), "'everything' is no check"),
        (("--connect", "smtp://192.0.2.1"), "it has an address for a host"),
    ],
)
def test_what_is_not_computed_says_why_and_what_to_do(run: Run, given: tuple[str, ...], why: str) -> None:
    """Nothing on stdout, where it would be taken for a record."""
    status, out, error = run(*given)
    assert (status, out) == (2, "")
    assert why in error
    assert "\nhint: " in error


def test_a_refused_record_is_computed_where_the_hint_is_followed(run: Run) -> None:
    """Word for word."""
    asked = ("--cert", "chain.pem", "--records", "3 0 1")
    hint = run(*asked)[2].splitlines()[1]
    word = hint.partition("--allow ")[2].split()[0]
    status, out, error = run(*asked, "--allow", word)
    assert (status, error) == (0, "")
    assert out.startswith("3 0 1 ")


def test_a_warning_goes_to_stderr_and_says_how_to_silence_it(run: Run) -> None:
    """The record stands on stdout all the same."""
    asked = ("--cert", "chain.pem", "--records", "2 0 1")
    status, out, error = run(*asked)
    assert status == 0
    assert out.startswith("2 0 1 ")
    assert error.startswith("warning: 2 0 1 names one certificate of a CA")
    assert run(*asked, "--allow", "ca-certificate") == (0, out, "")


def test_json_has_the_fields_of_each_record(run: Run) -> None:
    """With the name where there is one."""
    status, out, _ = run("--json", "--cert", "chain.pem", "--host", HOST, "--port", "25")
    result = json.loads(out)
    assert (status, result["command"]) == (0, "tlsa compute")
    common = {"owner": "_25._tcp.mail.example.org.", "selector": 1, "matching_type": 1}
    assert result["records"] == [
        {**common, "usage": 3, "data": LEAF_RECORD.split()[3]},
        {**common, "usage": 2, "data": CA_RECORD.split()[3]},
    ]
    (record,) = json.loads(run("--json", "--key", "key.pem")[1])["records"]
    assert "owner" not in record


def test_what_a_service_presents_is_computed() -> None:
    """By the whole program, over the network; the port is that of the endpoint."""

    async def call() -> tuple[int | None, bytes, bytes, str]:
        async with TlsService(at_once, KEY, CHAIN) as service:
            port = service.address.rpartition(":")[2]
            called = (sys.executable, "-m", "dnsbroker", "tlsa", "compute", "--connect", f"tls://localhost:{port}")
            program = await asyncio.create_subprocess_exec(
                *called, "--host", HOST, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
            )
            out, error = await program.communicate()
            return program.returncode, out, error, port

    status, out, error, port = asyncio.run(call())
    assert status == 0, error
    owner = f"_{port}._tcp.mail.example.org."
    assert out.decode().splitlines() == [f"{owner} IN TLSA {LEAF_RECORD}", f"{owner} IN TLSA {CA_RECORD}"]


def test_every_address_is_looked_at_and_one_that_is_silent_is_told() -> None:
    """Its key may be another one; where none answers there is nothing to compute."""
    heard: list[Event] = []
    emit = Emitter(SystemClock(), heard.append)
    endpoint = parse(f"https://{HOST}")
    other = Authority("other").issue(KEY, [HOST])

    async def look() -> None:
        async with TlsService(at_once, KEY, CHAIN) as first, TlsService(at_once, KEY, other) as second:
            async with TlsService(at_once, KEY, CHAIN) as third:
                pass
            addresses = [first.address, third.address, second.address]
            assert await _served(endpoint, addresses, emit) == [read(CHAIN), read(other)]
            with pytest.raises(ServiceUnreachable):
                await _served(endpoint, [third.address], emit)
            (warning,) = heard
            assert third.address in str(warning["message"])

    asyncio.run(look())

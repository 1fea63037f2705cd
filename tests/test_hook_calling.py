"""What comes of a hook's call: what the client gets, what people are told, and with what status."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from dnsbroker.cli import main as program
from dnsbroker.cli.hook import main

VALUE = "LHDhK3oGRvkiefQnx7OOczTY5Tic_xZ6HcMOc_gmtoM"
NAME = "_acme-challenge.example.org."
TRIPLE = ("example.org", "token", VALUE)
DNS01 = ("dns-01", *TRIPLE)
#: No question can leave this machine: whatever needs DNS fails.
NOWHERE = '[dns]\nresolvers = ["127.0.0.99:1"]\n'
UNREACHED = "no resolver answers this host"

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One that the hook finds."""
    path = tmp_path / "dnsbroker.toml"
    path.write_text(f'state_dir = "{tmp_path}/state"\n{NOWHERE}')
    monkeypatch.setenv("DNSBROKER_CONFIG", str(path))
    for name, text in {
        "CERTBOT_DOMAIN": "example.org",
        "CERTBOT_VALIDATION": VALUE,
        "CERTBOT_REMAINING_CHALLENGES": "1",
        "CERTBOT_ALL_DOMAINS": "example.org,www.example.org",
        "BASEDIR": "/var/lib/dehydrated",
    }.items():
        monkeypatch.setenv(name, text)
    return path


@pytest.fixture
def run(configuration: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    """Call the hook; its status, stdout and stderr."""

    def called(*arguments: str) -> tuple[int, str, str]:
        status = main(list(arguments))
        said = capsys.readouterr()
        return status, said.out, said.err

    return called


def test_certbot_gets_one_line_by_which_it_would_know_the_value_again(run: Run) -> None:
    """That is all: it shows everything on stderr as an error."""
    status, out, err = run("certbot-auth")
    assert (status, err) == (0, "")
    assert out.isascii()
    assert len(out.splitlines()) == 1
    assert run("certbot-cleanup") == (0, "", "")


def test_quiet_holds_that_line_back_too(run: Run) -> None:
    """And in JSON it is in the result."""
    assert run("-q", "certbot-auth") == (0, "", "")
    status, out, err = run("--json", "certbot-auth")
    assert (status, err) == (0, "")
    told = json.loads(out)
    assert (told["command"], told["line"].split()[0]) == ("hook certbot auth", "dnsbroker")


FAILING = {
    ("present", NAME, VALUE): 1,
    ("cleanup", NAME, VALUE): 1,
    ("add", NAME, VALUE): 1,
    ("rm", NAME, VALUE): 1,
    ("begin", *DNS01): 1,
    ("deploy_challenge", *TRIPLE): 1,
    ("done", *DNS01): 0,
    ("failed", *DNS01): 0,
    ("clean_challenge", *TRIPLE): 0,
    ("certbot-cleanup",): 1,
}


@pytest.mark.parametrize("arguments", FAILING, ids=" ".join)
def test_a_failure_is_told_and_is_one_for_clients_that_lose_nothing_by_it(run: Run, arguments: Sequence[str]) -> None:
    """Nothing of it is on stdout; a client that would lose more than the record goes on."""
    status, out, err = run(*arguments)
    assert (status, out) == (FAILING[tuple(arguments)], "")
    assert UNREACHED in err
    assert err.startswith("error: " if status else "warning: ")


def test_a_failure_stands_in_the_log(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    """With the call that it befell; certbot keeps no record of its own."""
    run("add", NAME, VALUE)
    assert program(["log"]) == 0
    said = capsys.readouterr().out
    assert "hook acme.sh add" in said
    assert UNREACHED in said


def test_a_failed_run_of_certbot_s_is_refused_early(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes no notice of a failure, so the next one would be as the last; another certificate is another run."""
    monkeypatch.setenv("CERTBOT_REMAINING_CHALLENGES", "0")
    assert UNREACHED in run("certbot-auth")[2]
    status, out, err = run("certbot-auth")
    assert (status, out) == (1, "")
    assert "failed once, and nothing is published before" in err
    monkeypatch.setenv("CERTBOT_ALL_DOMAINS", "example.org")
    assert "failed once" not in run("certbot-auth")[2]


BROKEN = {
    ("certbot-auth",): 2,
    ("startup_hook",): 2,
    ("deploy_challenge", *TRIPLE): 2,
    ("present", NAME, VALUE): 2,
    ("add", NAME, VALUE): 2,
    ("begin", *DNS01): 2,
    ("exit_hook",): 2,
    ("sync_cert", *("/certs/x.pem",) * 5): 2,
    ("clean_challenge", *TRIPLE): 0,
    ("deploy_cert", "example.org", *("/certs/x.pem",) * 4, "1"): 0,
    ("unchanged_cert", "example.org", *("/certs/x.pem",) * 4): 0,
    ("invalid_challenge", "example.org", ""): 0,
    ("exit_hook", ""): 0,
    ("done", *DNS01): 0,
}


@pytest.mark.parametrize("arguments", BROKEN, ids=" ".join)
def test_a_broken_configuration_ends_a_client_s_run_only_while_it_has_nothing_to_lose(
    configuration: Path, run: Run, arguments: Sequence[str]
) -> None:
    """It is told in any case, and nothing is done."""
    configuration.write_text("mood = 1\n")
    status, out, err = run(*arguments)
    assert (status, out) == (BROKEN[tuple(arguments)], "")
    assert err.startswith("error: ")
    assert "mood" in err
    assert "\nhint: " in err
    assert not (configuration.parent / "state").exists()


def test_a_forgiven_failure_is_an_error_of_the_result_all_the_same(configuration: Path, run: Run) -> None:
    """Whoever reads it knows both."""
    configuration.write_text("mood = 1\n")
    status, out, err = run("--json", "clean_challenge", *TRIPLE)
    told = json.loads(out)
    assert (status, err, told["status"], told["error"]["kind"]) == (0, "", 0, "config")


@pytest.mark.parametrize("hook", ["deploy_challenge", "clean_challenge"])
def test_a_chain_that_is_not_made_of_triples_leaves_nothing_behind(configuration: Path, run: Run, hook: str) -> None:
    """Not even a state directory; the status says so also where other failures are forgiven."""
    status, out, err = run(hook, *TRIPLE, *TRIPLE[:2])
    assert (status, out) == (2, "")
    assert err.startswith(f"error: {hook} takes DOMAIN TOKEN VALUE")
    assert not (configuration.parent / "state").exists()


@pytest.mark.parametrize("arguments", [("startup_hook",), ("exit_hook",), ("exit_hook", ""), ("exit_hook", "no nonce")])
def test_a_run_with_nothing_in_dns_begins_and_ends_in_silence(run: Run, arguments: Sequence[str]) -> None:
    """Every night, for all certificates that are not due."""
    assert run(*arguments) == run(*arguments) == (0, "", "")


@pytest.mark.parametrize("hook", ["deploy_challenge", "clean_challenge"])
def test_a_challenge_of_another_kind_ends_no_run(configuration: Path, run: Run, hook: str) -> None:
    """One certificate of dehydrated's may be proved by a web server; of it nothing is written."""
    assert run(hook, "example.org", "token", f"token.{VALUE}") == (0, "", "")
    assert not (configuration.parent / "state").exists()


def test_a_refused_challenge_is_told_and_is_no_failure(run: Run) -> None:
    """The client says so itself, but may name another name."""
    status, out, err = run("invalid_challenge", "example.org", '["token"]\t"token"')
    assert (status, out) == (0, "")
    assert err.startswith("warning: the CA refused the challenge of ")


PATHS = ("/certs/x.pem",) * 4


@pytest.mark.parametrize(
    "arguments", [("unchanged_cert", "example.org", *PATHS), ("sync_cert", *PATHS, "/certs/x.csr")]
)
def test_certificates_that_nobody_asked_us_to_look_after_cost_no_run(
    configuration: Path, run: Run, arguments: Sequence[str]
) -> None:
    """Every night dehydrated asks after each of them."""
    assert run(*arguments) == (0, "", "")
    assert not (configuration.parent / "state").exists()


def test_where_one_is_looked_after_each_is_looked_up(configuration: Path, run: Run) -> None:
    """The twin: it may be this one."""
    with configuration.open("a") as file:
        file.write(f'[certificates.x]\nlineage = "{configuration.parent}/certs/x"\n')
    assert run("unchanged_cert", "example.org", *PATHS) == (0, "", "")
    assert (configuration.parent / "state").exists()


def test_who_asks_is_told_that_a_new_certificate_is_nobody_s_to_deploy(run: Run) -> None:
    """Its table may have been forgotten, or mean another directory; in silence otherwise."""
    new = ("deploy_cert", "example.org", *PATHS, "1")
    assert run(*new) == (0, "", "")
    assert run("-v", *new) == (0, "", "nothing to do: /certs is no certificate's lineage\n")


@pytest.mark.parametrize("arguments", [("add", NAME, VALUE), ("clean_challenge", *TRIPLE)])
def test_a_signal_ends_the_call_with_its_own_status(configuration: Path, arguments: Sequence[str]) -> None:
    """Also where failures are forgiven: it is not over. The resolver never answers."""
    code = """
import os, signal, socket, sys, threading
from dnsbroker.cli.hook import main

def interrupt():
    silent.recv(512)
    os.kill(os.getpid(), signal.SIGTERM)

silent = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
silent.bind(("127.0.0.1", 0))
threading.Thread(target=interrupt, daemon=True).start()
with open(os.environ["DNSBROKER_CONFIG"], "a") as file:
    file.write(f'[dns]\\nresolvers = ["127.0.0.1:{silent.getsockname()[1]}"]\\n')
sys.exit(main(sys.argv[1:]))
"""
    configuration.write_text(configuration.read_text().removesuffix(NOWHERE))
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (128 + signal.SIGTERM, "")
    assert "Traceback" not in done.stderr

"""``dnsbroker-hook`` as clients call it: its options, its words, what it prints, what it leaves open."""

from __future__ import annotations

import io
import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import dnsbroker
import pages
from dnsbroker.cli import main as program
from dnsbroker.cli.hook import CLIENTS, close_inherited, is_unneeded, main
from dnsbroker.cli.hook.words import HELP

VALUE = "LHDhK3oGRvkiefQnx7OOczTY5Tic_xZ6HcMOc_gmtoM"
NAME = "_acme-challenge.example.org"
TRIPLE = ("example.org", "token", VALUE)
BRICK = "this_hookscript_is_broken__dehydrated_is_working_fine__please_ignore_unknown_hooks_in_your_script"
NOWHERE = "/nonexistent/dnsbroker.toml"

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Call the hook where there is no configuration; its status, stdout and stderr."""
    monkeypatch.setenv("DNSBROKER_CONFIG", NOWHERE)

    def called(*arguments: str) -> tuple[int, str, str]:
        status = main(list(arguments))
        said = capsys.readouterr()
        return status, said.out, said.err

    return called


def process(
    arguments: Sequence[str], environment: Mapping[str, str] | None = None, descriptors: Sequence[int] = ()
) -> subprocess.CompletedProcess[str]:
    """The hook as a process of its own."""
    code = "from dnsbroker.cli.hook import main; raise SystemExit(main())"
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={"PATH": "/usr/bin:/bin", "DNSBROKER_CONFIG": NOWHERE, **(environment or {})},
        pass_fds=descriptors,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


@pytest.mark.parametrize("word", ["generate_csr", "request_failure", "deploy_ocsp", BRICK, "anything_0"])
def test_a_hook_that_needs_nothing_is_accepted_in_silence(run: Run, word: str) -> None:
    """Without a look at the configuration, which is not there; whatever its arguments are."""
    assert run(word) == run(word, "-x", "--config") == run("--config", "no.toml", word) == (0, "", "")
    done = process([word, "example.org"])
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("word", ["", "Present", "certbot-post", "deploy-cert", "ünbekannt", "a b", "present\n"])
def test_what_can_be_no_hook_s_name_is_an_error(run: Run, word: str) -> None:
    """The twin: a hook in a client's configuration that is written wrong is heard of."""
    status, out, err = run(word)
    assert (status, out) == (2, "")
    assert err.startswith("error: no ")
    assert "\nhint: `dnsbroker-hook --help`" in err


@pytest.mark.parametrize("word", ["auth", "cleanup", "deploy"])
def test_a_word_of_certbot_s_that_is_written_wrong_is_accepted_with_a_warning(run: Run, word: str) -> None:
    """It could be dehydrated's; if it is not, certbot goes to its CA with nothing in DNS."""
    wrong, right = f"certbot_{word}", f"certbot-{word}"
    status, out, err = run(wrong)
    assert (status, out, err.count("\n")) == (0, "", 1)
    assert err.startswith("warning: nothing is done: ")
    assert err.endswith(f"certbot's word is {right}\n")
    assert run("-v", wrong) == (status, out, err)
    told = [json.loads(line) for line in run("--json", wrong)[1].splitlines()]
    assert [(event["event"], event.get("status")) for event in told] == [("warning", None), ("result", 0)]


def test_a_call_without_any_word_is_an_error(run: Run) -> None:
    """Also with options."""
    assert run()[0] == run("-v")[0] == 2


@pytest.mark.parametrize("word", sorted(CLIENTS))
def test_no_client_s_word_is_taken_for_one_that_needs_nothing(run: Run, word: str) -> None:
    """Each comes to its own client, whose contract these arguments break, or to the configuration."""
    assert not is_unneeded(word)
    status, out, err = run(word, "x")
    assert out == ""
    assert err.startswith("error: ")
    assert status == (0 if word in ("invalid_challenge", "exit_hook") else 2)


def test_the_word_alone_tells_the_client(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not what another client has left in the environment."""
    for name in ("CERTBOT_DOMAIN", "CERTBOT_VALIDATION", "UACME_METHOD", "BASEDIR", "EXEC_MODE"):
        monkeypatch.setenv(name, "x")
    assert "NAME VALUE" in run("add")[2]
    assert "TYPE IDENT TOKEN AUTH" in run("begin")[2]
    assert "FQDN VALUE" in run("present")[2]
    assert "DOMAIN TOKEN VALUE" in run("deploy_challenge")[2]


@pytest.mark.parametrize("options", [("--config", "no.toml"), ("--config=no.toml",), ("-q", "-vv", "--config=no.toml")])
def test_options_stand_before_the_word(run: Run, options: Sequence[str]) -> None:
    """There they are ours."""
    status, out, err = run(*options, "add", NAME, VALUE)
    assert (status, out) == (2, "")
    assert "no.toml: there is no such file, named with --config" in err


def test_after_the_word_everything_is_the_client_s(run: Run) -> None:
    """A value may look like an option."""
    value = "--config-" + VALUE[9:]
    assert NOWHERE in run("add", NAME, value)[2]
    assert "takes NAME VALUE, and was given 4 arguments" in run("add", "--config", "no.toml", NAME, VALUE)[2]
    assert "FQDN: '-h' is not a usable name" in run("present", "-h", VALUE)[2]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("-x", "add"), "no such option -x"),
        (("--forse", "add"), "no such option --forse"),
        (("--json=yes", "add"), "no such option --json=yes"),
        (("-vx", "add"), "no such option -vx"),
        (("-", "add"), "no such option -"),
        (("--", "add"), "no such option --"),
        (("--config",), "option '--config' requires an argument"),
        (("--ignore",), "option '--ignore' requires an argument"),
    ],
)
def test_a_wrong_option_is_named(run: Run, arguments: Sequence[str], words: str) -> None:
    """With status 2, and in JSON where that was asked for."""
    assert run(*arguments) == (2, "", f"error: {words}\nhint: `dnsbroker-hook --help` shows how it is called\n")
    status, out, err = run("--json", *arguments)
    assert (status, err) == (2, "")
    assert json.loads(out)["error"]["message"] == words


def test_help_and_version_are_answers(run: Run) -> None:
    """On stdout; the help is what the page shows, and tells of every word."""
    assert run("--help") == run("-h") == run("-v", "--help", "present") == (0, HELP, "")
    assert run("--version") == (0, f"dnsbroker-hook {dnsbroker.__version__}\n", "")
    page = pages.text("docs/hooks.md")
    assert f"$ dnsbroker-hook --help\n{HELP}" in pages.blocks(page, "console")
    documented = {
        word for row in pages.rows(pages.section(page, "## How it is called")) for word in pages.words(row[1])
    }
    assert documented == set(CLIENTS)


def test_with_json_every_call_ends_in_a_result(run: Run) -> None:
    """Also one that needs nothing, and one that cannot be meant."""
    for arguments, command, status in (
        (("generate_csr",), "hook", 0),
        (("begin", "http-01", "a", "t", "x"), "hook uacme begin", 1),
        (("add", NAME), "hook acme.sh add", 2),
        (("deploy_challenge", "a.example", "t", VALUE), "hook dehydrated deploy_challenge", 2),
        (("certbot-auth",), "hook certbot auth", 2),
        (("exit_hook", "x"), "hook dehydrated exit_hook", 0),
    ):
        found, out, err = run("--json", *arguments)
        told = json.loads(out)
        assert (found, err, told["event"], told["status"], told["command"]) == (status, "", "result", status, command)


def test_uacme_s_other_challenges_are_declined_without_a_word(run: Run) -> None:
    """Who asks is told why."""
    other = ("begin", "http-01", "example.org", "t", "x")
    assert run(*other) == (1, "", "")
    assert run("-v", *other) == (1, "", "http-01 is declined: only dns-01 is ours\n")
    assert run("done", *other[1:]) == run("failed", *other[1:]) == (0, "", "")
    assert run("begin", "dns-01", "example.org", "t", VALUE)[0] == 2


CALLS = {
    "certbot": ("auth", "cleanup", "deploy"),
    "dehydrated": ("generate_csr", "deploy_challenge", "clean_challenge", "exit_hook", "no-hook"),
    "lego": ("present", "cleanup"),
    "acme.sh": ("add", "rm"),
    "uacme": ("begin", "done", "failed"),
}


@pytest.mark.parametrize("client", CALLS)
def test_the_client_named_explicitly_is_the_same(run: Run, capsys: pytest.CaptureFixture[str], client: str) -> None:
    """Same words, same status; certbot's have its name before them in the short form only."""
    for word in CALLS[client]:
        rest = () if client == "certbot" else ("-h", "--config")
        short = run(f"certbot-{word}" if client == "certbot" else word, *rest)
        status = program(["hook", client, word, *rest])
        said = capsys.readouterr()
        if short[2].startswith("error: no client"):
            assert status == short[0] == 2
        else:
            assert (status, said.out, said.err) == short


def test_each_client_s_help_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    """Where it is asked for before the word."""
    for client in CALLS:
        assert program(["hook", client, "-h"]) == 0
        assert capsys.readouterr().out.startswith(f"Usage: dnsbroker hook {client} [OPTIONS]")
        assert program(["hook", client]) == 2


def test_options_of_hook_stand_on_either_side_of_the_client_s_name(
    run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    """And of certbot's word too, which has no arguments."""
    for line in (
        ["--config", "no.toml", "hook", "lego", "present", NAME, VALUE],
        ["hook", "--no-wait", "--config", "no.toml", "lego", "present", NAME, VALUE],
        ["hook", "lego", "--config", "no.toml", "present", NAME, VALUE],
    ):
        assert program(line) == 2
        assert "no.toml: there is no such file, named with --config" in capsys.readouterr().err
    assert program(["hook", "certbot", "auth", "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["command"] == "hook certbot auth"


def test_what_a_client_left_open_is_closed_before_anything_else(tmp_path: Path) -> None:
    """Standard streams and descriptors of our own stay."""
    code = """
import os
from dnsbroker.cli.hook import close_inherited
own = os.open("/dev/null", os.O_RDONLY)
print(*os.listdir("/dev/fd"))
close_inherited()
os.fstat(own)
print(*os.listdir("/dev/fd"))
"""
    with (tmp_path / "cert.pem").open("w") as first, (tmp_path / "other").open("w") as second:
        files = (first.fileno(), second.fileno())
        done = subprocess.run(
            [sys.executable, "-c", code], pass_fds=files, capture_output=True, text=True, timeout=60, check=True
        )
    before, after = ({int(number) for number in line.split()} for line in done.stdout.splitlines())
    assert before >= {0, 1, 2, *files}
    assert after & {0, 1, 2, *files} == {0, 1, 2}


@pytest.mark.parametrize(
    "called", [".hook import main; main()", " import main; main(['hook', 'dehydrated', *sys.argv[1:]])"]
)
def test_it_is_closed_before_anybody_is_waited_for(tmp_path: Path, called: str) -> None:
    """Whoever reads what the client keeps open sees its end, however long the call takes."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        silent.settimeout(60)
        path = tmp_path / "dnsbroker.toml"
        path.write_text(f'state_dir = "{tmp_path}/s"\n[dns]\nresolvers = ["127.0.0.1:{silent.getsockname()[1]}"]\n')
        reading, writing = os.pipe()
        arguments = [sys.executable, "-c", f"import sys; from dnsbroker.cli{called}", "deploy_challenge", *TRIPLE]
        with subprocess.Popen(arguments, env={"DNSBROKER_CONFIG": str(path)}, pass_fds=[writing]) as process:
            os.close(writing)
            os.set_blocking(reading, False)
            silent.recv(512)
            with open(reading, "rb") as pipe:
                rest = pipe.read()
            process.terminate()
        assert rest == b""  # None, if anybody could still write


def test_descriptors_that_this_process_opened_stay() -> None:
    """The twin: only what came along is closed."""
    with tempfile.TemporaryFile() as own:
        close_inherited()
        os.fstat(own.fileno())


@pytest.mark.parametrize(
    "arguments",
    [
        ("deploy_challenge", "example.org", "-t", VALUE),
        ("clean_challenge", "example.org", "t", VALUE),
        ("deploy_cert", "example.org", *("/nonexistent/x.pem",) * 4, "1"),
        ("exit_hook",),
        ("exit_hook", ""),
        ("generate_csr", "example.org"),
        ("--json", "no-word"),
        ("present", "--", "example.org", "t", "t.x"),
    ],
)
def test_the_certificate_s_file_is_never_written_to(tmp_path: Path, arguments: Sequence[str]) -> None:
    """It is descriptor 3 of dehydrated's hooks; nor where standard error is closed."""
    certificate = tmp_path / "cert.pem"
    certificate.write_text("certificate")
    code = "from dnsbroker.cli.hook import main; raise SystemExit(main())"
    shell = ["sh", "-c", 'exec 3>>"$1" 4>&3 2>&- 1>&-; shift; exec "$@"', "sh", str(certificate)]
    subprocess.run(
        [*shell, sys.executable, "-c", code, *arguments],
        env={"PATH": "/usr/bin:/bin", "DNSBROKER_CONFIG": NOWHERE},
        timeout=60,
        check=False,
    )
    assert certificate.read_text() == "certificate"


ARGUMENTS = st.lists(
    st.one_of(
        st.text(st.characters(exclude_characters="\0"), max_size=20),
        st.sampled_from([*CLIENTS, "-v", "--json", "--config", "--no-wait", "--", "", "dns-01", "example.org", VALUE]),
    ),
    max_size=6,
)


@given(arguments=ARGUMENTS)
def test_whatever_it_is_called_with_there_is_no_traceback(arguments: list[str]) -> None:
    """And at most one line on stdout, in ASCII; nothing is done where there is no configuration."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setenv("DNSBROKER_CONFIG", NOWHERE)
        status = main([text for text in arguments if text not in ("-h", "--help")])
    assert status in (0, 1, 2)
    assert "Traceback" not in err.getvalue()
    assert "internal error" not in err.getvalue() + out.getvalue()
    assert out.getvalue().isascii()
    assert out.getvalue().count("\n") <= 1

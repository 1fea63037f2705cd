"""A name server that is left out for once: wherever values are waited for, as the hint of a wait that failed says."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from dnsbroker.cli import main as program
from dnsbroker.cli.hook import main
from updating import Updating

VALUE = "LHDhK3oGRvkiefQnx7OOczTY5Tic_xZ6HcMOc_gmtoM"
#: Nobody listens there.
GONE = "127.0.0.98"


@pytest.fixture
def server() -> Iterator[Updating]:
    server = Updating()
    with server:
        yield server


@pytest.fixture
def configured(server: Updating, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Have the zone served at a second address, which never answers, and wait for it as long as is said."""
    path = server.configuration(tmp_path)
    text = path.read_text().replace('["127.0.0.1"]', f'["127.0.0.1", "{GONE}"]')
    monkeypatch.setenv("DNSBROKER_CONFIG", str(path))

    def wait_for(timeout: str) -> None:
        path.write_text(f'{text}[propagation]\nrequire = "all"\ntimeout = "{timeout}"\n')

    return wait_for


def test_what_the_hint_says_can_be_done_in_every_program_that_waits(
    server: Updating, configured: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    """By the option; and by the setting, for a client that leaves no room for options."""
    configured("1s")
    assert main(["add", "_acme-challenge.a.example.org", VALUE]) == 3
    hint = capsys.readouterr().err.splitlines()[-1]
    assert hint.endswith(f", or leave it out, with propagation.ignore or once with --ignore {GONE}")
    configured("60s")
    option = hint.split()[-2:]
    calls: Sequence[tuple[Callable[[list[str]], int], list[str]]] = [
        (main, [*option, "add"]),
        (main, ["=".join(option), "present"]),
        (program, ["hook", *option, "acme.sh", "add"]),
        (program, ["-q", "txt", "present", *option]),
    ]
    for number, (called, words) in enumerate(calls):
        name = f"_acme-challenge.{number}.example.org"
        assert called([*words, name, VALUE]) == 0
        assert server.values(f"{name}.") == {VALUE}


@pytest.mark.parametrize("words", [["--ignore", "a..b"], ["--ignore="]])
def test_what_is_no_server_cannot_be_left_out(
    configured: Callable[[str], None], capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    """The negative twin: nothing is written."""
    configured("1s")
    assert main([*words, "add", "_acme-challenge.example.org", VALUE]) == 2
    assert capsys.readouterr().err.startswith("error: --ignore: ")

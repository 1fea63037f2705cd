"""``tlsa publish`` and ``tlsa withdraw``: what a person and a script are told, and what a call has to have."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from authority import Authority
from dane_house import HOUR, House, played
from dnsbroker import keys
from dnsbroker.cli import main
from dnsbroker.cli.tlsa_publish import _published, _withdrawn

KEY = keys.generate("ecdsa-p256")
CONFIG = """
state_dir = "state"

[dns]
resolvers = ["127.0.0.1:1"]

[[dane]]
endpoint = "smtp://mail.bücher.example"
certificate = "{chain}"
"""

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Call ``tlsa`` with a configuration that has one table; its status, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    chain = tmp_path / "chain.pem"
    chain.write_text(Authority().issue(KEY, ["mail.xn--bcher-kva.example"]))
    (tmp_path / "dnsbroker.toml").write_text(CONFIG.format(chain=chain))

    def called(*arguments: str) -> tuple[int, str, str]:
        status = main(["--config", "dnsbroker.toml", "tlsa", *arguments])
        said = capsys.readouterr()
        return status, said.out, said.err

    return called


@pytest.mark.parametrize("command", ["publish", "withdraw"])
def test_an_endpoint_that_nobody_knows_is_a_mistake_of_the_caller(run: Run, command: str) -> None:
    """Nobody is asked; the hint tells what there is."""
    status, out, err = run(command, "smtp://elsewhere.example")
    assert (status, out) == (2, "")
    assert "elsewhere.example" in err
    assert "mail.bücher.example" in err


@pytest.mark.parametrize(
    "endpoint", ["SMTP://Mail.BÜCHER.example.", "smtp://mail.xn--bcher-kva.example:25", "smtp://mail.bücher.example"]
)
def test_an_endpoint_is_known_however_it_is_written(run: Run, endpoint: str) -> None:
    """Capitals, a final dot, umlauts and the usual port make no other one; here, then, DNS is what fails."""
    status, _, err = run("publish", endpoint)
    assert (status, "error:" in err) == (1, True), err


def test_what_is_no_endpoint_is_refused(run: Run) -> None:
    """And so is a withdrawal of everything by an empty list."""
    assert run("publish", "mail.example.org")[0] == 2
    assert run("withdraw")[0] == 2


def test_without_a_table_there_is_nothing_to_do(run: Run, tmp_path: Path) -> None:
    """That is no failure."""
    text = (tmp_path / "dnsbroker.toml").read_text()
    (tmp_path / "dnsbroker.toml").write_text(text.partition("[[dane]]")[0])
    assert run("publish") == (0, "nothing to do: no [[dane]] table is configured\n", "")


def test_json_tells_the_error_and_its_kind(run: Run) -> None:
    """As of every command."""
    status, out, _ = run("publish", "--json", "smtp://elsewhere.example")
    result = json.loads(out.splitlines()[-1])
    assert (status, result["status"], result["command"]) == (2, 2, "tlsa publish")
    assert result["error"]["kind"] == "config"


def test_each_record_is_told_with_what_became_of_it(tmp_path: Path) -> None:
    """Added, kept, not ours; then where the roll-over stands."""

    async def story(house: House) -> None:
        foreign = "3 1 1 " + "ab" * 32
        house.plant(foreign, house.names(house.key))
        await house.manage()
        result = _published([await house.publish()])
        owner, new = f"{house.owner[:-1]}", house.names(house.next_key())
        assert result.lines[:3] == [
            f"added: {owner} IN TLSA {new}",
            f"kept: {owner} IN TLSA {house.names(house.key)}",
            f"foreign: {owner} IN TLSA {foreign}",
        ]
        assert result.lines[3].startswith("mail: propagated: ")
        assert (result.status, result.changed) == (0, True)
        facts: Any = result.fields["owners"]
        assert facts[0] == {
            "owner": house.owner,
            "added": [new],
            "kept": [house.names(house.key)],
            "removed": [],
            "foreign": [foreign],
        }

    played(tmp_path, story)


def test_a_refusal_is_told_once_with_its_cure(tmp_path: Path) -> None:
    """Status 1."""

    async def story(house: House) -> None:
        await house.manage(certificate=("mail", "second"))
        house.save("second", KEY, house.issue(KEY))
        house.daemon.present(other := keys.generate("ecdsa-p256"), house.issue(other))
        result = _published(await house.dane.bring(is_publishing_asked=True))
        assert (result.status, result.changed, len(result.failures)) == (1, False, 1)
        assert "--adopt" in result.failures[0].error.hint

    played(tmp_path, story)


def test_a_farewell_tells_until_when_the_key_stays(tmp_path: Path) -> None:
    """Of an endpoint that has nothing there is nothing to tell."""

    async def story(house: House) -> None:
        await house.manage()
        await house.publish()
        result = _withdrawn(await house.dane.withdraw([house.endpoint]))
        assert [line.partition(":")[0] for line in result.lines] == ["removed", "removed", "tls"]
        assert "serve the present key until " in result.lines[-1]
        facts: Any = result.fields["endpoints"]
        assert facts[0]["endpoint"] == str(house.endpoint)
        assert len(facts[0]["removed"]) == 2
        house.clock.turn(HOUR)
        again = _withdrawn(await house.dane.withdraw([house.endpoint]))
        assert again.lines == [f"{house.endpoint.shown()}: there are no records of ours"]
        assert not again.changed

    played(tmp_path, story)


def test_a_certificate_that_is_not_issued_yet_is_told_with_its_cure(tmp_path: Path) -> None:
    """Nothing is published for it, which is no failure; of one that is there nothing is said."""

    async def story(house: House) -> None:
        await house.manage(certificate=("second",))
        result = _published([await house.bring("second", is_publishing_asked=True)])
        assert (result.status, result.changed) == (0, False)
        assert result.lines[0].endswith("there is no certificate yet; `dnsbroker issue second` obtains it")
        await house.manage()
        result = _published([await house.publish()])
        assert "dnsbroker issue" not in "".join(result.lines)

    played(tmp_path, story)

"""`dnsbroker deploy`: without an order, without network, on a certificate that is there."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from authority import Authority
from dnsbroker import keys
from dnsbroker.cli import main
from dnsbroker.store import Access, Provenance, Store

NAME = "example.test"
KEY = keys.generate("ecdsa-p256")
CHAIN = Authority().issue(KEY, [NAME], serial=0xA1)


@pytest.fixture
def configuration(tmp_path: Path) -> Path:
    """Two certificates, one of which is there: copied, with a hook that fails as long as ``good`` is missing."""
    text = f"""
state_dir = "{tmp_path}/state"
[certificates."{NAME}"]
deploy_hooks = ["echo deployed; test -e {tmp_path}/good"]
[[certificates."{NAME}".copies]]
to = "{tmp_path}/copy"
[certificates."other.test"]
"""
    (tmp_path / "dnsbroker.toml").write_text(text)
    Store(tmp_path / "state").save(
        NAME, KEY, CHAIN, Access(), Provenance("https://ca.test/dir", datetime(2026, 11, 1, tzinfo=UTC))
    )
    return tmp_path / "dnsbroker.toml"


def test_deploying_again_brings_what_is_there_to_its_users(
    configuration: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The others are passed over where none is named; the story shows what the hook said."""
    (tmp_path / "good").touch()
    assert main(["deploy", "--config", str(configuration)]) == 0
    said = capsys.readouterr()
    assert (tmp_path / "copy" / "privkey.pem").read_text() == KEY
    assert f"{NAME}: deployed (" in said.out
    assert "other.test" not in said.out
    assert "copied to " in said.err
    assert "status 0\n  deployed\n" in said.err


def test_what_is_as_it_was_is_not_changed(configuration: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """By copies that are right already; a file whose mode is made right is another one."""

    def changed(command: str) -> bool:
        assert main(["--json", "--config", str(configuration), command, NAME]) == 0
        return json.loads(capsys.readouterr().out.splitlines()[-1])["changed"] is True

    configuration.write_text(configuration.read_text().replace("deploy_hooks", "pre_hooks"))
    assert changed("deploy")
    assert not changed("deploy")
    configuration.write_text(configuration.read_text().replace("pre_hooks", 'mode = "0640"\npre_hooks'))
    assert changed("deploy")
    assert not changed("deploy")


def test_of_several_each_is_named_once(configuration: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In the error, which begins with the certificate by itself."""
    chain = Authority().issue(KEY, ["other.test"], serial=0xA2)
    provenance = Provenance("https://ca.test/dir", datetime(2026, 11, 1, tzinfo=UTC))
    Store(configuration.parent / "state").save("other.test", KEY, chain, Access(), provenance)
    assert main(["-q", "deploy", "--config", str(configuration)]) == 7
    assert f"error: {NAME} is issued, but not deployed: " in capsys.readouterr().err


def test_a_step_that_fails_is_status_7(configuration: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With the class of its error, its certificate and its steps in the result."""
    assert main(["--json", "deploy", "--config", str(configuration), NAME]) == 7
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert result["error"]["kind"] == "not-deployed"
    assert result["error"]["certificate"] == NAME
    (step,) = result["error"]["steps"]
    assert step.startswith("hook echo deployed; ")
    assert "ended with status 1: deployed" in result["error"]["message"]
    assert result["certificates"][0]["serial"] == "a1"


def test_a_certificate_that_is_named_and_not_there_is_a_failure(
    configuration: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With what obtains it; one that nobody configured is a usage error."""
    assert main(["deploy", "--config", str(configuration), "other.test"]) == 1
    assert "dnsbroker issue other.test" in capsys.readouterr().err
    assert main(["deploy", "--config", str(configuration), "nobody.test"]) == 2

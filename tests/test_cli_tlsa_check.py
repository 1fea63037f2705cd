"""`dnsbroker tlsa check`: what a person reads, what a script gets, and how it ends, with and without configuration."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from dane_scene import HOST, HOSTS, Scene, standing
from dnsbroker.cli import main
from dnsbroker.cli.tlsa_check import summed_up
from dnsbroker.clock import SystemClock
from dnsbroker.journal import Journal
from dnsbroker.journal.rollovers import Progress, Rollovers
from signing import NOW

#: A host where nothing listens: the world's service answers only while the world itself looks.
DOWN = "mail A 127.0.0.99\n"


@pytest.fixture
def scene() -> Iterator[Scene]:
    """The world in its best state."""
    with standing() as made:
        yield made


def configuration(scene: Scene, directory: Path, *tables: str) -> str:
    """A file that leads into the world."""
    dns = scene.tree.config()
    path = directory / "dnsbroker.toml"
    lines = [
        f'state_dir = "{directory / "state"}"',
        "[dns]",
        f"resolvers = {json.dumps(list(dns.resolvers))}",
        f"nameserver_port = {dns.nameserver_port}",
    ]
    path.write_text("\n".join([*lines, *tables, ""]))
    return str(path)


def test_an_endpoint_in_order_has_its_table(scene: Scene) -> None:
    """Where its records stand, what each address serves, and that all is well."""
    result = summed_up(scene.look(), is_verbose=False)
    assert result.status == 0
    first, owner, *sights, last = result.lines
    assert first == f"ok: {scene.endpoint}"
    assert owner == f"    {scene.owner}.example.test: 2 records, secure"
    assert [line.partition(": ")[0] for line in sights] == ["    127.0.0.1 ecdsa"]
    assert sights[0].partition(": ")[2].startswith("accepted: ")
    assert last == "1 endpoint, 1 address checked: all is well"


def test_a_fault_has_evidence_and_a_next_step(scene: Scene) -> None:
    """Below the tables; notices are counted."""
    scene.have(f"{HOSTS}{scene.records('3 1 1')}{scene.owner} TLSA 3 1 1 {7:064x}\n", scene.copies[0])
    scene.have(HOSTS + scene.records("3 1 1"), scene.copies[1])
    result = summed_up(scene.look(), is_verbose=False)
    assert result.status == 4
    assert result.lines[0].startswith("fault: ")
    (error,) = [line for line in result.lines if line.startswith("error: ")]
    assert error.endswith("the name servers do not have the same records")
    assert any(line.startswith("    next: let the servers") for line in result.lines)
    assert result.fields["endpoints"] == {str(scene.endpoint): False}
    assert not any(line.startswith("notice: ") for line in result.lines)
    verbose = summed_up(scene.look(), is_verbose=True)
    notices = [line for line in verbose.lines if line.startswith("notice: ")]
    assert len(notices) == result.fields["findings"]["notice"] == 1  # type: ignore[index]
    assert "(-v shows it)" in result.lines[-1]


def test_the_mail_domain_that_led_there_is_told(scene: Scene) -> None:
    """And of an alias the name that was asked for."""
    both = scene.records("3 1 1") + scene.records("3 1 1", owner=f"_{scene.port}._tcp.real")
    scene.have(f"@ MX 10 mail\nmail CNAME real\nreal A 127.0.0.1\n{both}")
    lines = summed_up(scene.look(), is_verbose=False).lines
    assert any(f"as {HOST}: accepted" in line for line in lines)
    assert any("as real.example.test: accepted" in line for line in lines)
    told = summed_up(scene.look(mail=["example.test"]), is_verbose=False)
    assert told.lines[0] == f"fault: smtp://{HOST} (by example.test MX)"


def test_the_command_needs_no_table(scene: Scene, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Whatever is named is looked at; where it is without DANE the status is 4, and nothing is made on disk."""
    scene.have(DOWN)
    path = configuration(scene, tmp_path)
    endpoint = f"tls://{HOST}:{scene.port}"
    assert main(["--config", path, "--json", "tlsa", "check", endpoint]) == 4
    *told, result = map(json.loads, capsys.readouterr().out.splitlines())
    assert told[0]["event"] == "checked"
    assert {(one["event"], one["check"]) for one in told[1:]} >= {("finding", "no-records")}
    assert (result["status"], result["command"], result["changed"]) == (4, "tlsa check", False)
    assert result["findings"]["error"] >= 1
    assert not (tmp_path / "state").exists()


def test_none_named_is_all_that_is_configured(scene: Scene, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With the live certificate read from where the table says: what it lacks is told."""
    chain = tmp_path / "chain.pem"
    chain.write_text(scene.chain)
    scene.have(DOWN + scene.records("3 1 1"))
    endpoint = f"tls://{HOST}:{scene.port}"
    table = f'[[dane]]\nendpoint = "{endpoint}"\ncertificate = "{chain}"\n'
    path = configuration(scene, tmp_path, table)
    assert main(["--config", path, "tlsa", "check"]) == 4
    told = capsys.readouterr().out
    assert f"fault: {endpoint}" in told
    assert "records of the live certificate, or of one that is about to be, are not published\n    2 1 1 " in told
    assert f"next: `dnsbroker tlsa publish {endpoint}` publishes them" in told


def test_after_an_emergency_no_record_of_a_ca_is_missed(
    scene: Scene, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The journal says until when; and it is only read."""
    chain = tmp_path / "chain.pem"
    chain.write_text(scene.chain)
    scene.have(DOWN + scene.records("3 1 1"))
    table = f'[[dane]]\nendpoint = "tls://{HOST}:{scene.port}"\ncertificate = "{chain}"\n'
    path = configuration(scene, tmp_path, table)
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    journal = Journal(state)
    later = (NOW + timedelta(days=9)).timestamp()
    Rollovers(journal, SystemClock()).keep_progress(Progress(str(chain), "steady", 0.0, "", no_authority_until=later))
    journal.close()
    main(["--config", path, "--json", "tlsa", "check"])
    told = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert "missing-record" not in {one.get("check") for one in told}


def test_without_a_file_of_configuration_the_system_s_resolvers_are_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And where there is nothing to look at either, that is a wrong call; a file that is named has to be there."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv("DNSBROKER_CONFIG", raising=False)
    assert main(["tlsa", "check"]) == 2
    assert "nothing to check" in capsys.readouterr().err
    assert main(["--config", str(tmp_path / "none.toml"), "tlsa", "check", "https://www.example.org"]) == 2
    assert "there is no such file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["www.example.org"], "it has no scheme"),
        (["https://www.example.org:0443"], "begins with a zero"),
        (["--mx", "a..b"], "is no mail domain"),
        (["--srv", "example.org"], "is no SRV name"),
        (["--srv", "_gopher._tcp.example.org"], "how the service gopher is spoken to is not known"),
        (["--srv", "_sip._udp.example.org"], "is no SRV name of a service over TCP"),
    ],
)
def test_what_is_none_is_a_wrong_call(
    scene: Scene, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: list[str], told: str
) -> None:
    """With the way to write it; nobody is asked."""
    assert main(["--config", configuration(scene, tmp_path), "tlsa", "check", *words]) == 2
    assert told in capsys.readouterr().err
    assert scene.tree.servers.log == []


def test_a_silent_resolver_is_status_1(scene: Scene, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing could be looked at, so nothing is wrong with the endpoint."""
    scene.tree.resolver.stop()
    path = configuration(scene, tmp_path)
    assert main(["--config", path, "tlsa", "check", f"tls://{HOST}:{scene.port}"]) == 1
    assert "no resolver answers this host" in capsys.readouterr().err

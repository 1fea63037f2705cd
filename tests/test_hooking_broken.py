"""Hooks for a directory of which something wrong is configured: nothing goes live unasked, and people are told."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from dnsbroker.cli import exit_status
from dnsbroker.cli.hook import main
from hooked_host import KEY, NEW, admitted, chain
from kept_elsewhere import Kept

MISTAKES = ['key_typ = "x"', 'names = ["a.test"]', 'verify = ["bogus"]']

Run = Callable[..., tuple[int, str]]


class House:
    """A host on which dehydrated keeps ``a.test``, and where ``configure`` says what is to become of it."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.kept = Kept(directory / "client", "dehydrated")
        self.kept.renew(KEY, chain(KEY, 1))
        self.call = admitted(self.kept, NEW, chain(NEW, 2))
        self.table = f'[certificates."a.test"]\nlineage = "{self.kept.directory}"\ntlsa_guard = false\n'

    def configure(self, *tables: str) -> None:
        path = self.directory / "dnsbroker.toml"
        path.write_text("\n".join([f'state_dir = "{self.directory}/state"', *tables]))
        path.chmod(0o600)

    @property
    def files(self) -> list[str]:
        """What dehydrated's hooks are told of the certificate that is to go live."""
        return [str(path) for path in (self.call.key, self.call.cert, self.call.fullchain, self.call.fullchain)]


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    """One whose hooks find its configuration."""
    found = House(tmp_path)
    monkeypatch.setenv("DNSBROKER_CONFIG", str(tmp_path / "dnsbroker.toml"))
    monkeypatch.setenv("BASEDIR", str(tmp_path / "client"))
    monkeypatch.setenv("RENEWED_LINEAGE", str(found.kept.directory))
    monkeypatch.setattr("os.getpgrp", lambda: 4711)  # where the tests themselves run may be a container's inside
    return found


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """Call a hook; its status and what it says on standard error. On the other one it says nothing."""

    def called(*arguments: str) -> tuple[int, str]:
        status = main(list(arguments))
        said = capsys.readouterr()
        assert said.out == ""
        return status, said.err

    return called


@pytest.mark.parametrize("mistake", MISTAKES)
def test_what_a_broken_table_keeps_does_not_go_live(house: House, run: Run, mistake: str) -> None:
    """A guard may be meant by it; also as the only table that there is, and before there is anything else."""
    house.configure(house.table, mistake)
    status, said = run("sync_cert", *house.files)
    assert status == exit_status.USAGE
    assert mistake.partition(" ")[0] in said
    assert "dnsbroker.toml" in said


def test_a_whole_table_lets_it(house: House, run: Run) -> None:
    """The twin."""
    house.configure(house.table)
    assert run("sync_cert", *house.files) == (0, "")


@pytest.mark.parametrize("word", ["deploy_cert", "unchanged_cert"])
def test_what_a_broken_table_would_have_deployed_is_told_now_and_at_the_end(house: House, run: Run, word: str) -> None:
    """No failure for dehydrated, which would leave its other certificates undone; then one, and that is all of it."""
    house.configure(house.table, MISTAKES[0])
    status, said = run(word, "a.test", *house.files)
    assert status == 0
    assert "key_typ" in said
    status, said = run("exit_hook")
    assert status == exit_status.NOT_DEPLOYED
    assert "key_typ" in said
    assert run("exit_hook") == (0, "")


def test_certbot_hears_of_it_at_once(house: House, run: Run) -> None:
    """As an error of the configuration."""
    house.configure(house.table, MISTAKES[0])
    status, said = run("certbot-deploy")
    assert status == exit_status.USAGE
    assert "key_typ" in said


def test_another_directory_is_none_of_its_concern(house: House, run: Run) -> None:
    """Certificates that nobody configured go on as ever, and so do those beside it."""
    other = Kept(house.directory, "dehydrated", "client/dehydrated/certs/b.test")
    other.renew(KEY, chain(KEY, 3, "b.test"))
    files = [str(other.directory / f"{kind}.pem") for kind in ("privkey", "cert", "fullchain", "chain")]
    for beside in ("", f'[certificates."b.test"]\nlineage = "{other.directory}"\ntlsa_guard = false'):
        house.configure(house.table, MISTAKES[0], beside)
        assert run("sync_cert", *files) == (0, "")
        assert run("deploy_cert", "b.test", *files) == (0, "")


def test_the_second_table_of_one_directory_is_told_and_the_first_is_heeded(house: House, run: Run) -> None:
    """Whatever was to be done by the other one is not done."""
    mark = house.directory / "mark"
    second = f'[certificates.second]\nlineage = "{house.kept.directory}"'
    house.configure(house.table, f'deploy_hooks = ["touch {mark}"]', second)
    status, said = run("sync_cert", *house.files)
    assert status == 0
    assert "belongs to a.test already" in said
    status, said = run("deploy_cert", "a.test", *house.files)
    assert status == 0
    assert "belongs to a.test already" in said
    assert mark.exists()


@pytest.mark.parametrize("mistake", ["lineage = 5", 'linage = "{}"'])
def test_a_directory_that_cannot_be_read_may_be_any(house: House, run: Run, mistake: str) -> None:
    """So whoever asks is warned, and goes on; those whose table is whole are not meant."""
    broken = f"[certificates.broken]\n{mistake.format(house.kept.directory)}"
    house.configure(broken)
    for words in (["sync_cert"], ["deploy_cert", "a.test"]):
        status, said = run(*words, *house.files)
        assert status == 0
        assert f"{house.kept.directory} is passed over" in said
    assert run("unchanged_cert", "a.test", *house.files) == (0, "")
    house.configure(house.table, broken)
    assert run("sync_cert", *house.files) == (0, "")

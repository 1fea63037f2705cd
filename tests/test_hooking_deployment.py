"""Live certificates of other clients, as their hooks tell of them: deployed whole, once, and made up for."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dnsbroker.cli import exit_status
from dnsbroker.errors import BrokerError, DeployFailed
from dnsbroker.hooking import Answer
from dnsbroker.journal import FileLock
from hooked_host import KEY, NEW, NEWER, Host, admitted, chain
from kept_elsewhere import Kept
from older_clients import fingerprint


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """One on which dehydrated has a certificate that is live."""
    found = Host(tmp_path)
    found.kept.renew(KEY, chain(KEY, 1))
    return found


def test_a_new_certificate_is_deployed_whole_and_once(host: Host) -> None:
    """Copies, hooks and post hooks; when it is still there, nothing is left to do."""
    copies = host.directory / "copies"
    host.settings["copies"] = [{"to": str(copies)}]
    before = fingerprint(host.kept.directory)
    answer = host.deploy()
    assert answer == Answer(changed=True)
    assert host.said() == [f"deploy {host.kept.directory}|a.test", "post |a.test"]
    assert (copies / "combined.pem").read_text() == KEY + host.kept.chain.read_text()
    assert host.deploy(is_new=False) == Answer()
    assert host.deploy() == Answer()
    assert host.said() == []
    assert fingerprint(host.kept.directory) == before
    host.kept.renew(NEW, chain(NEW, 2))
    assert host.deploy() == Answer(changed=True)
    assert host.words == ["deploy", "post"]
    assert (copies / "privkey.pem").read_text() == NEW


def test_a_directory_that_nobody_configured_concerns_nobody(host: Host) -> None:
    """It is told to who listens closely; nothing is done."""
    other = Kept(host.directory, "dehydrated", "other/b.test")
    other.renew(NEW, chain(NEW, 2))
    assert host.deploy(other.directory) == Answer()
    assert [(event["event"], event.get("path")) for event in host.events] == [("unknown_lineage", str(other.directory))]
    assert host.call(admitted(other, NEW, chain(NEW, 3))) == Answer()
    assert host.said() == []


@pytest.mark.parametrize("is_configured_by_link", [True, False])
def test_a_directory_is_known_by_whatever_path(host: Host, is_configured_by_link: bool) -> None:
    """The client may have come by a link, or the configuration."""
    link = host.directory / "link"
    link.symlink_to(host.directory / "client")
    below = link / host.kept.directory.relative_to(host.directory / "client")
    if is_configured_by_link:
        host.settings["lineage"] = str(below)
        assert host.deploy().changed
        assert host.said()[0] == f"deploy {below}|a.test"
    else:
        assert host.deploy(below).changed
        assert host.said()[0] == f"deploy {host.kept.directory}|a.test"


def test_what_failed_is_made_up_for_when_it_is_said_to_be_unchanged(host: Host) -> None:
    """That alone. Nothing of it is a failure for the client, which would leave its other certificates undone."""
    good = host.directory / "good"
    host.settings["deploy_hooks"] = [host.note("first"), f"{host.note('flaky')}; test -e {good}"]
    answer = host.deploy(is_heeded=False)
    assert answer.failures == ()
    (told,) = answer.told
    assert "a.test is issued, but not deployed: hook " in told
    assert "`dnsbroker renew` tries just that again" in told
    assert len(host.failed) == 1
    assert host.words == ["first", "flaky", "post"]
    assert host.deploy(is_new=False, is_heeded=False).told == (told,)
    assert host.words == ["flaky"]
    good.touch()
    assert host.deploy(is_new=False, is_heeded=False).told == ()
    assert host.words == ["flaky"]


def test_a_client_that_heeds_a_failure_hears_of_it(host: Host) -> None:
    """The twin: an error with its own status, and nothing to be told at the end."""
    host.settings["deploy_hooks"] = ["exit 3"]
    (failure,) = host.deploy().failures
    assert isinstance(failure, DeployFailed)
    assert exit_status.of(failure) == exit_status.NOT_DEPLOYED
    assert host.failed == ()


def test_a_certificate_that_cannot_be_read_is_a_deployment_that_failed(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is told, and once more at the session's end."""
    monkeypatch.setattr("dnsbroker.lineages.reading.PAUSES", (0.0,))
    host.kept.chain.resolve().write_text("nonsense")
    (told,) = host.deploy(is_heeded=False).told
    assert str(host.kept.chain) in told
    assert "let dehydrated obtain that certificate anew" in told
    assert len(host.failed) == 1
    assert host.said() == []
    host.kept.chain.resolve().write_text(chain(KEY, 1))
    assert host.deploy(is_new=False, is_heeded=False) == Answer(changed=True)


def test_two_lineages_in_one_run_are_deployed_each(tmp_path: Path) -> None:
    """The hook is called for each one; what is left of the other's call is of no account."""
    host = Host(tmp_path, "certbot")
    host.kept.renew(KEY, chain(KEY, 1))
    other = Kept(tmp_path, "certbot", "client/letsencrypt/live/b.test")
    other.renew(NEW, chain(NEW, 2, "b.test"))
    host.tables = {"b.test": {"lineage": str(other.directory), **host.settings}}
    assert host.deploy().changed
    assert host.said() == [f"deploy {host.kept.directory}|a.test", "post |a.test"]
    assert host.deploy(other.directory).changed
    assert host.said() == [f"deploy {other.directory}|b.test", "post |b.test"]


def test_what_is_there_by_now_is_deployed(host: Host) -> None:
    """A lineage may have changed between the hook's call and its look; the call for that one finds it done."""
    host.deploy()
    for key, serial in ((NEW, 2), (NEWER, 3)):
        host.kept.renew(key, chain(key, serial))
    host.settings["copies"] = [{"to": str(host.directory / "copies")}]
    assert host.deploy().changed
    assert (host.directory / "copies/privkey.pem").read_text() == NEWER
    assert host.words == ["deploy", "post", "deploy", "post"]
    assert host.deploy() == Answer()


def test_another_process_that_has_it_is_left_to_it(host: Host) -> None:
    """And that is said; what it does not do is done later."""
    (host.directory / "state/locks").mkdir(parents=True)
    lock = FileLock(host.directory / "state/locks/certificate-a.test")
    assert lock.try_acquire()
    answer = host.deploy()
    assert (answer.failures, answer.changed) == ((), False)
    assert "another dnsbroker" in answer.told[0]
    assert "left to it" in answer.told[0]
    assert host.said() == []
    lock.release()
    assert host.deploy(is_new=False).changed
    assert host.words == ["deploy", "post"]


CALLED = """
import asyncio, os, sys
from pathlib import Path
from dnsbroker.clock import SystemClock
from dnsbroker.config import Config
from dnsbroker.events import Emitter
from dnsbroker.hooking import perform
from dnsbroker.hooking.calls import Deploy
from dnsbroker.run import Run

async def main():
    clock = SystemClock()
    config = Config.load(sys.argv[1], environment=dict(os.environ))
    async with Run(config, clock, Emitter(clock, None)) as run:
        answer = await perform(Deploy("", Path(sys.argv[2])), run)
        assert not answer.failures, answer

asyncio.run(main())
"""


def test_a_daemon_that_a_hook_starts_holds_up_no_client_and_modes_are_right_under_its_umask(host: Host) -> None:
    """That of dehydrated is 077, and it has files open; a client reads on until nobody can write any more."""
    daemon = host.directory / "daemon"
    copies = host.directory / "copies"
    path = host.directory / "dnsbroker.toml"
    path.write_text(
        f'state_dir = "{host.directory / "state"}"\n[certificates."a.test"]\nlineage = "{host.kept.directory}"\n'
        f'tlsa_guard = false\ndeploy_hooks = ["sleep 300 & echo $! > {daemon}"]\n'
        f'[[certificates."a.test".copies]]\nto = "{copies}"\nmode = "0640"\n'
    )
    words = [sys.executable, "-c", CALLED, str(path), str(host.kept.directory)]
    reader, writer = os.pipe()
    environment = {"PATH": os.defpath, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    try:
        done = subprocess.run(
            words, capture_output=True, text=True, env=environment, timeout=60, umask=0o077, pass_fds=(writer,)
        )
        os.close(writer)
        number = int(daemon.read_text())
        try:
            # Both would wait for the daemon, if it held them.
            assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
            assert os.read(reader, 1) == b""
            os.kill(number, 0)
        finally:
            os.kill(number, signal.SIGTERM)
    finally:
        os.close(reader)
    modes = {path.name: path.stat().st_mode & 0o777 for path in copies.iterdir()}
    assert modes == {
        **dict.fromkeys(("privkey.pem", "combined.pem"), 0o640),
        **dict.fromkeys(("cert.pem", "chain.pem", "fullchain.pem"), 0o644),
    }
    assert copies.stat().st_mode & 0o777 == 0o755


def test_no_error_of_a_lineage_is_without_a_next_step(host: Host) -> None:
    """Also where the whole directory is gone."""
    host.kept.directory.rename(host.directory / "away")
    for answer in (host.deploy(), host.deploy(is_new=False)):
        (failure,) = answer.failures
        assert isinstance(failure, BrokerError)
        assert "there is no certificate in" in failure.message
        assert failure.hint


@pytest.mark.parametrize("path", ["", "../../archive/a.test", "../a.test/fullchain.pem"])
def test_a_path_beside_the_one_that_is_meant_is_told_with_what_is_in_that_one(tmp_path: Path, path: str) -> None:
    """All certificates at once, certbot's archive, or a file."""
    host = Host(tmp_path, "certbot")
    host.kept.renew(KEY, chain(KEY, 1))
    meant = host.kept.directory / path if path else host.kept.directory.parent
    host.settings["lineage"] = str(meant)
    (failure,) = host.deploy(meant).failures
    assert "the directory" in failure.hint
    assert str(host.kept.directory.resolve()) in failure.hint or "with its own fullchain.pem (certbot" in failure.hint

"""Deployments over several runs: what failed is tried again alone, what was left or configured later is made up for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from deployed_host import AUTHORITY, KEY, Host, certificate, note, tell
from dnsbroker.clock import SystemClock
from dnsbroker.config import CertificateConfig
from dnsbroker.config.certificate import CopyConfig
from dnsbroker.deploying import Deploying
from dnsbroker.events import Emitter
from tls_service import TlsService, at_once


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    """A host on which nothing is there yet."""
    found = Host(tmp_path)
    yield found
    found.journal.close()


# What fails


def test_a_hook_that_failed_is_tried_again_alone(host: Host) -> None:
    """By the next run, until it succeeds; its failure is told with what it said last."""
    good = host.directory / "good"
    flaky = f"{note('flaky')}; test -e {good} || {{ echo 'it is not there' >&2; exit 3; }}"
    wanted = certificate(deploy_hooks=(note("first"), flaky, note("last")))
    deploying = host.issue(wanted)
    assert host.said() == ["first", "flaky", "last"]
    error = deploying.error("a.test")
    assert error is not None
    assert error.steps == (f"hook {flaky}",)
    assert error.message.endswith("ended with status 3: it is not there")
    assert "renew" in error.hint
    (told,) = host.told("deploy_failed")
    assert told["step"] == f"hook {flaky}"
    (left,) = host.deployments.unfinished("a.test", "1")
    assert (left.state, left.message) == ("failed", "ended with status 3: it is not there")

    assert host.renew(wanted).error("a.test") is not None
    assert host.said() == ["flaky"]
    good.touch()
    assert host.renew(wanted).error("a.test") is None
    assert host.said() == ["flaky"]
    assert host.renew(wanted).error("a.test") is None
    assert host.said() == []


def test_a_hook_is_stopped_at_its_time_out(host: Host) -> None:
    """And that is a failure."""
    error = host.issue(certificate(deploy_hooks=("sleep 60",), hook_timeout=0.3)).error("a.test")
    assert error is not None
    assert "was stopped at its time-out" in error.message


def test_a_hook_waits_for_the_copies_before_it_and_a_reload_for_nothing(host: Host) -> None:
    """The hook may need them; a daemon that is reloaded for nothing takes no harm."""
    host.systemctl()
    blocked = host.directory / "blocked"
    blocked.write_text("")
    wanted = certificate(copies=(CopyConfig(to=blocked / "certs"),), deploy_hooks=(note("deploy"),), reload=("nginx",))
    deploying = host.issue(wanted)
    assert host.said() == ["reloaded nginx"]
    copied, hooked = deploying.failures("a.test")
    assert copied.step == f"copy {blocked}/certs"
    assert "not a directory" in copied.message
    assert "correct the path" in copied.hint
    assert hooked.message == f"not run yet: it waits for copy {blocked}/certs"

    blocked.unlink()
    assert host.renew(wanted).failures("a.test") == ()
    assert host.said() == ["deploy", "reloaded nginx"]


def test_a_post_hook_that_failed_is_owed(host: Host) -> None:
    """It may be what starts a service again; the next run has nothing else to do for it."""
    good = host.directory / "good"
    wanted = certificate(post_hooks=(f"{note('post')}; test -e {good}",))
    assert host.issue(wanted).error("a.test") is not None
    good.touch()
    assert host.renew(wanted).error("a.test") is None
    assert host.said() == ["post", "post"]
    host.renew(wanted)
    assert host.said() == []


def attempted_in_vain(host: Host, wanted: CertificateConfig) -> Deploying:
    """A run whose order for ``wanted`` fails."""

    async def act(deploying: Deploying) -> None:
        await deploying.finish([(wanted, False)])

    return host.run(act)


def postponed(host: Host, wanted: CertificateConfig) -> Deploying:
    """A run of `renew` in which it is not yet time for the next attempt."""

    async def act(deploying: Deploying) -> None:
        deploying.owe(wanted, host.store.load(wanted.name))
        await deploying.finish()

    return host.run(act)


@pytest.mark.parametrize("is_live", [True, False])
def test_a_post_hook_that_failed_after_a_failed_order_is_owed(host: Host, is_live: bool) -> None:
    """The service that a pre hook stopped stands still until then; it is no step of a later certificate's."""
    good = host.directory / "good"
    wanted = certificate(post_hooks=(f"{tell('post')}; test -e {good}", note("other")))
    if is_live:
        host.issue(certificate())
    error = attempted_in_vain(host, wanted).error("a.test")
    assert error is not None
    assert ("is issued" in error.message) is is_live
    line = "post a.test|none||a.test *.a.test"
    assert host.said() == [line, "other"]
    (left,) = host.deployments.unfinished("a.test", "1" if is_live else "")
    assert (left.name, left.state) == (f"post {wanted.post_hooks[0]}", "failed")

    assert postponed(host, wanted).error("a.test") is not None
    good.touch()
    assert postponed(host, wanted).error("a.test") is None
    assert host.said() == [line, line]
    assert postponed(host, wanted).error("a.test") is None
    assert host.said() == []


def test_a_post_hook_that_is_owed_is_run_where_nothing_is_due_either(host: Host) -> None:
    """As where the name that could not be validated is configured no longer."""
    good = host.directory / "good"
    wanted = certificate(post_hooks=(f"{note('post')}; test -e {good}",), deploy_hooks=(note("deploy"),))
    host.issue(certificate())
    attempted_in_vain(host, wanted)
    good.touch()
    assert host.renew(wanted).error("a.test") is None
    assert host.said() == ["post", "post"]
    host.renew(wanted)
    assert host.said() == []


def test_a_post_hook_that_is_owed_is_run_once_where_the_next_attempt_runs_it(host: Host) -> None:
    """And one that is configured no longer is forgotten."""
    wanted = certificate(post_hooks=(f"{note('post')}; exit 1",))
    attempted_in_vain(host, wanted)

    async def act(deploying: Deploying) -> None:
        deploying.owe(wanted, None)
        await deploying.finish([(wanted, False)])

    host.run(act)
    assert host.said() == ["post", "post"]
    postponed(host, certificate())
    assert host.said() == []
    assert host.deployments.of("a.test", "") == ()


def test_a_run_that_was_killed_is_caught_up_with(host: Host) -> None:
    """From the plan that was written before the certificate went live."""
    host.systemctl()
    wanted = certificate(deploy_hooks=(note("deploy"),), reload=("nginx",), post_hooks=(note("post"),))
    host.issued(wanted, 1)
    host.renew(wanted)
    assert host.said() == ["deploy", "reloaded nginx", "post"]


def test_a_unit_that_failed_is_reloaded_again_by_the_next_run(host: Host) -> None:
    """And its failure is that of each certificate for which it was to be reloaded."""
    host.systemctl("echo 'it does not start' >&2; exit 1")
    wanted = [certificate(f"{letter}.test", reload=("nginx",)) for letter in "ab"]
    deploying = host.issue(*wanted)
    for one in wanted:
        (failed,) = deploying.failures(one.name)
        assert failed.step == "reload nginx"
        assert "it does not start" in failed.message
    host.systemctl()
    assert host.renew(*wanted).failures("a.test") == ()
    assert host.said() == ["reloaded nginx"]


# What changes in the configuration


def test_a_copy_that_is_configured_later_is_made_by_the_next_run(host: Host) -> None:
    """And units are reloaded for it; hooks that are configured later wait for the next certificate."""
    host.systemctl()
    host.issue(certificate())
    wanted = certificate(
        copies=(CopyConfig(to=host.directory / "copy"),), deploy_hooks=(note("deploy"),), reload=("nginx",)
    )
    assert host.renew(wanted).changed
    assert (host.directory / "copy" / "privkey.pem").exists()
    assert host.said() == ["reloaded nginx"]
    host.renew(wanted)
    assert host.events == []


def test_a_changed_mode_of_copies_is_made_so_by_the_next_run(host: Host) -> None:
    """Their step is the same, and done; the files are not as they are to be."""
    host.issue(certificate(copies=(CopyConfig(to=host.directory / "copy"),)))
    wanted = certificate(copies=(CopyConfig(to=host.directory / "copy", mode=0o640),))
    host.renew(wanted)
    (told,) = host.told("copied")
    assert len(told["paths"]) == 2  # type: ignore[arg-type]
    assert (host.directory / "copy" / "privkey.pem").stat().st_mode & 0o777 == 0o640


def test_a_step_that_failed_and_is_configured_no_longer_is_forgotten(host: Host) -> None:
    """Nobody is to be called for it."""
    host.issue(certificate(deploy_hooks=("exit 1",)))
    wanted = certificate(deploy_hooks=(note("other"),))
    assert host.renew(wanted).error("a.test") is None
    assert host.deployments.of("a.test", "1") == ()
    assert host.said() == []


def test_deploying_again_does_every_step_anew(host: Host) -> None:
    """But for post hooks: nothing was attempted. Copies that are right stay untouched."""
    host.systemctl()
    wanted = certificate(
        copies=(CopyConfig(to=host.directory / "copy"),),
        pre_hooks=(note("pre"),),
        deploy_hooks=(note("deploy"),),
        reload=("nginx",),
        post_hooks=(note("post"),),
    )
    host.issue(wanted)
    host.said()
    host.renew(wanted, again=True)
    assert host.said() == ["deploy", "reloaded nginx"]
    assert host.told("copied") == []


def test_deploying_again_remembers_what_failed(host: Host) -> None:
    """Though it was done before."""
    good = host.directory / "good"
    good.touch()
    wanted = certificate(deploy_hooks=(f"test -e {good}",))
    assert host.issue(wanted).error("a.test") is None
    good.unlink()
    assert host.renew(wanted, again=True).error("a.test") is not None
    good.touch()
    assert host.renew(wanted).error("a.test") is None
    assert len(host.told("hook")) == 1


# A look at what is served


async def deployed(host: Host, wanted: CertificateConfig, deploying: Deploying, serial: int) -> None:
    emit = Emitter(SystemClock(), host.events.append)
    await deploying.spread(wanted, host.issued(wanted, serial), emit)
    await deploying.finish([(wanted, True)])


def test_an_endpoint_that_serves_the_new_certificate_is_verified(host: Host) -> None:
    """At each address, after the post hooks."""

    async def act(deploying: Deploying) -> None:
        wanted = certificate(verify=("https://a.test",))
        async with TlsService(at_once, KEY, AUTHORITY.issue(KEY, wanted.names, serial=1)) as service:
            host.addresses["a.test"] = (service.address,)
            emit = Emitter(SystemClock(), host.events.append)
            lineage = host.issued(wanted, 1)
            service.present(KEY, lineage.fullchain)
            await deploying.spread(wanted, lineage, emit)
            await deploying.finish([(wanted, True)])

    deploying = host.run(act)
    assert deploying.failures("a.test") == ()
    (told,) = host.told("verified")
    assert told["endpoint"] == "https://a.test"


def test_an_endpoint_that_still_serves_the_old_certificate_is_a_failure(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The twin; the hint says what makes a program read the new one, and the next run looks again."""
    monkeypatch.setattr("dnsbroker.deploying.looking.PATIENCE", 0.5)
    wanted = certificate(verify=("https://a.test",))

    async def act(deploying: Deploying) -> None:
        async with TlsService(at_once, KEY, AUTHORITY.issue(KEY, wanted.names, serial=7)) as service:
            host.addresses["a.test"] = (service.address,)
            await deployed(host, wanted, deploying, 1)

    (failed,) = host.run(act).failures("a.test")
    assert failed.step == "verify https://a.test"
    assert "serves another certificate, with serial 7" in failed.message
    assert "reload" in failed.hint
    assert host.told("verified") == []
    assert [step.name for step in host.deployments.unfinished("a.test", "1")] == ["verify https://a.test"]


def test_an_endpoint_that_nobody_can_find_is_a_failure(host: Host) -> None:
    """It was asked for."""
    wanted = certificate(verify=("https://nowhere.test",))
    (failed,) = host.run(lambda deploying: deployed(host, wanted, deploying, 1)).failures("a.test")
    assert "nobody knows it" in failed.message
    assert "correct the endpoint in verify" in failed.hint

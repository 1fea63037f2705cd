"""A run's deployments: what is done when, what is done once, and what each hook is told."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deployed_host import Host, certificate, note, tell
from dnsbroker.clock import SystemClock
from dnsbroker.config.certificate import CopyConfig
from dnsbroker.deploying import Deploying, steps
from dnsbroker.errors import BrokerError, DeployFailed
from dnsbroker.events import Emitter


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    """A host on which nothing is there yet."""
    found = Host(tmp_path)
    yield found
    found.journal.close()


# Everything once


def test_a_certificate_without_deployment_costs_nothing(host: Host) -> None:
    """No event, no step, nothing unfinished."""
    deploying = host.issue(certificate())
    assert host.events == []
    assert deploying.failures("a.test") == ()
    assert deploying.error("a.test") is None
    assert not deploying.changed


def test_steps_are_named_in_the_order_in_which_they_are_taken() -> None:
    """None twice."""
    wanted = certificate(
        copies=(CopyConfig(to=Path("/d")), CopyConfig(key=Path("/k"), fullchain=Path("/c"))),
        deploy_hooks=("x", "y", "x"),
        reload=("nginx",),
        post_hooks=("z",),
        verify=("https://a.test",),
    )
    assert steps(wanted) == (
        *("copy /d", "copy /k, /c", "hook x", "hook y"),
        *("reload nginx", "post z", "verify https://a.test"),
    )


def test_copies_come_before_hooks_and_hooks_before_reloads_and_post_hooks(host: Host) -> None:
    """Each of them once; and nothing is left to do."""
    host.systemctl()
    wanted = certificate(
        copies=(CopyConfig(to=host.directory / "copy"),),
        pre_hooks=(note("pre"),),
        deploy_hooks=(f"test -e {host.directory}/copy/privkey.pem && {note('deploy')}",),
        reload=("nginx",),
        post_hooks=(note("post"),),
    )
    deploying = host.issue(wanted)
    assert host.said() == ["pre", "deploy", "reloaded nginx", "post"]
    assert deploying.changed
    assert not deploying.is_unfinished(wanted, host.live(wanted))
    assert {step.state for step in host.deployments.of("a.test", "1")} == {"done"}

    deploying = host.renew(wanted)
    assert host.said() == []
    assert host.events == []
    assert not deploying.changed


def test_hooks_are_told_what_certbot_s_are(host: Host) -> None:
    """Wildcards kept, and nothing stale from whoever called us."""
    wanted = certificate(pre_hooks=(tell("pre"),), deploy_hooks=(tell("deploy"),), post_hooks=(tell("post"),))
    host.issue(wanted)
    live = host.store.state_dir / "live" / "a.test"
    assert host.said() == [
        "pre a.test|none|none|none",
        f"deploy a.test|{live}|a.test *.a.test|none",
        "post a.test|none|a.test *.a.test|",
    ]


def test_the_output_of_a_hook_is_shown(host: Host) -> None:
    """Of each, with its status."""
    host.issue(certificate(deploy_hooks=("echo one; echo two >&2", "echo bad; exit 4")))
    shown = [(event["phase"], event["status"], event["output"]) for event in host.told("hook")]
    assert shown == [("deploy", 0, ["one", "two"]), ("deploy", 4, ["bad"])]


# Once in a run


def test_what_is_shared_is_done_once_in_a_run(host: Host) -> None:
    """Pre hooks, post hooks and units; a deploy hook is each certificate's own."""
    host.systemctl()
    shared: dict[str, Any] = {
        "pre_hooks": (note("pre"),),
        "deploy_hooks": (tell("deploy"),),
        "post_hooks": (tell("post"),),
        "reload": ("nginx",),
    }
    host.issue(certificate("a.test", **shared), certificate("b.test", **shared))
    live = host.store.state_dir / "live"
    assert host.said() == [
        "pre",
        f"deploy a.test|{live}/a.test|a.test *.a.test|none",
        f"deploy b.test|{live}/b.test|b.test *.b.test|none",
        "reloaded nginx",
        "post a.test b.test|none|a.test *.a.test b.test *.b.test|",
    ]
    shared_events = [*host.told("reloaded"), *(event for event in host.told("hook") if event["phase"] == "post")]
    assert [event["certificates"] for event in shared_events] == [["a.test", "b.test"]] * 2


def test_hooks_of_different_certificates_never_run_at_the_same_time(host: Host) -> None:
    """Though the certificates come together."""
    hook = f"mkdir {host.directory}/busy && sleep 0.1 && rmdir {host.directory}/busy"
    wanted = [certificate(f"{letter}.test", deploy_hooks=(hook,)) for letter in "abcd"]

    async def act(deploying: Deploying) -> None:
        emit = Emitter(SystemClock(), None)
        await asyncio.gather(*(deploying.spread(one, host.issued(one, 1), emit) for one in wanted))

    deploying = host.run(act)
    assert [deploying.failures(one.name) for one in wanted] == [()] * 4


def test_post_hooks_tell_what_failed_from_what_is_renewed(host: Host) -> None:
    """Of the certificates that have the hook; one that nobody attempted is in neither list."""
    good, bad = (
        certificate("good.test", post_hooks=(tell("post"),)),
        certificate("bad.test", post_hooks=(tell("post"),)),
    )

    async def act(deploying: Deploying) -> None:
        await deploying.spread(good, host.issued(good, 1), Emitter(SystemClock(), None))
        await deploying.finish([(good, True), (bad, False), (certificate("other.test"), True)])

    host.run(act)
    assert host.said() == ["post good.test bad.test|none|good.test *.good.test|bad.test *.bad.test"]


def test_post_hooks_run_though_the_run_is_stopped_before_its_end(host: Host) -> None:
    """What a pre hook stopped is started again."""
    wanted = certificate(pre_hooks=(note("pre"),), post_hooks=(note("post"),))

    async def act(deploying: Deploying) -> None:
        await deploying.pre(wanted)
        await deploying.close([(wanted, False)])

    host.run(act)
    assert host.said() == ["pre", "post"]


def test_post_hooks_run_though_the_run_is_stopped_in_a_deploy_hook(host: Host) -> None:
    """Also where nothing was ordered; the next run does the whole rest, and they are among it."""
    gate = host.directory / "gate"
    wanted = certificate(deploy_hooks=(f"{note('deploy')}; test -e {gate} || sleep 300",), post_hooks=(note("post"),))

    async def stopped(deploying: Deploying) -> None:
        spread = deploying.spread(wanted, host.issued(wanted, 1), Emitter(SystemClock(), None))
        spreading = asyncio.ensure_future(spread)
        while not host.log.read_text():
            await SystemClock().sleep(0.01)
        spreading.cancel()
        await asyncio.wait([spreading])
        await deploying.close(())

    host.run(stopped)
    assert host.said() == ["deploy", "post"]
    gate.touch()
    host.renew(wanted)
    assert host.said() == ["deploy", "post"]


def test_a_pre_hook_that_fails_is_an_error_before_any_order(host: Host) -> None:
    """For every certificate that has it, though it runs once."""
    wanted = [certificate(f"{letter}.test", pre_hooks=(f"{note('pre')}; echo no; exit 1",)) for letter in "ab"]

    async def act(deploying: Deploying) -> None:
        for one in wanted:
            with pytest.raises(BrokerError, match="ended with status 1: no") as caught:
                await deploying.pre(one)
            assert not isinstance(caught.value, DeployFailed)
            assert "nothing was ordered" in caught.value.hint

    host.run(act)
    assert host.said() == ["pre"]


def test_two_ends_in_one_program_are_two_runs(host: Host) -> None:
    """A library's caller may issue one certificate after the other; nothing is reloaded twice for the first."""
    host.systemctl()
    first = certificate("a.test", reload=("nginx",), pre_hooks=(note("pre"),))
    second = certificate("b.test", pre_hooks=(note("pre"),))

    async def act(deploying: Deploying) -> None:
        for one in (first, second):
            await deploying.pre(one)
            await deploying.spread(one, host.issued(one, 1), Emitter(SystemClock(), None))
            await deploying.finish([(one, True)])

    host.run(act)
    assert host.said() == ["pre", "reloaded nginx", "pre"]

"""A person's command: what it gets, how it ends, and that it is never left behind nor waited for in vain."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path

import pytest

from dnsbroker.deploying.hooks import DEFAULT_PATH, MOST_OUTPUT, HookEnd, lines_of, run_hook

ENVIRONMENT = {"PATH": DEFAULT_PATH}


def ran(command: str, timeout: float = 20.0, stdin: bytes = b"") -> HookEnd:
    return asyncio.run(run_hook(command, ENVIRONMENT, timeout, stdin))


def is_alive(pid: int) -> bool:
    """Whether the process still does anything; a zombie does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_hook_s_output_and_status_are_told() -> None:
    """Both streams, in the order in which they were written."""
    end = ran("echo one; echo two >&2; echo three; exit 3")
    assert end == HookEnd(3, "one\ntwo\nthree\n", timed_out=False)
    assert not end.succeeded
    assert ran("true").succeeded


def test_a_hook_killed_by_a_signal_has_the_shell_s_status() -> None:
    """128 and the number."""
    assert ran("kill -KILL $$").status == 128 + signal.SIGKILL


def test_the_environment_is_exactly_what_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of ours leaks in, and commands are found all the same."""
    monkeypatch.setenv("OURS", "secret")
    told = asyncio.run(run_hook("env", {"RENEWED_DOMAINS": "a.test *.a.test"}, 20.0)).output
    names = {line.partition("=")[0] for line in told.splitlines()}
    assert names - {"PWD", "_", "SHLVL", "OLDPWD"} == {"PATH", "RENEWED_DOMAINS"}
    assert "RENEWED_DOMAINS=a.test *.a.test\n" in told


def test_input_is_what_is_given_or_nothing() -> None:
    """A hook that reads does not hang on our terminal; one that does not read a long input is not waited for."""
    assert ran("cat; echo end").output == "end\n"
    assert ran("cat", stdin=b"the story\n").output == "the story\n"
    assert ran("echo unread", stdin=b"x" * 1_000_000).output == "unread\n"


def test_no_descriptor_of_ours_is_inherited(tmp_path: Path) -> None:
    """Not even one that is inheritable by mistake."""
    with (tmp_path / "ours").open("w") as file:
        os.set_inheritable(file.fileno(), True)
        assert "ours" not in ran("ls -l /proc/self/fd").output


def test_the_end_of_a_long_output_is_kept() -> None:
    """And it never makes the hook wait; what is no text is replaced."""
    end = ran("yes 0123456789 | head -c 3000000; printf '\\377end'")
    assert len(end.output.encode()) <= MOST_OUTPUT + 2
    assert end.output.endswith("�end")


def test_a_daemon_left_in_the_background_does_not_delay_us() -> None:
    """Though it still holds the hook's streams; it goes on living."""
    begin = time.monotonic()
    end = ran("echo started; sleep 60 & echo $!")
    assert time.monotonic() - begin < 50
    said, pid = end.output.split()
    assert said == "started"
    assert is_alive(int(pid))
    os.kill(int(pid), signal.SIGKILL)


def test_at_its_time_out_a_hook_ends_with_all_it_started() -> None:
    """What it said before is told."""
    begin = time.monotonic()
    end = ran("sleep 60 & echo $!; echo waiting; wait", timeout=0.5)
    assert time.monotonic() - begin < 50
    assert end.timed_out
    assert not end.succeeded
    pid, said = end.output.split()
    assert said == "waiting"
    assert not is_alive(int(pid))


def test_a_hook_may_clean_up_at_its_time_out() -> None:
    """It is asked before it is killed."""
    end = ran("trap 'echo cleaned; exit 0' TERM; echo begun; while :; do sleep 0.05; done", timeout=0.5)
    assert end.timed_out
    assert end.output.startswith("begun\n")
    assert end.output.endswith("cleaned\n")


def test_a_hook_that_does_not_listen_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    """After a grace, of five seconds in earnest."""
    monkeypatch.setattr("dnsbroker.deploying.hooks._GRACE", 0.3)
    end = ran("trap '' TERM; echo $$; while :; do sleep 0.05; done", timeout=0.3)
    assert end.timed_out
    assert end.status == 128 + signal.SIGKILL
    assert not is_alive(int(end.output))


def test_a_cancelled_run_takes_its_hook_along(tmp_path: Path) -> None:
    """Nothing of it is alive when the cancellation comes through."""

    async def cancelled() -> None:
        task = asyncio.ensure_future(run_hook(f"echo $$ > {tmp_path}/pid; sleep 60; true", ENVIRONMENT, 60.0))
        while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
            await asyncio.wait({task}, timeout=0.02)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    assert not is_alive(int((tmp_path / "pid").read_text()))


@pytest.mark.parametrize("environment", [{"A": "x" * 200_000}, {"A": "\0"}])
def test_a_hook_that_cannot_be_started_is_a_failed_hook(environment: dict[str, str]) -> None:
    """The system's reason is its output."""
    end = asyncio.run(run_hook("true", environment, 20.0))
    assert end.status == 126
    assert end.output.startswith("cannot be started: ")


def test_lines_of_output_can_be_shown_on_a_terminal() -> None:
    """No control sequence gets through; tabs and other scripts do."""
    assert lines_of("a\x1b[31m\n\n\tb\u00fccher  \r\n") == ["a?[31m", "\tbücher"]

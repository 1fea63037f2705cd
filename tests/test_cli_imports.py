"""What starting the program costs: help and version next to nothing, a command what it needs when it runs."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("acme", "josepy", "httpx", "rich", "cryptography", "tenacity")
NETWORK = ("dns", "asyncio", "idna", "ssl", "sqlite3")
#: What the first request imports.
REQUEST = "import dnsbroker.transport.client"


def imported(code: str) -> set[str]:
    """The modules that are there after ``code``."""
    program = f"import sys\n{code}\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    return set(done.stdout.splitlines()[-1].split())


def call(*arguments: str) -> str:
    """Code that calls the command line."""
    return f"from dnsbroker.cli import main\nmain({list(arguments)!r})"


@pytest.mark.parametrize(
    "code",
    [
        "import dnsbroker",
        "import dnsbroker.cli",
        "import dnsbroker.cli.program",
        call("--version"),
        call("--help"),
        call("issue", "--help"),
        call("txt", "present", "--help"),
        call("config", "--help"),
    ],
)
def test_help_and_version_import_nothing_that_is_heavy(code: str) -> None:
    """Neither a library with a door of its own nor what it takes to speak to a network."""
    assert imported(code).isdisjoint((*HEAVY, *NETWORK))


@pytest.mark.parametrize(
    "module", ["certificates", "configuration", "exit_status", "options", "output", "records", "story", "streams"]
)
def test_importing_any_part_of_the_command_line_imports_nothing_that_is_heavy(module: str) -> None:
    """The work is behind the call of a command."""
    assert imported(f"import dnsbroker.cli.{module}").isdisjoint(HEAVY)


@pytest.mark.parametrize(
    "code", [call("isue"), call("config", "example", "--all"), call("--config", "no.toml", "config", "check")]
)
def test_what_needs_no_network_imports_no_heavy_library(code: str) -> None:
    """Neither to say that a call is wrong, nor for what concerns the configuration alone."""
    assert imported(code).isdisjoint((*HEAVY, "dns", "sqlite3"))


def test_what_is_imported_is_seen() -> None:
    """The twin: with a name of the library, all of it is there."""
    assert imported(f"from dnsbroker import Broker\n{REQUEST}") >= {"acme", "httpx", "cryptography", "dns", "asyncio"}


def test_a_run_imports_no_live_table() -> None:
    """Rich and click would come along with httpx, for a command line of its own; nothing of that is left behind."""
    there = imported(f"from dnsbroker import Broker\n{REQUEST}")
    assert there.isdisjoint({"rich", "click", "httpx._main"})
    assert "httpx._main" in imported(f"import httpx\n{REQUEST}")

"""The test lab for the tests in here: one for the whole session, brought back to its beginning for each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from cloudflare.delegated import Delegated
from dnsbroker.environment import variables
from lab.rig import Lab
from lab.topology import is_inside
from program import Program

HOW_TO_RUN = "needs the test lab in its private namespace: run `make test`"


@pytest.fixture(scope="session")
def namespace() -> None:
    """Being inside the private namespace; outside it the test fails under CI, and is skipped elsewhere."""
    if not is_inside():
        (pytest.fail if variables().get("CI") == "true" else pytest.skip)(HOW_TO_RUN)


@pytest.fixture(scope="session")
def running_lab(namespace: None) -> Iterator[Lab]:
    """The lab of this session."""
    with Lab() as lab:
        yield lab


@pytest.fixture
def lab(running_lab: Lab) -> Lab:
    """The lab as it was at the start: all servers up and behaving, every zone as it was, no cache filled."""
    running_lab.clean()
    return running_lab


@pytest.fixture
def cloudflare(lab: Lab) -> Iterator[Delegated]:
    """A Cloudflare whose zones the lab's root delegates; it ends with the test, which fails if its API was misused."""
    with Delegated(lab) as service:
        yield service


@pytest.fixture
def configure(lab: Lab, tmp_path: Path) -> Callable[..., Path]:
    """Write a dnsbroker.toml for the lab with a fresh state directory: ``configure(certificates, overrides)``.

    Certificates are ``{name: names}``; overrides are merged in table by table. Gives back the file's path.
    """

    def write(
        certificates: Mapping[str, Sequence[str]] | None = None, overrides: Mapping[str, object] | None = None
    ) -> Path:
        file = tmp_path / "dnsbroker.toml"
        file.touch(mode=0o600)
        file.write_text(lab.config(tmp_path / "state", certificates=certificates, overrides=overrides))
        return file

    return write


@pytest.fixture
def program(configure: Callable[..., Path]) -> Callable[..., Program]:
    """The installed program with a configuration as ``configure`` writes it: ``program(certificates)("renew")``."""

    def configured(
        certificates: Mapping[str, Sequence[str]] | None = None, overrides: Mapping[str, object] | None = None
    ) -> Program:
        return Program(configure(certificates, overrides))

    return configured

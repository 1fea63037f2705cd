"""What deploying a certificate consists of, by the configuration: the names under which the journal knows each step.

Pure. A step's name says what is done and to what, so that a changed configuration has other steps.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dnsbroker.config import CertificateConfig
from dnsbroker.config.certificate import CopyConfig

#: In the order in which a program should find new ones: whoever watches for a change watches the certificate.
SINGLE = ("combined", "key", "chain", "cert", "fullchain")


def steps(certificate: CertificateConfig) -> tuple[str, ...]:
    """Every step, in the order in which they are taken; none twice."""
    named = (
        *(copy_step(copy) for copy in certificate.copies),
        *(hook_step(command) for command in certificate.deploy_hooks),
        *(reload_step(unit) for unit in certificate.reload),
        *(post_step(command) for command in certificate.post_hooks),
        *(verify_step(endpoint) for endpoint in certificate.verify),
    )
    return tuple(dict.fromkeys(named))


def copy_step(copy: CopyConfig) -> str:
    """To a directory, or to a path each."""
    return f"copy {', '.join(str(path) for path in (copy.to, *single(copy).values()) if path)}"


def single(copy: CopyConfig) -> dict[str, Path]:
    """The path of each file that is copied alone, by what it holds."""
    paths = {what: getattr(copy, what) for what in SINGLE}
    return {what: path for what, path in paths.items() if path is not None}


def hook_step(command: str) -> str:
    """A deploy hook."""
    return f"hook {command}"


def reload_step(unit: str) -> str:
    """A unit of systemd."""
    return f"reload {unit}"


def post_step(command: str) -> str:
    """A post hook."""
    return f"post {command}"


def verify_step(endpoint: str) -> str:
    """A look at what an endpoint serves."""
    return f"verify {endpoint}"


@dataclass(frozen=True)
class Failed:
    """A step that failed: why, and what to do about it."""

    step: str
    message: str
    hint: str = ""

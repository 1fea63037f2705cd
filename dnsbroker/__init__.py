"""DNS for ACME and DANE: wildcard certificates by dns-01 that wait for every authoritative server.

What is in ``__all__`` follows semantic versioning. Every name is imported when it is first used, so that a program
that only asks for the version pays for nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from dnsbroker import tlsa
    from dnsbroker.broker import Broker, Certificate
    from dnsbroker.certifying import Outcome, Wishes
    from dnsbroker.config import Config
    from dnsbroker.errors import BrokerError

__all__ = ["Broker", "BrokerError", "Certificate", "Config", "Outcome", "Wishes", "__version__", "tlsa"]

_HOMES = {
    "Broker": "dnsbroker.broker",
    "Certificate": "dnsbroker.broker",
    "Config": "dnsbroker.config",
    "Outcome": "dnsbroker.certifying",
    "Wishes": "dnsbroker.certifying",
    "BrokerError": "dnsbroker.errors",
}


def __getattr__(name: str) -> object:
    """Import a public name from its home on first use (PEP 562)."""
    from importlib import import_module

    if name == "tlsa":
        return import_module("dnsbroker.tlsa")
    if name not in _HOMES:
        raise AttributeError(f"module 'dnsbroker' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)

"""ACME (RFC 8555) for dns-01: a thin asynchronous client around the messages and signatures of the acme library.

This package is the door to acme and josepy. It is slow to import and is imported when an order is made, never at
start-up. Not here: DNS, files, and what to do when.
"""

from dnsbroker.acme.accounts import AccountFacts
from dnsbroker.acme.binding import Binding
from dnsbroker.acme.chains import preferred
from dnsbroker.acme.client import Client
from dnsbroker.acme.directory import Directory
from dnsbroker.acme.orders import Authorization, Dns01, Order
from dnsbroker.acme.renewal import RenewalInfo
from dnsbroker.acme.signing import key_from_jwk

__all__ = [
    "AccountFacts",
    "Authorization",
    "Binding",
    "Client",
    "Directory",
    "Dns01",
    "Order",
    "RenewalInfo",
    "key_from_jwk",
    "preferred",
]

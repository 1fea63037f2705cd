"""ACME (RFC 8555) for dns-01: a thin asynchronous client around the messages and signatures of the acme library.

This package is the door to acme and josepy. It is slow to import and is imported when an order is made, never at
start-up. Not here: DNS, files, account binding, renewal information, revocation.
"""

from dnsbroker.acme.client import Client
from dnsbroker.acme.directory import Directory
from dnsbroker.acme.orders import Authorization, Dns01, Order

__all__ = ["Authorization", "Client", "Directory", "Dns01", "Order"]

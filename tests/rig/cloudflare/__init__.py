"""A faithful Cloudflare: its DNS API on loopback, held against the published description, without or with name servers.

    with Cloudflare() as cloudflare:                       # plain loopback, no root, no name server
        zone = cloudflare.add_zone("example.com")          # plan="pro", status="pending", account=Account("Other") …
        token = cloudflare.add_token()                     # all rights; zone_read=only(zone), dns_edit=NONE, status=…
        cloudflare.url, token.secret                       # base_url and api_token of the adapter
        key = cloudflare.add_key("me@example.org")         # key.email, key.key: the global key
        cloudflare.plant(zone, "_acme-challenge", "TXT", '"quoted"', "bare")    # behind the client's back
        cloudflare.plant(zone, "_25._tcp.mx", "TLSA", "3 1 1 ab…")
        cloudflare.see(zone, "_acme-challenge", "TXT")     # Entry values: content, ttl, comment, id …
        cloudflare.texts(zone, "_acme-challenge")          # TXT values without quotes
        cloudflare.fail_next(BAD_GATEWAY, "POST", "/batch")            # or SILENCE_AFTER, PHANTOM, errors(400, 81058) …
        cloudflare.requests, cloudflare.changing           # Seen: method, path, query, headers, body, status
        cloudflare.service.limit.requests = 5              # the rate limit; limit.clock is a test's own clock
        cloudflare.skew = 600.0                            # its Date is ten minutes ahead

It may be used from plain tests and from inside an event loop: it lives in a thread of its own. Names are without
trailing dots. When the context ends, ``violations`` must be empty: requests (and replies) that the description does
not allow. ``forgive()`` empties it for a foreign client. In the lab, with name servers: ``cloudflare.delegated``.

Rule: what is not in the description is a rule written by hand that cites its row of README.md. Refused:
everything beyond zones, records and the token's own check.
"""

from __future__ import annotations

from cloudflare.credentials import ALL, NONE, GlobalKey, Scope, Token, only
from cloudflare.faults import (
    BAD_GATEWAY,
    BAD_GATEWAY_AFTER,
    CLOSED,
    CLOSED_AFTER,
    NOT_JSON,
    PHANTOM,
    SILENCE,
    SILENCE_AFTER,
    WEB_SERVER_DOWN,
    Fault,
    errors,
    page,
    throttle,
)
from cloudflare.server import Cloudflare, Seen
from cloudflare.zones import Account, Entry, Zone

__all__ = [
    "ALL",
    "BAD_GATEWAY",
    "BAD_GATEWAY_AFTER",
    "CLOSED",
    "CLOSED_AFTER",
    "NONE",
    "NOT_JSON",
    "PHANTOM",
    "SILENCE",
    "SILENCE_AFTER",
    "WEB_SERVER_DOWN",
    "Account",
    "Cloudflare",
    "Entry",
    "Fault",
    "GlobalKey",
    "Scope",
    "Seen",
    "Token",
    "Zone",
    "errors",
    "only",
    "page",
    "throttle",
]

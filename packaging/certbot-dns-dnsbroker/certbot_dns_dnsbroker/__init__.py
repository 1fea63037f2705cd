"""A certbot plugin: challenges are published, watched and taken back by the program dnsbroker.

Rule: certbot loads every plugin for each of its commands, so nothing here is imported but certbot and Python's own.
Refused: importing dnsbroker, whose libraries an older certbot could not live with.
"""

from __future__ import annotations

"""Certificates as other ACME clients keep them on disk: found in a directory of theirs, read, and never written."""

from __future__ import annotations

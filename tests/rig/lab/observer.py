"""Watch what several servers have at one name, faster than anything under test does.

Rule: it looks at each address by itself, in a thread of its own, and notes only changes, each with the time of the
monotonic clock at which it was first seen. Refused: judging; a test asks its history.
"""

from __future__ import annotations

import contextlib
import secrets
import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import dns.exception
import dns.flags
import dns.message

from lab import wire

INTERVAL = 0.01


@dataclass(frozen=True)
class Sighting:
    """From ``at`` (monotonic clock) a server had exactly these values."""

    at: float
    values: frozenset[str]


class Observer:
    """Looks at ``name`` at each of ``addresses`` (label to address) every 10 ms; a context manager.

    Times are seconds of the monotonic clock, which all processes of a host share.
    """

    def __init__(
        self, name: str, addresses: Mapping[str, str], *, record_type: str = "TXT", interval: float = INTERVAL
    ) -> None:
        self.name = name
        self.record_type = record_type
        self._interval = interval
        self._stopping = threading.Event()
        self.history: dict[str, list[Sighting]] = {label: [] for label in addresses}
        self._threads = [
            threading.Thread(target=self._watch, args=[label, address], name=f"observe-{label}", daemon=True)
            for label, address in addresses.items()
        ]

    def first(self, seen: Callable[[frozenset[str]], bool], *, after: float = 0.0) -> dict[str, float | None]:
        """For each server, when it first had a set of values, not before ``after``, for which ``seen`` is true."""
        return {
            label: next((one.at for one in sightings if one.at >= after and seen(one.values)), None)
            for label, sightings in self.history.items()
        }

    def everywhere(self, seen: Callable[[frozenset[str]], bool], *, after: float = 0.0) -> float | None:
        """When the last of the servers first had such a set of values; None if one never had."""
        times = [moment for moment in self.first(seen, after=after).values() if moment is not None]
        return max(times) if times and len(times) == len(self.history) else None

    def having(self, *values: str) -> Callable[[frozenset[str]], bool]:
        """The question whether all these values are there, whatever else is."""
        return lambda present: present.issuperset(values)

    def lacking(self, *values: str) -> Callable[[frozenset[str]], bool]:
        """The question whether none of these values is there."""
        return lambda present: present.isdisjoint(values)

    def _watch(self, label: str, address: str) -> None:
        query = dns.message.make_query(self.name, self.record_type, use_edns=0, payload=1232)
        query.flags = dns.flags.Flag(0)
        question, previous = query.to_wire()[2:], b""
        with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as channel:
            channel.connect((address, 53))
            channel.settimeout(0.25)
            while not self._stopping.wait(self._interval):
                with contextlib.suppress(OSError, dns.exception.DNSException):
                    previous = self._look(label, channel, question, previous)

    def _look(self, label: str, channel: socket.socket, question: bytes, previous: bytes) -> bytes:
        """Ask once and note an answer that is not the ``previous`` one; the octets to compare the next with."""
        answer = _exchange(channel, question)
        if answer[2:] != previous:
            self._note(label, answer)
        return answer[2:]

    def _note(self, label: str, answer: bytes) -> None:
        found = dns.message.from_wire(answer)
        present = frozenset(wire.values_in(found, self.name, self.record_type))
        sightings = self.history[label]
        if not sightings or sightings[-1].values != present:
            sightings.append(Sighting(time.monotonic(), present))

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        for thread in self._threads:
            thread.join()


def _exchange(channel: socket.socket, question: bytes) -> bytes:
    """One answer to one question; late answers to earlier questions are passed over."""
    identifier = secrets.token_bytes(2)
    channel.send(identifier + question)
    while True:
        answer = channel.recv(65535)
        if answer[:2] == identifier:
            return answer

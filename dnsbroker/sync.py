"""The plain front of the library: a Broker's methods without ``await``.

It runs an event loop of its own in the calling thread, only while a method runs. It sets no signal handler; a
KeyboardInterrupt ends the method that runs, DNS clean.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, TypeVar

from dnsbroker.broker import Broker, Certificate
from dnsbroker.certifying import Wishes
from dnsbroker.knowing import Health
from dnsbroker.revoking import Revocation, Revoked

if TYPE_CHECKING:
    from dnsbroker.doctor import Diagnosis

T = TypeVar("T")


class SyncBroker:
    """A Broker for programs without an event loop; a context manager. Made by ``Broker.sync``."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._loop = asyncio.new_event_loop()

    def __enter__(self) -> SyncBroker:
        try:
            self._await(self._broker.__aenter__())
        except BaseException:
            self._loop.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._await(self._broker.__aexit__(kind, error, trace))
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
        finally:
            self._loop.close()

    def issue(
        self, name: str = "", *, names: Sequence[str] = (), wishes: Wishes | None = None, **settings: object
    ) -> Certificate:
        """See ``Broker.issue``."""
        return self._await(self._broker.issue(name, names=names, wishes=wishes, **settings))

    def renew(self, name: str, *, wishes: Wishes | None = None) -> Certificate:
        """See ``Broker.renew``."""
        return self._await(self._broker.renew(name, wishes=wishes))

    def revoke(self, name: str, revocation: Revocation | None = None) -> Revoked:
        """See ``Broker.revoke``."""
        return self._await(self._broker.revoke(name, revocation))

    def status(self, name: str) -> Health:
        """See ``Broker.status``."""
        return self._await(self._broker.status(name))

    def certificates(self) -> tuple[Certificate, ...]:
        """See ``Broker.certificates``."""
        return self._broker.certificates()

    @contextmanager
    def published(self, values: Mapping[str, Sequence[str]]) -> Iterator[None]:
        """See ``Broker.published``."""
        standing = self._broker.published(values)
        self._await(standing.__aenter__())
        try:
            yield
        except BaseException as error:
            self._await(standing.__aexit__(type(error), error, error.__traceback__))
            raise
        else:
            self._await(standing.__aexit__(None, None, None))

    def collect_garbage(self) -> int:
        """See ``Broker.collect_garbage``."""
        return self._await(self._broker.collect_garbage())

    def doctor(self, names: Sequence[str] = (), *, fix: bool = False) -> Diagnosis:
        """See ``Broker.doctor``."""
        return self._await(self._broker.doctor(names, fix=fix))

    def _await(self, work: Coroutine[object, object, T]) -> T:
        task = self._loop.create_task(work)
        try:
            return self._loop.run_until_complete(task)
        except KeyboardInterrupt:
            task.cancel()
            self._loop.run_until_complete(asyncio.gather(task, return_exceptions=True))
            raise

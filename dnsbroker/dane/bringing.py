"""DNS brought to what is wanted, one harmless change at a time, each followed by a look.

Rule: one process at a time decides and writes; what was decided is decided anew from what is there then. A trouble with
one owner name stops nothing at another.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from dnsbroker.clock import Clock, Deadline
from dnsbroker.config import Config
from dnsbroker.dane.places import Post
from dnsbroker.dane.preflight import Preflight
from dnsbroker.dane.publishing import Standing, Writing
from dnsbroker.dane.scenes import Scene, Wish
from dnsbroker.dane.sighting import Map, Sighting
from dnsbroker.dane.subjects import Subjects
from dnsbroker.errors import BrokerError, NoProvider, NotPropagated, PreflightFailed, StoreError
from dnsbroker.events import Emitter
from dnsbroker.journal import FileLock
from dnsbroker.names import shown
from dnsbroker.rolling import Act, Change, change, move
from dnsbroker.tasks import all_through
from dnsbroker.tlsa.records import Tlsa

_MOST_ROUNDS = 12
#: Seconds for which a late server is waited for where nobody asked: a later look will find it, and begin its clocks.
_PATIENCE = 30.0
_MISPLACED = "take it out of addresses in [[dane]], for no roll-over ends without it"


@dataclass(frozen=True)
class Asked:
    """What a call asks for: ``adopt`` what is served, and ``is_publishing``, since a person wants records to stand."""

    references: tuple[str, ...]
    wishes: Mapping[str, Wish] = field(default_factory=dict)
    adopt: bool = False
    is_publishing: bool = False


@dataclass
class Outcome:
    """What came of it, by owner name: the changes ``made``, in their order, ``objections`` in words, ``errors``."""

    scene: Scene
    made: dict[str, list[Change]] = field(default_factory=dict)
    objections: dict[str, tuple[str, ...]] = field(default_factory=dict)
    errors: dict[str, BrokerError] = field(default_factory=dict)


class Bringing:
    """Looks, writes, waits and looks again, for one run. One that is only ``is_looking`` looks."""

    def __init__(
        self,
        config: Config,
        sighting: Sighting,
        writing: Writing,
        preflight: Preflight,
        subjects: Subjects,
        clock: Clock,
        emit: Emitter,
        *,
        is_looking: bool,
    ) -> None:
        self._config = config
        self._sighting = sighting
        self._writing = writing
        self._preflight = preflight
        self._subjects = subjects
        self._clock = clock
        self._emit = emit
        self._is_looking = is_looking
        self._told: set[str] = set()

    async def bring(self, map: Map, posts: Collection[Post], asked: Asked) -> Outcome:
        """Have what is wanted stand at ``posts``, and what is old and may go be gone. Raises StoreError."""
        outcome: Outcome | None = None
        for _ in range(_MOST_ROUNDS):
            async with self.alone():
                scene = await self._sighting.scene(posts, map.doubtful)
                outcome = replace(outcome, scene=scene) if outcome else Outcome(scene)
                written = {} if self._is_looking else await self._round(outcome, asked)
            written = written or self._late(outcome, asked)
            if not written:
                break
            await self._wait(outcome, written, asked)
        assert outcome is not None  # noqa: S101 - for the type checker
        return outcome

    async def _round(self, outcome: Outcome, asked: Asked) -> dict[str, frozenset[Tlsa]]:
        """Make the next keys that are wanted, then the next change at each post; what was added, by owner name."""
        if self._stage(outcome.scene, asked):
            outcome.scene = self._sighting.again(outcome.scene)
        posts = [post for post in outcome.scene.posts if post.owner not in outcome.errors]
        done = await all_through(self._change(outcome, post, asked) for post in posts)
        written = {post.owner: made.add for post, made in zip(posts, done, strict=True) if made is not None}
        for post, made in zip(posts, done, strict=True):
            if made is not None:
                outcome.made.setdefault(post.owner, []).append(made)
        if written:
            outcome.scene = self._sighting.again(outcome.scene)
        return written

    def _stage(self, scene: Scene, asked: Asked) -> bool:
        """Make the next key of each certificate that is to have one; whether any was made. Raises StoreError."""
        names = [name for name in asked.references if scene.subjects.get(name) and name in self._config.certificates]
        wanting = [
            name for name in names if move(scene.situation(name, asked.wishes.get(name, Wish()))).act is Act.STAGE
        ]
        for name in wanting:
            self._subjects.stage(name, self._config.certificates[name].key_type, self._clock.now().timestamp())
        return bool(wanting)

    def _late(self, outcome: Outcome, asked: Asked) -> dict[str, frozenset[Tlsa]]:
        """What is not everywhere yet of what a person wants published, by owner name, though all is written."""
        if not asked.is_publishing:
            return {}
        scene = outcome.scene
        missing = {
            post.owner: scene.wanted(post, adopt=asked.adopt) - scene.memories[post.owner].everywhere
            for post in scene.posts
            if post.owner not in outcome.errors and scene.memories[post.owner].anywhere
        }
        return {owner: records for owner, records in missing.items() if records}

    async def _change(self, outcome: Outcome, post: Post, asked: Asked) -> Change | None:
        """Make the next change at ``post``; None where there is none, and why is in ``outcome``."""
        try:
            return await self._made(outcome, post, asked)
        except StoreError:
            raise
        except NoProvider as error:
            if not post.is_beside:
                outcome.errors[post.owner] = error
            self._tell(f"no records are kept at {shown(post.owner)}: {error.message}", error.hint)
        except BrokerError as error:
            outcome.errors[post.owner] = error
        return None

    async def _made(self, outcome: Outcome, post: Post, asked: Asked) -> Change | None:
        scene = outcome.scene
        if post.lost:
            told = f"its records there, which nothing leads to any more, cannot be taken away: {post.lost}"
            outcome.objections[post.owner] = (told,) if scene.ours[post.owner] else ()
            return None
        present = scene.memories[post.owner].anywhere
        seen = self._decided(scene, post, asked, present)
        outcome.objections[post.owner] = seen.objections
        lacking = scene.wanted(post, adopt=asked.adopt) - scene.memories[post.owner].common
        is_right = not (lacking or seen.remove or seen.objections or self._orphans(scene, post, asked, present))
        if is_right and not self._phantoms(scene, post, asked):
            return None
        standing = await self._writing.standing(post)
        self._adopt(scene, standing, asked)
        await self._writing.clear(post.owner, self._phantoms(scene, post, asked) - standing.records)
        wanted = self._decided(scene, post, asked, standing.records)
        outcome.objections[post.owner] = wanted.objections
        if not (wanted.add or wanted.remove):
            self._refuse(scene, standing, asked, wanted)
            return None
        if wanted.add:
            await self._check(scene, standing, asked, wanted)
        await self._writing.apply(standing, wanted)
        return wanted

    def _decided(
        self,
        scene: Scene,
        post: Post,
        asked: Asked,
        present: frozenset[Tlsa],
        passing: frozenset[frozenset[Tlsa]] | None = None,
    ) -> Change:
        """The next change at ``post``, where ``present`` stands; ``passing``: by default what servers may yet have."""
        served, unseen = scene.presented(post)
        wanted = scene.wanted(post, adopt=asked.adopt)
        passing = scene.memories[post.owner].passing if passing is None else passing
        ours = self._writing.ours(post.owner)
        kept, live = scene.kept(post), scene.live(post)
        return change(wanted, ours, present, served, unseen, keep=kept, live=live, passing=passing)

    def _orphans(self, scene: Scene, post: Post, asked: Asked, there: frozenset[Tlsa]) -> frozenset[Tlsa]:
        """What is wanted and there, and will not stay, or will stay when it is not wanted any more: no lease holds it.

        A CA's record that was there before is left to whoever wrote it; one that we tried to write is ours.
        """
        mine = scene.own_keys(post) | self._writing.ours(post.owner)
        return (scene.wanted(post, adopt=asked.adopt) & there & mine) - self._writing.held(post.owner)

    def _phantoms(self, scene: Scene, post: Post, asked: Asked) -> frozenset[Tlsa]:
        """What a lease of ours speaks of, nobody wants, and no server has: a dead run's, or a person took it out."""
        memory = scene.memories[post.owner]
        missing = self._writing.ours(post.owner) - scene.wanted(post, adopt=asked.adopt) - memory.anywhere
        return missing if memory.is_settled else frozenset()

    def _adopt(self, scene: Scene, standing: Standing, asked: Asked) -> None:
        orphans = self._orphans(scene, standing.post, asked, standing.records)
        if orphans:
            self._writing.adopt(standing, orphans)

    def _refuse(self, scene: Scene, standing: Standing, asked: Asked, wanted: Change) -> None:
        """Raise PreflightFailed where something that is wanted is not written, since it would do harm.

        NotPropagated where it would not, but waits for a late server, and a person asked; else a later look goes on.
        """
        owner = standing.post.owner
        lacking = scene.wanted(standing.post, adopt=asked.adopt) - standing.records
        if not lacking:
            return
        told = f"{shown(owner)}: {'; '.join(wanted.objections)}"
        if not self._decided(scene, standing.post, asked, standing.records, passing=frozenset()).add:
            check, hint = self._cure(scene, standing)
            raise PreflightFailed(told, name=owner, checks=[check], hint=hint)
        if asked.is_publishing:
            given = [view for view in scene.memories[owner].views if view.is_given]
            raise NotPropagated(
                told,
                name=owner,
                expected=sorted(map(str, lacking)),
                seen_by_server={view.server: ", ".join(sorted(map(str, view.records))) for view in given},
                waited=0.0,
                hint="come again once every name server has what was written last",
            )

    def _cure(self, scene: Scene, standing: Standing) -> tuple[str, str]:
        """The word for why nothing is added, and what to do."""
        _, unseen = scene.presented(standing.post)
        if unseen:
            return (
                "not-seen",
                "is the service up, does it offer TLS there, and may this host connect? else set connect in [[dane]]",
            )
        services = " ".join(service.endpoint.shown() for service in standing.post.services)
        return (
            "not-served",
            f"`dnsbroker tlsa publish --adopt {services}` also publishes what is served, whosever key it is",
        )

    async def _check(self, scene: Scene, standing: Standing, asked: Asked, wanted: Change) -> None:
        """Raise PreflightFailed where what would be added fails clients, or has no effect."""
        post = standing.post
        self._preflight.check_records(post, standing.records | wanted.add, scene.subjects.values(), standing.ttl)
        if asked.is_publishing or not self._writing.ours(post.owner) & standing.records:
            await self._preflight.check_names(post)

    async def _wait(self, outcome: Outcome, written: Mapping[str, frozenset[Tlsa]], asked: Asked) -> None:
        """Wait until what was added is everywhere; a server that is late is an error where a person asked."""
        patience = float(self._config.propagation.timeout)
        deadline = Deadline.after(self._clock, patience if asked.is_publishing else min(patience, _PATIENCE))
        posts = {post.owner: post for post in outcome.scene.posts}

        async def wait(owner: str) -> None:
            try:
                await self._writing.everywhere(posts[owner], written[owner], deadline)
            except NotPropagated as error:
                if asked.is_publishing:
                    outcome.errors[owner] = error
                self._tell(error.message, error.hint)

        await all_through(wait(owner) for owner in written if written[owner])

    def _tell(self, message: str, hint: str) -> None:
        if message not in self._told:
            self._told.add(message)
            self._emit("warning", message=message, hint=hint)

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """While no other process, nor task, decides or writes for DANE. Raises StoreError where one does too long."""
        if self._is_looking:
            yield
            return
        path: Path = self._config.state_dir / "locks" / "dane"
        lock = FileLock(path)
        if not await lock.acquire(self._clock, Deadline.after(self._clock, self._config.propagation.timeout)):
            told = f"another dnsbroker (pid {lock.holder()}) is at work on TLSA records"
            raise StoreError(told, path=str(path), hint="look what that process waits for")
        try:
            yield
        finally:
            lock.release()


def objections(outcome: Outcome, posts: Sequence[Post]) -> tuple[str, ...]:
    """Everything that is said against what is configured at ``posts``, each with its owner name."""
    return tuple(
        f"{shown(post.owner)}: {words}"
        for post in posts
        for words in (*outcome.objections.get(post.owner, ()), *_misplaced(outcome.scene, post))
    )


def lasting(said: Sequence[str], error: BrokerError | None) -> tuple[str, ...]:
    """What a person has to see to until it is mended: a refusal with its cure, and what of ``said`` is not in it."""
    if not isinstance(error, PreflightFailed):
        return tuple(said)
    head = f"{shown(error.name)}: "
    others = (words for words in said if not words.startswith(head) or words.removeprefix(head) not in error.message)
    return (*others, f"{error.message}; {error.hint}")


def _misplaced(scene: Scene, post: Post) -> Iterator[str]:
    """The addresses that a table names, and that its endpoint does not have: no roll-over would end, in words."""
    for service in post.services:
        presence = scene.presences.get(str(service.endpoint))
        known = {*presence.chains, *presence.unseen} if presence is not None else set()
        is_known = bool(known) and service.endpoint.host not in known and not any(one.connect for one in service.tables)
        if is_known and not service.is_withdrawn:
            named = dict.fromkeys(address for table in service.tables for address in table.addresses)
            missing = (address for address in named if address not in known)
            told = f"{service.endpoint.shown()} has no address"
            yield from (f"{told} {address}, which its table names: {_MISPLACED}" for address in missing)

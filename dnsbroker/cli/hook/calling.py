"""From a client's words to what comes of them: read, answered from the journal alone where that will do, or done.

What a client would lose by our failing fails for people only: they are told, and the status is 0. All is silent where
all is well, for clients and cron take whatever a hook says for trouble.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from importlib import import_module
from typing import TYPE_CHECKING

from dnsbroker.cli import exit_status
from dnsbroker.cli.hook.challenge import Declined
from dnsbroker.cli.options import Options
from dnsbroker.cli.output import Failure, Output, Result, failed
from dnsbroker.clock import SystemClock
from dnsbroker.config import Config
from dnsbroker.environment import variables
from dnsbroker.errors import BrokerError
from dnsbroker.events import Emitter, Listener
from dnsbroker.hooking import Answer, at_once, perform
from dnsbroker.hooking.calls import Call, Cleanup, Deploy, Refused, Stumbled

if TYPE_CHECKING:
    from dnsbroker.run import Run


def answer(
    options: Options, client: str, arguments: Sequence[str], *, wait: bool = True, ignore: Sequence[str] = ()
) -> int:
    """Do what ``client`` asks for by ``arguments``, and print what comes of it; returns the exit status.

    Without ``wait``, values are only written, and the client does the waiting. Name servers to ``ignore`` (names or
    addresses) are not waited for.
    """
    options.terse = True
    command = named(client, arguments)
    output = Output(options, command)
    try:
        call = _read(client, arguments)
    except BrokerError as error:
        return _end(output, failed(error))
    if call is None:
        return _end(output, Result())
    if isinstance(call, Declined):
        if options.verbose:
            output.story(call.reason)
        return _end(output, Result(status=exit_status.FAILED))
    try:
        config = Config.load(options.config or None).ignoring(ignore)
        known = at_once(call, config, SystemClock())
    except BrokerError as error:
        return _end(output, _result(call, Answer(failures=[error])))
    if known is not None:
        _tell(known, Emitter(SystemClock(), output.event))
        return _end(output, _result(call, known))
    return _conduct(options, command, call, config, wait=wait)


def named(client: str, arguments: Sequence[str]) -> str:
    """What the call is called in results and in the history, such as ``hook dehydrated deploy_challenge``."""
    word = arguments[0] if arguments and arguments[0].isidentifier() and arguments[0].isascii() else ""
    return f"hook {client} {word}".rstrip()


def _read(client: str, arguments: Sequence[str]) -> Call | Declined | None:
    call: Call | Declined | None
    call = import_module(f"dnsbroker.cli.hook.{client.replace('.', '')}").call(arguments, variables())
    return call


def _conduct(options: Options, command: str, call: Call, config: Config, *, wait: bool) -> int:
    """Do it with a run of its own, opened inside: where that fails, it may be for people alone."""
    from dnsbroker.cli.running import conduct
    from dnsbroker.run import recorded

    async def work(listener: Listener) -> Result:
        run = recorded(config, SystemClock(), listener, command)
        try:
            async with run:
                found = await _performed(call, run, wait=wait)
                _tell(found, run.emit)
        except BrokerError as error:
            found = Answer(failures=[error])
        return _result(call, found, run)

    return conduct(options, command, nullcontext, work)


async def _performed(call: Call, run: Run, *, wait: bool) -> Answer:
    try:
        return await perform(call, run, wait=wait)
    except BrokerError as error:
        return Answer(failures=[error])


def _tell(answer: Answer, emit: Emitter) -> None:
    """Tell what is for people alone, and keep why a call failed: its client may have kept it to itself."""
    for line in answer.told:
        emit("warning", message=line)
    for error in answer.failures:
        emit("failed", error=Failure(error).described())


def _result(call: Call, answer: Answer, run: Run | None = None) -> Result:
    status = exit_status.gravest(exit_status.of(error) for error in answer.failures)
    return Result(
        status=0 if _is_forgiving(call) else status,
        changed=answer.changed or (run is not None and run.changed),
        lines=[answer.line] if answer.line else [],
        failures=[Failure(error) for error in answer.failures],
        fields={"line": answer.line} if answer.line else {},
    )


def _is_forgiving(call: Call) -> bool:
    """Whether the client would lose more than was lost already."""
    match call:
        case Cleanup():
            return call.is_forgiving
        case Deploy():
            return not call.is_heeded
        case Stumbled() | Refused():
            return True
    return False


def _end(output: Output, result: Result) -> int:
    output.end(result)
    return result.status

"""The tree of commands, and how one is run: exit code 0 done, 1 failed, 2 wrong usage, 130 interrupted."""

import errno
import inspect
import os
import sys
import traceback
from collections.abc import Callable, Coroutine, Iterator, Sequence
from importlib import metadata
from pathlib import PurePath
from types import ModuleType, TracebackType

from cyclopts import App, CycloptsError, Group

from syncer.cli import (
    calendar,
    check,
    completion,
    conference,
    config,
    demo,
    keys,
    migrate,
    plan,
    project,
    run,
    simulate,
    tenant,
    tenant_key,
)
from syncer.cli.output import as_sentence, say
from syncer.model.errors import OperatorError, StoreRefused, StoreUnavailable, SyncerError

_INTERRUPTED = 130
_LAST = 100
# What writing fails with when the place is full or gone.
_UNWRITABLE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF})


def application() -> App:
    """All commands, in the groups and the order in which help lists them."""
    app = App(
        name="syncer",
        help="Keeps video meetings in step with Google Calendar.\n\nStart with: syncer demo",
        help_format="plaintext",
        version=lambda: metadata.version("syncer"),
    )
    about = Group("About it", sort_key=9)
    for flag in ("--help", "--version"):
        app[flag].group = about
    for place, (title, leaves, nouns) in enumerate(_groups()):
        group = Group(title, sort_key=place)
        for order, leaf in enumerate(leaves):
            app.command(leaf, name=leaf.__name__, sort_key=order, group=group)
        for order, (module, text, commands) in enumerate(nouns, len(leaves)):
            app.command(_branch(module, text, commands, place=order, group=group))
    backends = "Keys that the tenant's backend registers calendars and conferences with."
    app["tenant"].command(_branch(tenant_key, backends, "add list revoke", place=_LAST))
    return app


def _groups() -> tuple[tuple[str, tuple[Callable[..., object], ...], tuple[tuple[ModuleType, str, str], ...]], ...]:
    served = (
        (project, "Google Cloud projects: one request budget each.", "add list show"),
        (tenant, "Customers whose calendars are served.", "add list show set seal pause resume remove"),
        (calendar, "Calendars that are looked at.", "add list show explain pause resume resync release remove"),
        (conference, "Meetings as they are kept in step.", "list show retry history"),
    )
    simulators = (simulate, "A Google Calendar and a conferencing system to try on.", "google conferencing")
    configuration = (config, "The settings of this process.", "show")
    ring = (keys, "Keys that seal credentials in the database.", "new list rotate retire")
    return (
        (
            "Run it",
            (run.run, run.work, run.receive, migrate.migrate, check.check, completion.completion),
            (configuration, ring),
        ),
        ("What is served", (), served),
        ("Try it out", (demo.demo, plan.plan), (simulators,)),
    )


# Commands that cannot be called so in Python.
_NAMES = {"list": "list_all", "set": "change"}


def _branch(module: ModuleType, text: str, commands: str, *, place: int, group: Group | None = None) -> App:
    words = module.__name__.rpartition(".")[2].split("_")  # `tenant_key` has the commands of `tenant key`
    branch = App(name=words[-1], help=text, sort_key=place, group=group)
    for order, name in enumerate(commands.split()):
        command = getattr(module, _NAMES.get(name, name))
        branch.command(command, name=name, sort_key=order, usage=_usage(" ".join((*words, name)), command))
    return branch


def _usage(path: str, command: Callable[..., object]) -> str | None:
    """The line of usage of a command that has places for its arguments; of any other cyclopts writes it right."""
    placed = [one for one in inspect.signature(command).parameters.values() if one.kind is one.POSITIONAL_ONLY]
    if not placed:
        return None
    names = [one.name.upper() if one.default is one.empty else f"[{one.name.upper()}]" for one in placed]
    return f"Usage: syncer {path} [OPTIONS] {' '.join(names)}"


def invoke(arguments: Sequence[str]) -> int:
    """Runs one command line; gives its exit code. What goes wrong is told in one sentence on stderr."""
    try:
        return _run(arguments)
    except CycloptsError as error:
        say(f"{' '.join(str(error).split())} `{_path_of(error)} --help` shows how.")
        return 2
    except SyncerError as error:
        return _tell(error)
    except BaseExceptionGroup as group:
        leaves = list(_leaves(group))
        ours = next((error for error in leaves if isinstance(error, SyncerError)), None)
        unwritten = next((error for error in leaves if isinstance(error, OSError)), None)
        if ours is not None:
            return _tell(ours)
        if unwritten is not None:
            return _tell_unwritten(unwritten)
        raise
    except KeyboardInterrupt:
        return _INTERRUPTED
    except OSError as error:
        return _tell_unwritten(error)


def tell_own_error(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """For `sys.excepthook`: a mistake of ours in one sentence. What the error says stays out: it may hold a secret."""
    del error
    frames = traceback.extract_tb(trace)
    ours = [frame for frame in frames if "syncer" in PurePath(frame.filename).parts] or frames
    where = f" at {PurePath(ours[-1].filename).name}:{ours[-1].lineno} in {ours[-1].name}" if ours else ""
    say(f"syncer made a mistake of its own ({kind.__name__}{where}) and stopped; please report this line.")


def _tell_unwritten(error: OSError) -> int:
    """Ends when the output cannot be written; a reader that has enough (`| head`) needs no sentence."""
    if not isinstance(error, BrokenPipeError):
        if error.errno not in _UNWRITABLE:
            raise error
        say(f"Writing failed ({os.strerror(error.errno)}); make room or give the output another place, then try again.")
    # Python must not try to flush into it again at its end.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 1


def _run(arguments: Sequence[str]) -> int:
    if sys.stdout is None:
        raise OperatorError("Standard output is closed; give it a place, such as >/dev/null.", exit_code=2)
    if any(not argument.isascii() and _is_undecodable(argument) for argument in arguments):
        raise OperatorError("An argument is not valid text in this terminal's encoding.", exit_code=2)
    command, bound, _ = application().parse_args(arguments, exit_on_error=False, print_error=False)
    is_checked = command.__module__.startswith("syncer.") and command is not config.show
    if is_checked and any(name.startswith("SYNCER_") for name in os.environ):
        _refuse_unknown_settings()
    answer = command(*bound.args, **bound.kwargs)
    code = _awaited(answer) if inspect.iscoroutine(answer) else answer
    sys.stdout.flush()
    return code if isinstance(code, int) else 0


def _refuse_unknown_settings() -> None:
    from syncer import settings

    settings.refuse_unknown(os.environ)


def _awaited(answer: Coroutine[object, None, object]) -> object:
    try:
        import uvloop

        return uvloop.run(answer)
    finally:
        # An interrupt may come before it is begun.
        answer.close()


def _is_undecodable(text: str) -> bool:
    return any("\ud800" <= sign <= "\udfff" for sign in text)


def _tell(error: SyncerError) -> int:
    say(as_sentence(str(error)))
    if isinstance(error, StoreRefused | StoreUnavailable):
        say("`syncer check` finds what is wrong with the database.")
    return error.exit_code if isinstance(error, OperatorError) else 1


def _path_of(error: CycloptsError) -> str:
    return " ".join(["syncer", *(error.command_chain or ())])


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error

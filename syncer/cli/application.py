"""The tree of commands, and how one is run: exit code 0 done, 1 failed, 2 wrong usage, 130 interrupted."""

import errno
import inspect
import os
import sys
import traceback
from collections.abc import Coroutine, Iterator, Sequence
from importlib import metadata
from pathlib import PurePath
from types import ModuleType, TracebackType

from cyclopts import App, CycloptsError

from syncer.cli import calendar, check, conference, demo, migrate, project, run, simulate, tenant
from syncer.cli.output import as_sentence, say
from syncer.model.errors import OperatorError, StoreRefused, StoreUnavailable, SyncerError

_INTERRUPTED = 130
# What writing fails with when the place is full or gone.
_UNWRITABLE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF})


def application() -> App:
    """All commands, in the order in which help lists them."""
    app = App(
        name="syncer",
        help="Keeps video meetings in step with Google Calendar.\n\nStart with: syncer demo",
        help_format="plaintext",
        version=lambda: metadata.version("syncer"),
    )
    app.command(demo.demo, name="demo", sort_key=0)
    app.command(run.run, name="run", sort_key=1)
    app.command(migrate.migrate, name="migrate", sort_key=2)
    app.command(check.check, name="check", sort_key=3)
    for place, (module, text, commands) in enumerate(_nouns(), 4):
        app.command(_branch(module, text, commands, place=place))
    return app


def _nouns() -> tuple[tuple[ModuleType, str, str], ...]:
    return (
        (project, "Google Cloud projects: one request budget each.", "add list show"),
        (tenant, "Customers whose calendars are served.", "add list show pause resume"),
        (calendar, "Calendars that are looked at.", "add list show explain release"),
        (conference, "Meetings as they are kept in step.", "list show history"),
        (simulate, "A Google Calendar and a conferencing system to try on.", "google conferencing"),
    )


def _branch(module: ModuleType, text: str, commands: str, *, place: int) -> App:
    branch = App(name=module.__name__.rpartition(".")[2], help=text, sort_key=place)
    for order, name in enumerate(commands.split()):
        branch.command(getattr(module, "list_all" if name == "list" else name), name=name, sort_key=order)
    return branch


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
    answer = command(*bound.args, **bound.kwargs)
    code = _awaited(answer) if inspect.iscoroutine(answer) else answer
    sys.stdout.flush()
    return code if isinstance(code, int) else 0


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

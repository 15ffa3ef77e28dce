"""Progress on stderr, for a person who waits: on a terminal only, gone when the work is done."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class Bar:
    """How far some work has come. Without a terminal it shows nothing."""

    def __init__(self, shown: "tuple[Progress, TaskID] | None") -> None:
        self._shown = shown

    def tell(self, what: str) -> None:
        """What is done now."""
        if self._shown is not None:
            progress, task = self._shown
            progress.update(task, description=what)

    def advance(self, count: int = 1) -> None:
        """So many more are done."""
        if self._shown is not None:
            progress, task = self._shown
            progress.advance(task, count)

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Out of the way of what is printed within the block."""
        if self._shown is None:
            yield
            return
        progress, _ = self._shown
        progress.stop()
        try:
            yield
        finally:
            sys.stdout.flush()
            progress.start()


@contextmanager
def shown(what: str, *, total: int | None = None) -> Iterator[Bar]:
    """A bar for as long as the block lasts. total: how many there are to do, None when nobody knows."""
    if sys.stderr is None or not sys.stderr.isatty():
        yield Bar(None)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    counts = () if total is None else (BarColumn(20), MofNCompleteColumn())
    columns = (SpinnerColumn(), TextColumn("{task.description}", markup=False), *counts, TimeElapsedColumn())
    # What is printed meanwhile goes where it belongs: stdout may be a file.
    progress = Progress(
        *columns, console=Console(stderr=True), transient=True, redirect_stdout=False, redirect_stderr=False
    )
    with progress:
        yield Bar((progress, progress.add_task(what, total=total)))

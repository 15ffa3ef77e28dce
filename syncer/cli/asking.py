"""Asking a person before something goes that cannot be brought back."""

import sys
from typing import Annotated

from cyclopts import Parameter

from syncer.cli.output import plain, say
from syncer.model.errors import OperatorError

Yes = Annotated[bool, Parameter(negative="", show_default=False, help="Do not ask; needed where nobody can be asked.")]


def sure(what: str, *, yes: bool) -> bool:
    """Whether it may be done: said beforehand, or answered on the terminal.

    what: a sentence that says what would be done. Raises OperatorError where nobody can be asked.
    """
    if yes:
        return True
    if not (sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()):
        raise OperatorError(
            f"{what} Nothing was changed; say --yes to do it, for nobody can be asked here.", exit_code=2
        )
    sys.stderr.write(f"{plain(what)} Do it? [y/N] ")
    sys.stderr.flush()
    is_sure = sys.stdin.readline().strip().lower() in ("y", "yes")
    if not is_sure:
        say("Nothing was changed.")
    return is_sure

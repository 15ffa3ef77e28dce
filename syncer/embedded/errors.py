"""The one error of this package."""

from syncer.model.errors import OperatorError


class EmbeddedError(OperatorError):
    """The local Postgres cannot be had. The message is one sentence: what is wrong, where, and what to do."""

"""A local Postgres for the demo, the tests and anyone trying out; never for production."""

from syncer.embedded.errors import EmbeddedError
from syncer.embedded.server import Server
from syncer.embedded.shared import default_folder, lasting
from syncer.embedded.temporary import throwaway

__all__ = ["EmbeddedError", "Server", "default_folder", "lasting", "throwaway"]

"""What tests of the cluster share with those of the command line and of loops."""

from tests.cli.conftest import rows, terminal
from tests.run.conftest import stage

__all__ = ["rows", "stage", "terminal"]

"""The console script `syncer`."""

import sys


def main() -> None:
    """Runs the command line on this process's arguments and ends with its exit code."""
    from syncer.cli.application import invoke, tell_own_error

    sys.excepthook = tell_own_error
    sys.exit(invoke(sys.argv[1:]))


if __name__ == "__main__":
    main()

"""The console script `syncer`."""

import sys

_INTERRUPTED = 130


def main() -> None:
    """Runs the command line on this process's arguments and ends with its exit code."""
    try:
        # Here, for an interrupt may come while it is still being loaded.
        from syncer.cli.application import invoke, tell_own_error

        sys.excepthook = tell_own_error
        sys.exit(invoke(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)


if __name__ == "__main__":
    main()

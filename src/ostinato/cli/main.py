"""`ostinato`: finds the command, reads its options, and turns errors into one message and an exit status."""

from __future__ import annotations

import os
import sys
import time

STARTED = time.monotonic()  # before anything slow is imported: --time-limit counts from here

# OpenMP's threads wait for each other by spinning, by default for milliseconds. Beside another busy process that takes
# the processor from whoever is waited for: training then runs two to three times as long. A tenth of a millisecond
# still spans the gaps between operations. Read when the library is loaded, so set before torch is imported.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")


def main(arguments: list[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: without the program's name; those of the process where None.

    Returns:
        Exit status: 0, 2 for what the user can mend, 130 after Ctrl-C.
    """
    from ostinato.core.errors import OstinatoError

    arguments = sys.argv[1:] if arguments is None else arguments
    try:
        from ostinato.cli.arguments import parse
        from ostinato.cli.commands import run

        return run(parse(arguments), STARTED)
    except OstinatoError as error:
        print(f"ostinato: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt as interruption:
        print("ostinato: interrupted", *interruption.args, sep="; ", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # Whoever read our output has gone (`ostinato generate ... | head`): nothing more to say.
        sys.stderr.close()
        return 0
    except OSError as error:
        if error.filename is None or not isinstance(error.filename, str):
            raise
        print(f"ostinato: {error.filename}: {error.strerror}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())

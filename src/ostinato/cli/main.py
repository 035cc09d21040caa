"""`ostinato`: finds the command, reads its options, and turns errors into one message and an exit status."""

import gc
import os
import sys
import time

STARTED = time.monotonic()  # before anything slow is imported: --time-limit counts from here

# OpenMP's threads wait for each other by spinning, by default for milliseconds. Beside another busy process that takes
# the processor from whoever is waited for: training then runs two to three times as long. A tenth of a millisecond
# still spans the gaps between operations. Read when the library is loaded, so set before torch is imported.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "10000")

# What torch says below Python of connections comes beside our own message, from each process of several.
if "WORLD_SIZE" in os.environ or "SLURM_NTASKS" in os.environ:
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "FATAL")


def main(arguments: list[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: without the program's name; those of the process where None.

    Returns:
        Exit status: 0, 2 for what the user can mend, 130 after Ctrl-C.
    """
    from ostinato.cli.streams import OutputError, standard_streams
    from ostinato.core.errors import OstinatoError

    with standard_streams():
        try:
            return _run(sys.argv[1:] if arguments is None else arguments, own=arguments is None)
        except OutputError as error:
            # Whoever read our output may have gone (`ostinato generate ... | head`): nothing more to say.
            return 0 if error.reader_left else _failed(str(error))
        except OstinatoError as error:
            return _failed(str(error), speaks=getattr(error, "speaks", False))
        except KeyboardInterrupt as interruption:
            return _failed("; ".join(("interrupted", *map(str, interruption.args))), 130)
        except OSError as error:
            if error.filename is None or not isinstance(error.filename, str):
                raise
            return _failed(f"{error.filename}: {error.strerror}")


def _run(arguments: list[str], *, own: bool) -> int:
    from ostinato.cli.arguments import parse

    try:
        options = parse(arguments)  # which help ends with
        from ostinato.cli.commands import run

        return run(options, STARTED)
    finally:  # help, too, ends here
        sys.stdout.flush()
        if own:
            gc.freeze()  # the process ends: nobody need go through all of torch for what could be collected


def _failed(message: str, status: int = 2, *, speaks: bool = False) -> int:
    from ostinato.core import cluster
    from ostinato.core.visible import visible

    if speaks or cluster.place().rank == 0:  # of several that torchrun started, one speaks
        print(f"ostinato: {visible(message)}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())

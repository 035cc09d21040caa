"""`python -m ostinato` is `ostinato`; `torchrun --nproc-per-node 2 -m ostinato train ...` starts several of it."""

import sys

from ostinato.cli.main import main

if __name__ == "__main__":
    sys.exit(main())

"""The program that tries a model's files: it answers examples from standard input, and times how long a step takes."""

from collections.abc import Sequence

from ostinato.interop.outgoing.c.text import indented, with_name

_HEAD = """\
#include "@.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static int numbers(void *into, size_t size, size_t count, size_t most)
{
    return count <= most && fread(into, size, count, stdin) == count;
}
"""


def driver(
    name: str, held: Sequence[str], read: Sequence[str], run: Sequence[str], write: Sequence[str], steps: str = "length"
) -> str:
    """A main function. It reads, again and again, an int32 `length` and what comes with it, and writes what is said;
    then it goes on with the last example until it has taken as many steps as its argument says.

    Args:
        name: of the model.
        held: what it declares; `MOST` is there for how many steps it has room for.
        read: expressions that are false where what comes with a length cannot be read; `numbers` reads some.
        run: statements that answer.
        write: statements that write the answer.
        steps: that these take.
    """
    body = [
        "const long repeats = argc > 1 ? atol(argv[1]) : 0;",
        "int32_t length, last = 0;",
        "long done = 0;",
        "clock_t begun;",
        "while (numbers(&length, sizeof length, 1, 1)) {",
        *indented([f"if (!({one})) return 1;" for one in read]),
        *indented([*run, *write, "last = length;"]),
        "}",
        "length = last;",
        "begun = clock();",
        "while (done < repeats && length > 0) {",
        *indented([*run, f"done += {steps};"]),
        "}",
        'if (done > 0) fprintf(stderr, "%.9g\\n", (double)(clock() - begun) / CLOCKS_PER_SEC / (double)done);',
        "return 0;",
    ]
    main = ["int main(int argc, char **argv)", "{", *indented(body), "}"]
    lines = ["#define MOST 8192", "", *(f"static {one};" for one in held), "", *main, ""]
    return with_name("\n".join([_HEAD, *lines]), name)

"""Writes the C structs of the tables of operands: `make kernels`."""

from pathlib import Path

from ostinato.native.operands import ABI, LINEAR, MATMUL, RUN, SOFTMAX, Operand, Role, Table

#: Where it is committed; a test holds the two together.
PATH = Path(__file__).parent / "source" / "structs.h"

_TYPES = {"number": "float", "float32": "float", "int64": "int64_t", "bool": "uint8_t", "bytes": "void"}
_READ_ONLY = (Role.READ, Role.UPSTREAM)


def struct(name: str, table: Table) -> str:
    """The declaration of a table's struct."""
    lines, heading = ["typedef struct {"], None
    for row in table.rows:
        if row.role is not heading:
            lines.append(f"    /* {row.role.value} */")
            heading = row.role
        lines += _field(row)
    return "\n".join([*lines, f"}} {name};"])


def _field(row: Operand) -> list[str]:
    if not row.is_array:
        return [f"    int64_t {row.name};".ljust(36) + f" /* {row.text} */" if row.text else f"    int64_t {row.name};"]
    declared = f"    {'const ' if row.role in _READ_ONLY else ''}{_TYPES[row.dtype]} *{row.name};"
    shape = (f"[{row.shape}]" if row.shape else "") + (", or NULL" if row.optional else "")
    lines = [f"{declared:36} /* {'; '.join(filter(None, [shape.removeprefix(', '), row.text]))} */"]
    return [*lines, f"    int64_t {', '.join(row.strides)};"] if row.strides else lines


def text() -> str:
    """The whole file."""
    return "\n".join(
        [
            "/* Made by `make kernels` from native/operands.py: do not edit. The legend is that of ostinato.h. */",
            "#ifndef OSTINATO_STRUCTS_H",
            "#define OSTINATO_STRUCTS_H",
            "",
            "#include <stdint.h>",
            "",
            f"#define OSTINATO_ABI {ABI}",
            "",
            "/* A cell over whole sequences. */",
            struct("ostinato_run", RUN),
            "",
            "/* A softmax over each of M rows of V scores. Bits of all but `total` do not depend on threads. */",
            struct("ostinato_softmax", SOFTMAX),
            "",
            "/* c = a b + bias of matrices, or c += that. Whatever else is in it, a row's bits stay. */",
            struct("ostinato_matmul", MATMUL),
            "",
            "/* A linear layer over M rows, its weights in 8 bits. Whatever else is in it, a row's bits stay. */",
            struct("ostinato_linear", LINEAR),
            "",
            "#endif",
            "",
        ]
    )


if __name__ == "__main__":
    PATH.write_text(text(), encoding="utf-8")

"""Generated C on this machine and, by emulators, on others."""

import shutil

import pytest

from ostinato.interop.outgoing.c import compiler

#: Compiler, flags and emulator of each kind of machine.
MACHINES = {
    "here": (compiler(), ("-O2",), ()),
    "here, at once": (compiler(), ("-O0",), ()),
    "here, without libm": (compiler(), ("-O3", "-DMODEL_NO_LIBM"), ()),
    "sanitized": (compiler(), ("-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover"), ()),
    "64-bit Arm": (shutil.which("aarch64-linux-gnu-gcc"), ("-O2", "-static"), ("qemu-aarch64",)),
    "32-bit Arm": (shutil.which("arm-linux-gnueabihf-gcc"), ("-O2", "-static"), ("qemu-arm",)),
    "32-bit Arm, without libm": (
        shutil.which("arm-linux-gnueabihf-gcc"),
        ("-O2", "-static", "-DMODEL_NO_LIBM"),
        ("qemu-arm",),
    ),
}


def on(machine):
    """Arguments of `tried`; skips where there is no compiler, or no emulator, of such a machine."""
    command, flags, emulator = MACHINES[machine]
    if command is None:
        pytest.skip(f"no compiler for {machine}")
    if emulator and shutil.which(emulator[0]) is None:
        pytest.skip(f"no {emulator[0]} (Debian: qemu-user)")
    return {"compiler": command, "flags": flags, "emulator": emulator}

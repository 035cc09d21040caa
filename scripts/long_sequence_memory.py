"""Peak memory of a training step over a long sequence, above what input, output and their gradients take (Linux).

    python scripts/long_sequence_memory.py [RECOMPUTE]

T = 20,000, N = 16, D = H = 256, by default `recompute=200`; 0 keeps everything.
"""

import sys
import threading
import time
from pathlib import Path

import torch

import ostinato

T, N, H = 20_000, 16, 256
peak = 0


def resident() -> int:
    """Bytes of anonymous memory."""
    return int(Path("/proc/self/status").read_text().split("RssAnon:")[1].split()[0]) * 1024


def watch() -> None:
    """Look every two milliseconds."""
    global peak
    while True:
        peak = max(peak, resident())
        time.sleep(0.002)


if __name__ == "__main__":
    every = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    layer = ostinato.LSTM(H, H, recompute=every or None)
    layer(torch.randn(300, N, H))[0].sum().backward()  # libraries, threads
    x, upstream = torch.randn(T, N, H), torch.randn(T, N, H)
    before = resident()
    threading.Thread(target=watch, daemon=True).start()
    began = time.perf_counter()
    output, _ = layer(x)
    output.backward(upstream)
    took = time.perf_counter() - began
    above = peak - before - output.numel() * 4
    print(f"recompute {every or 'off'}: {above / 1e6:,.0f} MB above input, output and upstream gradient, {took:.1f} s")

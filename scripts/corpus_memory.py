"""Peak anonymous memory, in kB, of reading a text, learning its vocabulary and writing its token ids (Linux).

    python scripts/corpus_memory.py big.txt char|word|bpe CACHE_FOLDER [VOCAB_SIZE]

Run it on 1 MB and on 1 GB of the same kind of text: the figures should differ by less than 200,000.
"""

import sys
import threading
import time
from pathlib import Path

from ostinato.data.text.corpus import learned_tokenizer, token_ids
from ostinato.data.text.reading import open_text

peak = 0


def watch() -> None:
    """Look every five milliseconds."""
    global peak
    while True:
        peak = max(peak, int(Path("/proc/self/status").read_text().split("RssAnon:")[1].split()[0]))
        time.sleep(0.005)


if __name__ == "__main__":
    threading.Thread(target=watch, daemon=True).start()
    path, level, cache, *size = sys.argv[1:]
    parts = open_text(path).split(0.9, "character" if level == "char" else "line")
    tokenizer = learned_tokenizer(parts[0], level, int(size[0]) if size else 2000, cache)
    for part in parts:
        token_ids(part, tokenizer, cache).max()  # every id is read once, as training does
    print(peak)

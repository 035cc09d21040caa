"""transcribe: sequences of numbers in, the symbols that they mean out, without being told which steps mean which."""

"""The native library: its C++ sources, and the binding that calls it without torch."""

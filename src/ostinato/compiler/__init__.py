"""From a cell's Python equations to kernels: traced, differentiated, put into phases, written as C++, compiled.

    trace -> program -> derive -> form -> emit -> build

Only what a cell computes for one row of units is generated. The recurrence, lengths, threads, products and gradients by
the weights are the library's (`native/source/general_forward.h`, `general_backward.h`).
"""

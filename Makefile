# Two commands on a fresh machine: `make demo` and `make test`. Both set up .venv first.
PYTHON ?= python3
BIN := .venv/bin
# What an installation is made of: it is made anew where one of these has changed.
SOURCES := pyproject.toml constraints.txt CMakeLists.txt $(wildcard src/ostinato/native/source/*.* src/ostinato/native/source/cells/*.*)
PIP := $(BIN)/python -m pip --disable-pip-version-check install --quiet --constraint constraints.txt

.PHONY: install demo test test-all lint check check-all docs schemas bench kernels wheel sanitize arm older clang fuzz clean

install: .venv/installed

.venv/bin/python:
	$(PYTHON) -m venv .venv || { rm -rf .venv; exit 1; }  # half an environment would be taken for a whole one

.venv/installed: $(SOURCES) | .venv/bin/python
	@echo "installing ostinato into .venv (about five minutes on two cores the first time: torch is fetched, kernels are compiled; nothing is said meanwhile)"
	$(PIP) --editable '.[plots,parquet]'
	touch $@

.venv/installed-dev: $(SOURCES) | .venv/bin/python
	@echo "installing ostinato and the development tools into .venv (about five minutes on two cores the first time: torch is fetched, kernels are compiled; nothing is said meanwhile)"
	CMAKE_ARGS="$(CMAKE_ARGS) -DOSTINATO_EMULATE_AMX=ON" $(PIP) --editable '.[dev]'
	touch $@ .venv/installed

# What only slow tests and wheels need comes on top, without building anything again.
.venv/installed-slow: .venv/installed-dev
	$(PIP) $$($(BIN)/python scripts/extra.py slow)
	$(PIP) --no-deps $$($(BIN)/python scripts/extra.py real-files)
	touch $@

.venv/installed-bench: $(SOURCES) | .venv/bin/python
	@echo "installing ostinato and its peers into .venv (about five minutes on two cores the first time: torch is fetched, kernels are compiled; nothing is said meanwhile)"
	CMAKE_ARGS="$(CMAKE_ARGS) -DOSTINATO_EMULATE_AMX=ON" $(PIP) --editable '.[plots,bench]'
	touch $@ .venv/installed

demo: .venv/installed
	$(BIN)/ostinato demo

lint: .venv/installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Two at a time: the tensors of tests are small, and more threads in each would only get in the others' way.
# Each worker has one half in order and helps the other at the end: what the tests of a file share is made once.
# Tests marked slow are left to check-all.
check: .venv/installed-dev
	@command -v chromium >/dev/null || echo "no chromium: the studio's page is not tested in a browser"
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal -m "not slow"

check-all: .venv/installed-slow
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist worksteal

# What --json prints, from the results' types.
schemas: .venv/installed-dev
	$(BIN)/python scripts/schemas.py

docs: .venv/installed-dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

# Three quarters of an hour, on a machine that does nothing else.
bench: .venv/installed-bench
	status=0; $(BIN)/ostinato bench layers --threads 2 1 --out benchmarks/results || status=$$?; \
	$(BIN)/ostinato bench cells --out benchmarks/results || status=$$?; \
	$(BIN)/ostinato bench lm --out benchmarks/results && exit $$status

# What of the native sources is generated, and committed: after a change of native/operands.py, or of a cell that is native.
kernels: .venv/installed-dev
	$(BIN)/python -m ostinato.native.header
	$(BIN)/python -m ostinato.compiler.headers

# The sources, and from them one wheel for every Python on Linux of this kind of processor, into dist/. Without kernels there is
# nothing to repair, and no wheel: auditwheel fails then.
wheel: .venv/installed-slow
	rm -rf build/wheel
	PATH="$$PWD/$(BIN):$$PATH" $(BIN)/python -m build --outdir build/wheel
	PATH="$$PWD/$(BIN):$$PATH" $(BIN)/python -m auditwheel repair --wheel-dir dist build/wheel/*.whl
	cp build/wheel/*.tar.gz dist

# A minute and a half to compile, another to run. The library allocates nothing: leaks can only be OpenMP's own threads.
# BF16=OFF leaves out the sets that multiply bfloat16; RUNS are those of each cell and set.
BF16 := ON
RUNS := 30
sanitize: .venv/installed-dev
ifeq ($(shell c++ --version 2>/dev/null | grep -i "Free Software Foundation\|clang"),)
	@echo "neither GCC nor Clang: the native code is neither built nor watched by sanitizers"
else
	PATH="$$PWD/$(BIN):$$PATH" cmake -S . -B build/sanitize -G "Unix Makefiles" -DOSTINATO_SANITIZE=ON -DOSTINATO_BF16=$(BF16) \
	  -DCMAKE_BUILD_TYPE=None --log-level=ERROR
	PATH="$$PWD/$(BIN):$$PATH" cmake --build build/sanitize --parallel 2
	ASAN_OPTIONS=detect_leaks=0 build/sanitize/check_native $(RUNS)
	$(BIN)/python tests/native/programs.py build/sanitize/programs.h
	c++ -std=gnu++17 -O0 -g1 -Wall -Wextra -Wno-psabi -fsanitize=address,undefined -fno-sanitize-recover=all -DOSTINATO_ISA=baseline \
	  -DOSTINATO_PROGRAMS='"../../build/sanitize/programs.h"' -Isrc/ostinato/native/source tests/native/check_programs.cpp \
	  -o build/sanitize/check_programs -Lbuild/sanitize -lostinato_native -Wl,-rpath,'$$ORIGIN' -ldl
	ASAN_OPTIONS=detect_leaks=0 build/sanitize/check_programs
endif

# The same check of the build for Arm, on an emulated processor. Debian: apt-get install g++-aarch64-linux-gnu qemu-user
ARM := aarch64-linux-gnu
arm: .venv/installed-dev
	PATH="$$PWD/$(BIN):$$PATH" cmake -S . -B build/arm -G "Unix Makefiles" -DOSTINATO_CHECK=ON -DCMAKE_SYSTEM_NAME=Linux \
	  -DCMAKE_SYSTEM_PROCESSOR=aarch64 -DCMAKE_CXX_COMPILER=$(ARM)-g++ --log-level=ERROR
	PATH="$$PWD/$(BIN):$$PATH" cmake --build build/arm --parallel 2
	qemu-aarch64 -L /usr/$(ARM) build/arm/check_native

# The same check on emulated processors without AVX-512, and without AVX: nothing that an older machine runs may hold
# what it lacks. Debian: apt-get install qemu-user
older: .venv/installed-dev
	PATH="$$PWD/$(BIN):$$PATH" cmake -S . -B build/older -G "Unix Makefiles" -DOSTINATO_CHECK=ON --log-level=ERROR
	PATH="$$PWD/$(BIN):$$PATH" cmake --build build/older --parallel 2
	for processor in Haswell Nehalem; do echo $$processor && qemu-x86_64 -cpu $$processor build/older/check_native $(RUNS) || exit 1; done

# The same check of a build by Clang, which must not warn. Debian: apt-get install clang
CLANG := clang++
clang: .venv/installed-dev
	PATH="$$PWD/$(BIN):$$PATH" cmake -S . -B build/clang -G "Unix Makefiles" -DOSTINATO_CHECK=ON -DOSTINATO_EMULATE_AMX=ON \
	  -DCMAKE_CXX_COMPILER=$(CLANG) -DCMAKE_CXX_FLAGS=-Werror --log-level=ERROR
	PATH="$$PWD/$(BIN):$$PATH" cmake --build build/clang --parallel 2
	build/clang/check_native $(RUNS)

# Damaged run folders and files, odd command lines and tensors, until a fault is found or the time is over; then random cells,
# compiled, beside the reference: ten minutes for 2,000. No part of the tests.
fuzz: .venv/installed-dev
	status=0; $(BIN)/python -m tests.fuzz --minutes $(or $(MINUTES),10) $(if $(SEED),--seed $(SEED)) $(if $(AREA),--area $(AREA)) || status=$$?; \
	$(if $(AREA),:,$(BIN)/python -m tests.fuzz.cells --cells $(or $(CELLS),2000) $(if $(SEED),--seed $(SEED))) && exit $$status

# Under ten minutes on two quiet cores: what is marked slow, and the sanitizers' watch, are left to test-all. Lint and docs use
# one core each.
test: .venv/installed-dev
	$(MAKE) --no-print-directory --jobs 2 --output-sync=target lint docs
	$(MAKE) --no-print-directory check

test-all: lint docs check-all sanitize

clean:
	rm -rf .venv site runs/demo build .pytest_cache .mypy_cache .ruff_cache .import_linter_cache

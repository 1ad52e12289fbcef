# make demo    the study of the README, from a fresh clone: its numbers and its report
# make check   lint, types and the fast tests: before every commit
# make test    everything that continuous integration runs
# make clean   removes what these wrote: .venv, out and .cache
#
# Paths here are relative, so that the checkout may lie in a folder with spaces.

export PYTHONPYCACHEPREFIX := $(CURDIR)/.cache/pycache
export MPLCONFIGDIR := $(CURDIR)/.cache/matplotlib
export NUMBA_CACHE_DIR := $(CURDIR)/.cache/numba
export HYPOTHESIS_STORAGE_DIRECTORY := $(CURDIR)/.cache/hypothesis
export MYPY_CACHE_DIR := $(CURDIR)/.cache/mypy
export RUFF_CACHE_DIR := $(CURDIR)/.cache/ruff
unexport PYTHONPATH PYTHONHOME

# Bulk reference data that is read in place where it lies beside the checkout.
REFERENCE := $(shell cd ../shared/reference 2>/dev/null && pwd)
ifneq ($(REFERENCE),)
export ACCELSIM_REFERENCE := $(REFERENCE)
endif

# In continuous integration a skipped test is a failed one.
ifeq ($(CI),true)
export ACCELSIM_STRICT := 1
endif

# Without a home, caches would be written to the root of the disk.
ifeq ($(strip $(HOME)),)
export HOME := $(CURDIR)/.cache/home
endif

.PHONY: demo check test clean

demo:
	@bash tools/venv.sh run
	@.venv/bin/accelsim explore fusemax-study --out out/fusemax-study

check:
	@bash tools/venv.sh test
	@.venv/bin/python tools/run_tests.py check

test:
	@bash tools/venv.sh test
	@.venv/bin/python tools/run_tests.py test

clean:
	rm -rf .venv out .cache

# make install   a ready .venv           make test   all checks and tests
# make demo      the whole method, once  make clean  what the tools left behind
# make peers     a .venv-peers with the libraries of other tools, which tests of our file formats read them with
#
# Another Python: make install PYTHON=python3.12

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check install --constraint constraints.txt

# As in constraints.txt: the version that was tested. Where pip's index has CUDA builds only, name a CPU index in PIP_INDEX_URL.
TORCH  := torch==2.13.0

INSTALLED      := $(VENV)/.installed
INSTALLED_TEST := $(VENV)/.installed-test

# In an environment of their own, because they need other versions of NumPy and Pillow than constraints.txt has.
PEERS           := .venv-peers
INSTALLED_PEERS := $(PEERS)/.installed

.DEFAULT_GOAL := help
.PHONY: help install test peers demo clean

help:
	@sed -n 's/^# \{0,1\}//; 1,5p' Makefile

install: $(INSTALLED)

# Both environments are installed at the same time.
test:
	@$(MAKE) --no-print-directory -j2 $(INSTALLED_TEST) $(INSTALLED_PEERS)
	@ZEROSEG_PEERS=$(PEERS)/bin/python scripts/check

peers: $(INSTALLED_PEERS)

demo: $(INSTALLED)
	@$(BIN)/zeroseg demo

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "ZeroSeg needs Python 3.11 or newer, and '$(PYTHON)' is not. Name another: make install PYTHON=python3.12" >&2; \
	  exit 1; }
	@echo "== 1/3 making $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV) || { \
	  rm -f $@; \
	  echo "'$(PYTHON) -m venv' failed; on Debian and Ubuntu: apt install python3-venv" >&2; \
	  exit 1; }

$(INSTALLED): pyproject.toml constraints.txt | $(BIN)/python
	@echo "== 2/3 installing $(TORCH) (some 200 MB as a CPU build, gigabytes with CUDA)"
	@$(PIP) "$(TORCH)"
	@echo "== 3/3 installing zeroseg and what it needs"
	@$(PIP) -e .
	@touch $@
	@echo "== installed; try: $(BIN)/zeroseg --help"

$(INSTALLED_TEST): pyproject.toml constraints.txt $(INSTALLED)
	@echo "== installing what the checks and tests need"
	@$(PIP) -e '.[test]'
	@touch $@

$(INSTALLED_PEERS): constraints-peers.txt
	@echo "== making $(PEERS), with the libraries of other tools"
	@$(PYTHON) -m venv --clear $(PEERS)
	@$(PEERS)/bin/python -m pip --disable-pip-version-check install --quiet --no-deps --requirement constraints-peers.txt
	@touch $@
	@echo "== $(PEERS) is ready"

clean:
	rm -rf build dist .coverage .coverage.* .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	rm -f $(INSTALLED) $(INSTALLED_TEST) $(INSTALLED_PEERS)
	find src tests scripts -name __pycache__ -type d -prune -exec rm -rf {} +

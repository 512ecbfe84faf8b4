# Everything a fresh machine with python3, python3-venv and g++ needs happens here; nothing is installed outside .venv.
PYTHON ?= python3
VENV   ?= .venv
BIN     = $(VENV)/bin
JOBS   ?= 2

.PHONY: help demo check test test-torch test-slow bench cosim formal lint format clean
help:  ## show this list
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

$(VENV)/.installed: pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade pip
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	@touch $@

$(VENV)/.lint: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test,lint]'
	@touch $@

demo: $(VENV)/.installed  ## train a small net, convert it, run it through SNN Toolbox (about 5 minutes)
	$(BIN)/snntb-adsnn train configs/digits.ini
	$(BIN)/snntb-adsnn run configs/digits.ini

check: lint  ## check style, types, and who imports whom (docs/architecture.md)
	$(BIN)/python -m pytest -q tests/house

# a test that hangs ends after ten minutes, with the stacks of its threads; files are handed out in their order, the longest
# first, so that no worker is left with a long one at the end
test: $(VENV)/.installed  ## run the tests
	$(BIN)/python -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder --timeout 600

test-torch: $(VENV)/.torch  ## run the tests of PyTorch models (installs PyTorch, 5 GB)
	$(BIN)/python -m pytest -m torch tests/frontends/test_torch*.py tests/test_torch*.py

$(VENV)/.torch: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test,torch]' torchvision norse
	@touch $@

test-slow: $(VENV)/.installed  ## run the tests that take minutes
	$(BIN)/python -m pytest -m slow

cosim: $(VENV)/.installed  ## run the testbenches of the SystemVerilog on Verilator
	$(BIN)/python -m pytest -n $(JOBS) --dist load verification

formal: $(VENV)/.formal  ## prove the AXI-Stream rules, and that the C++ neuron equals the RTL neuron
	$(BIN)/python -m pytest -m formal verification/formal

$(VENV)/.formal: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test,fpga,formal]'
	@touch $@

$(VENV)/.bench: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test,bench]'
	@touch $@

bench: $(VENV)/.bench  ## measure the simulators side by side, write docs/speed.md (about 30 minutes)
	$(BIN)/python -m benchmarks.simulation --docs

lint: $(VENV)/.lint  ## check style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/.lint  ## format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

clean:  ## remove the virtual environment and results
	rm -rf $(VENV) runs .pytest_cache .mypy_cache .ruff_cache

# Two commands on a fresh machine: `make lab` and `make test`. Both set up what they need.
.DEFAULT_GOAL := help
.PHONY: help setup lab test slow bundle test-full test-all soak image-test policy-coverage mutation check format bench bench-peers schema changelog

BIN := .venv/bin
POLICY_TESTS := tests/unit/policy tests/unit/cli/test_policy*.py
PYTEST := $(BIN)/python -m pytest

help: ## show what can be made
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' $(MAKEFILE_LIST) | expand -t 20

setup: ## make .venv from uv.lock; install Mosquitto where root
	@sh tools/setup.sh

lab: setup ## run simulators, a broker, both sides and a live view; Ctrl-C stops
	$(BIN)/otgate lab $(LAB)

test: setup ## every test within 10 minutes on two cores
	$(PYTEST) -n 3 --dist worksteal -m "not slow" $(ARGS)

slow: setup ## the longer fault, fuzz and process tests
	@sh tools/debian_tree.sh
	@sh tools/setup_slow.sh
	$(PYTEST) -n 3 --dist worksteal -m slow $(ARGS)

test-full: test slow policy-coverage ## all three

policy-coverage: setup ## fail unless the unit tests of the policy take its every branch
	@mkdir -p build
	$(BIN)/coverage run --rcfile=tools/policy.coveragerc -m pytest -q -m "not slow" $(POLICY_TESTS)
	$(BIN)/coverage report --rcfile=tools/policy.coveragerc

mutation: setup ## break the policy package in 1400 ways; tests have to notice. Half an hour; MODULES="solver globs" less
	$(BIN)/python tools/mutate.py $(MODULES)

image-test: setup ## build the image on a Debian of its own and run compose.yaml from it; root
	sh tools/image_base.sh
	$(PYTEST) -m slow tests/lab/test_image.py $(ARGS)

soak: setup image-test ## every script of tests/soak: kills, cuts and what else takes hours
	for soak in tests/soak/*.py; do echo "== $$soak"; $(BIN)/python $$soak || exit 1; done

test-all: setup ## the tests on every interpreter found of 3.11, 3.12 and 3.13
	sh tools/test_all.sh $(ARGS)

check: setup ## ruff, mypy --strict, import-linter, deptry, vulture, sizes
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/deptry gateway drivers simulators
	$(BIN)/vulture
	$(BIN)/python tools/sizes.py

format: setup ## format and mend what ruff can
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

bench: setup ## CPU per sample of each stage, and more; a table, and build/bench.json
	for bench in tests/bench/*_bench.py; do echo "== $$bench"; $(BIN)/python $$bench || exit 1; done
	$(BIN)/python tests/bench/fleet_bench.py --devices 10 --registers 50 --changed 0 --warm-up 25
	@$(BIN)/python tests/bench/summary.py

bench-peers: setup ## other gateways on the same load, each in an environment under build/
	$(BIN)/python tests/bench/peers/compare.py $(ARGS)

bundle: setup ## one archive for a box without a network; PLATFORM=aarch64 PYTHON="3.11 3.13"
	$(BIN)/python tools/bundle.py $(if $(PLATFORM),--platform $(PLATFORM)) $(if $(PYTHON),--python "$(PYTHON)")

schema: setup ## write config/schema from the code
	$(BIN)/otgate schema --write config/schema

changelog: setup ## show what the next release's changelog would say
	$(BIN)/towncrier build --draft

# SPDX-License-Identifier: GPL-3.0-or-later
# `make demo` shows the main job on real kernels, `make test` proves that it works. Each does all its own set-up.

SHELL := /bin/sh
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

ROOT := $(CURDIR)
BIN := $(ROOT)/.venv/bin
FLEETDIAG := $(BIN)/fleetdiag

# The programs of the embedded lab, of the browser test of the report, and of Ansible over ssh.
PACKAGES := qemu-system-x86 qemu-utils mmdebstrap e2fsprogs openssh-client openssh-server zstd xz-utils uidmap \
            debian-archive-keyring apt-utils haproxy chromium chromium-driver systemtap busybox
# Of the tests that make test-long adds: the programs of an EL and of an openSUSE, an account whose sudo asks, and an arm64 machine.
LONG_PACKAGES := dnf zypper rpm createrepo-c sudo qemu-system-arm qemu-user-static arch-test
LAB_PACKAGES := $(filter-out haproxy chromium% systemtap busybox,$(PACKAGES))

# Where the suite looks for the live sources, also where ansible.cfg is not read (world-writable checkouts).
export ANSIBLE_COLLECTIONS_PATH := $(ROOT)/.collections
export PATH := $(BIN):$(PATH)

# Groups of integration tests that run side by side: a lab takes 4 GB of memory, and a third fills what two wait for.
WORKERS ?= $(shell awk '/^MemAvailable/ { n = int($$2 / 4500000); print (n < 1 ? 1 : n > 3 ? 3 : n) }' /proc/meminfo)
INTEGRATION = $(BIN)/python -m pytest -n $(WORKERS) --no-loadscope-reorder --durations=40
# Tests that need no machines wait for processes a third of the time: one worker more than there are processors. Fuzz comes
# first: it lasts longest.
UNIT = $(BIN)/python -m pytest -n $(shell expr $$(nproc) + 1) --dist worksteal
# The tests have a lab and a memory of hosts that are this checkout's own.
lab-test test test-all: export XDG_STATE_HOME := $(ROOT)/build/state

PROBES ?= fs_calltrace nettop disktop slow_open
WINDOW ?= 30s

.PHONY: help
help:  ## This list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1|\2/p' Makefile | column -t -s '|'

.PHONY: venv
venv:  ## The development environment .venv
	@tools/venv.sh

.PHONY: packages
packages:  ## The Debian packages of the lab and the tests
	@tools/packages.sh $(PACKAGES)

.PHONY: demo
demo: venv  ## The main job on the embedded lab: boots it, sweeps it, shows the report
	@tools/packages.sh $(LAB_PACKAGES)
	@$(FLEETDIAG) lab demo

.PHONY: demo-site
demo-site: venv  ## A site with balancers and a file server whose disk is slow: the report says so
	@tools/packages.sh $(LAB_PACKAGES)
	@$(FLEETDIAG) lab demo --profile site

.PHONY: sweep
sweep: venv  ## The same on your hosts: INVENTORY=... LIMIT=... [PROBES="..."] [WINDOW=30s]
	@tools/packages.sh openssh-client
	@INVENTORY='$(INVENTORY)' LIMIT='$(LIMIT)' PROBES='$(PROBES)' WINDOW='$(WINDOW)' tools/sweep.sh

.PHONY: lint
lint: venv  ## Every linter: Python, YAML, Ansible, shell, spelling, licences, Markdown, imports, dead code
	@tools/lint.sh

.PHONY: unit
unit: venv  ## The tests that need no machines (minutes)
	@$(UNIT) tests/fuzz tests/unit

.PHONY: fuzz
fuzz: venv  ## Damaged run directories and hostile texts for an hour: [FLEETDIAG_FUZZ_SEED=N]
	@FLEETDIAG_FUZZ_OUTPUTS=$${FLEETDIAG_FUZZ_OUTPUTS:-10000} \
	  FLEETDIAG_FUZZ_EXAMPLES=$${FLEETDIAG_FUZZ_EXAMPLES:-20000} FLEETDIAG_FUZZ_SEED=$${FLEETDIAG_FUZZ_SEED:-$$(date +%s)} \
	  $(UNIT) tests/fuzz

.PHONY: lab-test
lab-test: venv packages  ## The tests on the embedded lab (minutes)
	@$(INTEGRATION) -m lab tests/integration

.PHONY: test
test: venv packages  ## Everything: lint and unit tests, then the tests on the embedded lab
	@$(MAKE) -j 2 lint unit
	@$(INTEGRATION) tests/integration

.PHONY: test-all
test-all: venv packages  ## make test with test-long, test-target-mode, test-site and test-sanity: hours
	@tools/packages.sh $(LONG_PACKAGES)
	@FLEETDIAG_FUZZ_OUTPUTS=10000 $(MAKE) -j 2 lint unit
	@FLEETDIAG_TEST_LONG=1 FLEETDIAG_TEST_TARGET_MODE=1 FLEETDIAG_TEST_SITE=1 FLEETDIAG_TEST_SANITY=1 $(INTEGRATION) tests/integration

.PHONY: test-debuginfo
test-debuginfo: venv packages  ## The debuginfo path for one kernel, and what is made without it against it: 7 GB on the lab's builder
	@FLEETDIAG_TEST_DEBUGINFO=1 $(BIN)/python -m pytest tests/integration/test_debuginfo.py tests/integration/test_truth.py

.PHONY: test-target-mode
test-target-mode: venv packages  ## A sweep without a builder: a quarter of an hour on emulated machines
	@FLEETDIAG_TEST_TARGET_MODE=1 $(BIN)/python -m pytest tests/integration/test_target_mode.py

.PHONY: test-long
test-long: venv packages  ## Weights, shards, timers, reboots, sweeps of one name, planted faults, canaries, logins: two hours
	@tools/packages.sh $(LONG_PACKAGES)
	@FLEETDIAG_TEST_LONG=1 $(BIN)/python -m pytest -m long tests/integration

.PHONY: test-site
test-site: venv packages  ## The story of the site on four emulated machines: a slow file behind two balancers
	@FLEETDIAG_TEST_SITE=1 $(BIN)/python -m pytest tests/integration/test_site.py

.PHONY: test-sanity
test-sanity: venv  ## ansible-test sanity with ansible-core 2.19, 2.20 and 2.21, as far as there are Pythons for them
	@FLEETDIAG_TEST_SANITY=1 $(BIN)/python -m pytest tests/integration/test_sanity.py

.PHONY: examples
examples: venv packages  ## SystemTap's own examples on the embedded lab, into collection/docs/examples.md (an hour)
	@$(BIN)/python tools/examples.py

.PHONY: bench-overhead
bench-overhead: venv packages  ## What each probe costs a host of the lab, into its manifest: [PROBE="..."]
	@$(BIN)/python tests/bench/bench_overhead.py $(PROBE)

.PHONY: bench-findings
bench-findings: venv  ## False findings among alike hosts, and planted ones found: ten minutes
	@$(BIN)/python tests/bench/bench_findings.py

.PHONY: bench-sweeps
bench-sweeps: venv  ## Eight simulated weeks of sweeps of one name: false notices, and changes that are told: [ARGS="--cadences nightly"]
	@$(BIN)/python tests/bench/bench_sweeps.py $(ARGS)

.PHONY: bench-history
bench-history: venv  ## The index of 1,000 runs of 100 hosts: its size, and how long listing and trends take
	@$(BIN)/python tests/bench/bench_history.py

.PHONY: bench-scale
bench-scale: venv packages  ## 10, 50 and 200 hosts over real ssh to this machine, as root: half an hour [HOSTS="10 50"]
	@$(BIN)/python tests/bench/bench_scale.py $(if $(HOSTS),--hosts $(HOSTS))

.PHONY: bench-builder
bench-builder: venv packages  ## What compiling costs: first and later probes for a kernel, and what is kept
	@$(BIN)/python tests/bench/bench_builder.py

.PHONY: bench-lab
bench-lab: venv packages  ## A sweep against stap --remote on two machines of the lab, cold and warm: [ARGS="--window 10"]
	@$(BIN)/python tests/bench/bench_lab.py $(ARGS)

.PHONY: bench-page
bench-page: venv packages  ## The page of 1,000 hosts: its size, and how soon Chromium shows it
	@$(BIN)/python tests/bench/bench_page.py

.PHONY: bench-forms
bench-forms: venv  ## Finding out the form of long outputs of scripts: seconds for each host
	@$(BIN)/python tests/bench/bench_forms.py

.PHONY: bench-merge
bench-merge: venv  ## From the files of 1,000 hosts with 10,000 rows each to the report, against a bare loop
	@$(BIN)/python tests/bench/bench_merge.py

.PHONY: bench
bench: venv packages  ## All benchmarks, one after the other: hours; figures as ratios in build/bench/
	@tools/bench.sh

.PHONY: docs
docs: venv  ## The site of the docs, with a picture of each probe's part of the report: build/docs/html
	@tools/docs.sh

.PHONY: wheel
wheel: venv  ## dist/: the wheel that carries the command and the collection
	@$(BIN)/python -m hatchling build -t wheel

.PHONY: sanity
sanity: venv  ## ansible-test sanity on what is shipped: [ARGS="--local --python 3.11"]
	@tools/sanity.sh $(or $(ARGS),--local)

.PHONY: clean
clean:  ## Remove what these commands made in this directory (not the lab's cache)
	@rm -rf .venv build dist .cache .pytest_cache .mypy_cache .ruff_cache .ansible .molecule .hypothesis
	@find collection src tests -name __pycache__ -type d -prune -exec rm -rf {} +

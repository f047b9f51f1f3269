# Two commands: `make book` and `make test`. Both begin with the same environment, made once.

PYTHON ?= python3
VENV ?= .venv
JOBS ?= 2

export ADDGCN_CACHE ?= $(CURDIR)/.cache
# Two processes of one thread each are faster than one of two, and sums keep their order.
export OMP_NUM_THREADS ?= 1
export PYDEVD_DISABLE_FILE_VALIDATION = 1

BIN := $(VENV)/bin
PY := $(BIN)/python
STEP := $(PY) tools/step.py
READY := $(VENV)/.installed
NOTEBOOKS = $(wildcard book/*.ipynb book/teaching/*.ipynb)
CODE := addgcn tools book/_ext
LOGS := _build/logs

.PHONY: help book pdf test lint unit chapters notebooks course bench serve address clean
.DEFAULT_GOAL := help

help:
	@echo "make book        run the chapters and build the site into _build/html"
	@echo "make pdf         the whole book as one PDF, in _build/pdf (needs Chromium or Chrome)"
	@echo "make test        lint, types, unit tests with coverage, every chapter again"
	@echo "make lint        only lint and types;  make unit: only the unit tests;  make chapters: only the chapters"
	@echo "make notebooks   execute the notebooks in place and bring them into the form they are committed in"
	@echo "make course      notebooks for students and for teachers, slides, and an archive of each, into _build/course"
	@echo "make bench       the benchmarks"
	@echo "make serve       show the site on http://localhost:8000"
	@echo "make address TO=https://github.com/OWNER/NAME   change the repository's address everywhere"
	@echo "make clean       remove what was built; the environment and the scenes stay"

$(READY): pyproject.toml tools/setup_env.py
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is not installed; this project needs Python 3.11, 3.12 or 3.13" >&2; exit 2; }
	@$(PYTHON) tools/setup_env.py $(VENV)
	@touch $@

book: $(READY)
	@echo "The book:"
	@$(PY) tools/book.py

# Printed from the finished pages.
pdf: book
	@echo "The PDF:"
	@$(PY) tools/pdf.py

test: lint unit chapters
	@echo; echo "Unit tests: $$(tail -n 1 $(LOGS)/unit.log)"; echo "Chapters:   $$(tail -n 1 $(LOGS)/chapters.log)"

lint: $(READY)
	@echo "Lint and types:"
	@$(STEP) "ruff check" $(BIN)/ruff check -q .
	@$(STEP) "ruff format" $(BIN)/ruff format -q --check .
	@$(STEP) "mypy" $(BIN)/mypy $(CODE)

unit: $(READY)
	@echo "Unit tests:"
	@$(STEP) --log $(LOGS)/unit.log "unit tests" env MPLBACKEND=Agg $(PY) -m pytest -q -n $(JOBS) --cov=addgcn --cov-report=term:skip-covered

# A notebook stays in one process (loadfile): its cells need one another.
chapters: $(READY)
	@echo "Chapters:"
ifeq ($(NOTEBOOKS),)
	@mkdir -p $(LOGS); echo "  no notebooks in book/" | tee $(LOGS)/chapters.log
else
	@$(PY) tools/book.py --scenes
	@$(STEP) --log $(LOGS)/chapters.log "chapters" $(PY) -m pytest -q -n $(JOBS) --dist loadfile \
		--nbval-lax --nbval-current-env --nbval-cell-timeout 300 $(NOTEBOOKS)
endif

notebooks: $(READY)
	@echo "Notebooks, executed in place:"
	@$(PY) tools/book.py --scenes
	@$(PY) tools/notebooks.py run --jobs $(JOBS) $(NOTEBOOKS)

# After the book, whose executed chapters have the numbers that the text quotes.
course: book
	@echo "The course:"
	@$(PY) tools/course.py

bench: $(READY)
	@for script in benchmarks/bench_*.py; do [ -e "$$script" ] || continue; $(STEP) --show "$$script" $(PY) "$$script" || exit 1; done

serve: book
	@echo "  http://localhost:8000 (stop with Ctrl-C)"
	@$(PY) -m http.server 8000 --bind 127.0.0.1 --directory _build/html >/dev/null 2>&1

address: $(READY)
	@$(PY) tools/address.py $(TO)

clean:
	@rm -rf _build .pytest_cache .mypy_cache .ruff_cache .coverage .coverage.*
	@echo "removed what was built; $(VENV) and .cache stay"

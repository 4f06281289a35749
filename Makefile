# The two commands to start with: `make demo` and `make test`.
PYTHON ?= python3
VENV ?= .venv
PICTURE ?= demo/person_dog_horse.jpg
TEXTS ?= person. dog. horse
JOBS ?= 2

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) --dist loadfile
STAMP := $(VENV)/.installed
STAMP_TESTS := $(VENV)/.installed-tests
STAMP_LINT := $(VENV)/.installed-lint
STAMP_DOCS := $(VENV)/.installed-docs
DECLARED := setup.py pyproject.toml requirements/runtime.txt

.PHONY: demo test test-slow test-all install lint format docs wheel headless clean

demo: $(STAMP)  ## find things in a picture with the model in the repository
	$(BIN)/python demo/image_demo.py $(PICTURE) glip-nano --texts '$(TEXTS)'

test: $(STAMP_TESTS)  ## run all tests but the slow ones
	$(PYTEST) -m 'not slow' $(ARGS)

test-slow: $(STAMP_TESTS)  ## run the slow tests only
	$(PYTEST) -m slow $(ARGS)

test-all: $(STAMP_TESTS)  ## run all tests
	$(PYTEST) $(ARGS)

install: $(STAMP)  ## create the environment only

lint: $(STAMP_LINT)  ## check style, spelling and types, as CI does
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell
	$(BIN)/mypy

format: $(STAMP_LINT)  ## mend what can be mended
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(STAMP_DOCS)  ## build the documentation into site/
	$(BIN)/mkdocs build --strict

wheel: | $(BIN)/python  ## build dist/*.whl
	$(PIP) wheel -q --no-deps -w dist .

clean:  ## remove the environment and what was built
	rm -rf $(VENV) build dist site *.egg-info glip/.mim

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(STAMP): $(DECLARED) | $(BIN)/python
	@echo 'installing into $(VENV), which takes some minutes the first time'
	$(PIP) install -q -e .
	@$(BIN)/python -c 'import cv2' 2> /dev/null || $(MAKE) --no-print-directory headless
	touch $@

# OpenCV's usual wheel needs libGL, which a machine without a screen may lack.
headless:
	version=$$($(BIN)/python -c "from importlib.metadata import version; \
	    print(version('opencv-python'))") && \
	$(PIP) install -q --force-reinstall --no-deps opencv-python-headless==$$version

$(STAMP_TESTS): $(STAMP) requirements/tests.txt
	$(PIP) install -q -r requirements/tests.txt
	touch $@

$(STAMP_LINT): $(STAMP) requirements/lint.txt
	$(PIP) install -q -r requirements/lint.txt
	touch $@

$(STAMP_DOCS): requirements/docs.txt | $(BIN)/python
	$(PIP) install -q -r requirements/docs.txt
	touch $@

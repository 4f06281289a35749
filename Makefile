# The two commands to start with: `make demo` and `make test`.
PYTHON ?= python3
VENV ?= .venv
PICTURE ?= demo/raccoon.jpg
TEXTS ?= raccoon
JOBS ?= 2

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n $(JOBS) --dist loadfile
STAMP := $(VENV)/.installed
STAMP_TESTS := $(VENV)/.installed-tests
DECLARED := setup.py pyproject.toml requirements/runtime.txt

.PHONY: demo test test-slow test-all install lint wheel headless clean

demo: $(STAMP)  ## find a raccoon in a picture with the model in the repository
	$(BIN)/python demo/image_demo.py $(PICTURE) glip-nano --texts '$(TEXTS)'

test: $(STAMP_TESTS)  ## run all tests but the slow ones
	$(PYTEST) -m 'not slow' $(ARGS)

test-slow: $(STAMP_TESTS)  ## run the slow tests only
	$(PYTEST) -m slow $(ARGS)

test-all: $(STAMP_TESTS)  ## run all tests
	$(PYTEST) $(ARGS)

install: $(STAMP)  ## create the environment only

lint: $(STAMP)  ## check style, and mend what can be mended
	$(PIP) install -q pre-commit
	$(BIN)/pre-commit run --all-files

wheel: | $(BIN)/python  ## build dist/*.whl
	$(PIP) wheel -q --no-deps -w dist .

clean:  ## remove the environment and what was built
	rm -rf $(VENV) build dist *.egg-info glip/.mim

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

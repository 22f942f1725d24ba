# `make lab` opens the notebooks, `make test` runs every test, `make quick` those that take no
# seconds. Each sets up .venv first, and does so again only when requirements.txt or
# pyproject.toml has changed.

SHELL := bash
BIN := .venv/bin
READY := .venv/ready

# TensorFlow has wheels for these Pythons. What the shell calls python3 comes first; each is
# started, because the name alone may be that of a version manager's empty shim.
IN_RANGE := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11; do \
	$$python -c '$(IN_RANGE)' 2>/dev/null && echo $$python && break; done)

VENV_PACKAGE = $(shell $(PYTHON) -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')
LIBRARY_PACKAGES := libgl1 libglib2.0-0
LOADS := $(BIN)/python -c 'from fer_utils import FaceDetector; FaceDetector().close()'
# What some tests watch the program with; without them they skip, but fail in CI.
TEST_TOOLS = $(shell command -v strace >/dev/null || echo strace; \
	command -v chromium chromium-browser google-chrome >/dev/null || echo chromium)

# $(call apt_install,PACKAGES) installs Debian packages, or says how to.
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
define apt_install
{ $(SUDO) apt-get update -q && $(SUDO) apt-get install -qy --no-install-recommends $(1); } \
|| { echo "System packages are missing. Please install them and try again. On Debian and Ubuntu:" \
"sudo apt-get install $(1)" >&2; false; }
endef

.PHONY: lab test quick

lab: $(READY)
	$(BIN)/jupyter lab $(if $(SUDO),,--allow-root) --ServerApp.root_dir=. notebooks/inference.ipynb

# Two processes share the test files; what the tests of one file share is made once.
PYTEST := $(BIN)/python -m pytest -p no:cacheprovider -n 2 --dist loadfile --no-loadscope-reorder

# OpenMP's threads, such as scikit-learn's, wait for each other in busy loops: with two of them in
# each of two processes on two cores, t-SNE takes twenty times as much of both.
test quick: export OMP_NUM_THREADS = 1

# Ray gives itself 15 seconds to start, too few beside another test on two cores: alone, and first.
RAY := tests/bulk/test_ray_engine.py \
	tests/lab/test_experiment.py::test_on_ray_the_answers_are_the_same_and_a_mistake_is_told_as_here
ALONE := $(BIN)/python -m pytest -p no:cacheprovider $(RAY)

# The tests' home is a temporary one: what Keras, Jupyter and Matplotlib write goes with it.
# Whatever FER_ variables the caller has set, the notebooks work on the tiny data set, and the
# slower experiments on few faces of it.
# training.ipynb, the longest, is run by tests/test_notebooks.py, which asks what it came to.
NBVAL := --nbval --nbval-current-env notebooks/inference.ipynb notebooks/evaluation.ipynb
test: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	@[ -z "$(TEST_TOOLS)" ] || ! command -v apt-get >/dev/null || $(call apt_install,$(TEST_TOOLS)) || true
	@scratch=$$(mktemp -d) && trap 'rm -rf "$$scratch"' EXIT && \
	unset FER_DATA FER_OPINIONS FER_EPOCHS FER_LIMIT FER_WEIGHTS FER_PICTURE FER_FOLDER FER_VIDEO \
	FER_PART FER_LABEL_ORDER && \
	export HOME=$$scratch FER_CACHE_DIR=$$scratch/cache FER_RUN_DIR=$$scratch/run FER_SAMPLE=14 && \
	{ $(ALONE); ray=$$?; $(PYTEST) $(NBVAL) tests $(addprefix --deselect=,$(RAY)); exit $$((ray | $$?)); }

# For between two edits: no notebook, no browser, no training.
quick: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	@scratch=$$(mktemp -d) && trap 'rm -rf "$$scratch"' EXIT && \
	HOME=$$scratch FER_CACHE_DIR=$$scratch/cache $(PYTEST) -q -m "not slow" tests

$(READY): requirements.txt pyproject.toml
	@[ -n "$(PYTHON)" ] || { echo "This project needs Python 3.11, 3.12 or 3.13, and none was" \
	"found. Install one, or name it: make PYTHON=/path/to/python3.13 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null || $(call apt_install,$(VENV_PACKAGE))
	[ -x $(BIN)/pip ] || $(PYTHON) -m venv --clear .venv
	$(BIN)/python -m pip install --disable-pip-version-check -r requirements.txt
	$(BIN)/jupyter labextension disable "@jupyterlab/apputils-extension:announcements"
	@$(LOADS) 2>/dev/null || { $(call apt_install,$(LIBRARY_PACKAGES)); $(LOADS); }
	touch $@

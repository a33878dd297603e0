# Everything a person types. `make help` says what there is.
# Needs Python 3.11 or newer, make and a package index; all it installs stays under .venv.

.DEFAULT_GOAL := help
.PHONY: help demo test check prove mutants bench lock clean \
	functions-environment demo-environment development-environment

VENV ?= .venv
# The package cache is shared, so that a package of two environments is fetched once.
export PIP_CACHE_DIR := $(CURDIR)/.venv/cache/pip
export UV_CACHE_DIR := $(CURDIR)/.venv/cache/uv
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_USER := 0
unexport PYTHONPATH PYTHONHOME PYTHONDONTWRITEBYTECODE

# The functions of the embedded default run in an environment and a folder of their own, so it is
# named from the root.
FUNCTIONS_PYTHON := "$$PWD/$(VENV)/functions/bin/python"
DEMO_PYTHON := $(VENV)/demo/bin/python
DEVELOPMENT := $(VENV)/development/bin
DEVELOPMENT_PYTHON := $(DEVELOPMENT)/python

help: ## Say what there is
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' $(firstword $(MAKEFILE_LIST)) \
		| while IFS='|' read -r target says; do printf '  make %-12s %s\n' "$$target" "$$says"; done
	@echo 'PYTHON=… chooses the interpreter. For a deployed stack: pipx install . && autopilot --help'

# What a person says reaches the recipes through their environment, to the letter: any text is safe.
SAID := SITE CHAPTER PACKAGE
$(foreach name,$(SAID),$(eval override $(name) := $$(value $(name))))
export $(SAID)

demo: functions-environment demo-environment ## Watch the suite work on this machine (SITE=folder, CHAPTER=name)
	@exec $(DEMO_PYTHON) -m local.demo --functions-python $(FUNCTIONS_PYTHON) \
		$(if $(SITE),--site "$$SITE") $(if $(CHAPTER),--chapter "$$CHAPTER")

# One file, or one test of it, is done before worker processes would have started. In the order of
# their folders the files that take long come first; by their number of tests, they would come last.
paths_in_args = $(foreach word,$(ARGS),$(wildcard $(firstword $(subst ::, ,$(word)))))
is_one_file = $(and $(filter 1,$(words $(paths_in_args))),$(filter %.py,$(paths_in_args)))

test: functions-environment development-environment ## Run the tests (ARGS=… for pytest)
	@FUNCTIONS_PYTHON=$(FUNCTIONS_PYTHON) $(DEVELOPMENT_PYTHON) -m pytest -q \
		$(if $(is_one_file),,--numprocesses auto --dist loadfile --no-loadscope-reorder) $(ARGS)

check: development-environment ## Lint, types, import rules, template
	@echo 'check: lint (ruff check)'
	@$(DEVELOPMENT_PYTHON) -m ruff check --quiet .
	@echo 'check: format (ruff format)'
	@$(DEVELOPMENT_PYTHON) -m ruff format --quiet --diff .
	@echo 'check: types (mypy)'
	@$(DEVELOPMENT_PYTHON) -m mypy --no-error-summary
	@echo 'check: import rules (lint-imports)'
	@PYTHONPATH=.:layers/cloudfront $(DEVELOPMENT)/lint-imports --no-logo
	@echo 'check: attributes of rows that stand in texts (pytest)'
	@$(DEVELOPMENT_PYTHON) -m pytest -q tests/unit/cdn/aws/test_rows.py
	@echo 'check: template (cfn-lint)'
	@$(DEVELOPMENT)/cfn-lint template.yaml
	@echo 'check: all well'

profiles := short full
profile = $(or $(filter $(profiles),$(or $(PROFILE),short)),$(error PROFILE is one of: $(profiles)))

# What is measured is measured alone.
prove: functions-environment development-environment ## Run the long tests (PROFILE=full: the longest, too)
	@FUNCTIONS_PYTHON=$(FUNCTIONS_PYTHON) $(DEVELOPMENT_PYTHON) -m pytest -q \
		-m "prove$(if $(filter full,$(profile)), or full)" \
		--numprocesses auto --dist worksteal --ignore=tests/benchmarks $(ARGS)
	@$(DEVELOPMENT_PYTHON) -m pytest -q -m prove tests/benchmarks

mutants: functions-environment development-environment ## List changes of conditions that no unit test notices (PACKAGE=aws)
	@FUNCTIONS_PYTHON=$(FUNCTIONS_PYTHON) $(DEVELOPMENT_PYTHON) -m tests.mutation "$$PACKAGE"

bench: functions-environment development-environment ## Measure signing, as ratios, into bench.json
	@FUNCTIONS_PYTHON=$(FUNCTIONS_PYTHON) PYTHONPATH=.:layers/cloudfront \
		$(DEVELOPMENT_PYTHON) -m tests.benchmarks $(ARGS)

# The layers first: what ships decides, and the environments agree with it.
lock: development-environment ## Renew the locked requirements
	$(call compile,layers/boto3,layers/boto3/requirements.txt)
	$(call compile,layers/cloudfront,layers/cloudfront/requirements.txt)
	$(call compile,functions,requirements/functions.txt)
	$(call compile,demo,requirements/demo.txt)
	$(call compile,development,requirements/development.txt)

clean: ## Remove what was installed, built or cached
	rm -rf .venv .venv-* .aws-sam .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

functions-environment demo-environment development-environment: %-environment:
	$(call install,$*)

# $(call compile,INPUT,OUTPUT): hashes for every platform and for Python 3.11 on; no index is named.
define compile
@echo 'lock: $(2)'
@$(DEVELOPMENT_PYTHON) -m uv pip compile --quiet --upgrade --universal --python-version 3.11 \
	--generate-hashes --no-emit-index-url --custom-compile-command 'make lock' \
	requirements/$(1).in --output-file $(2)
endef

# $(call install,NAME): make $(VENV)/NAME hold requirements/NAME.txt; nothing to do where it does.
# The stamp is written last, so what was interrupted starts anew; it names all that the environment
# depends on: the locked requirements, the interpreter, and this folder, which scripts in it name.
define install
@wanted="$$(cksum < requirements/$(1).txt) $(python) $$($(python) -V) $$PWD"; \
there=$(VENV)/$(1); stamp="$$there/installed"; errors="$$there/pip-errors.txt"; \
if [ "$$(cat "$$stamp" 2>/dev/null)" = "$$wanted" ]; then exit 0; fi; \
total=$$(grep -c '^[a-z].*==' requirements/$(1).txt); \
echo "$(1): making $$there with $$($(python) -V): $$total packages, once"; \
rm -rf "$$there"; \
$(python) -m venv "$$there" || { rm -rf "$$there"; exit 1; }; \
{ "$$there/bin/python" -m pip install --require-hashes -r requirements/$(1).txt 2> "$$errors" \
	&& printf '%s\n' "$$wanted" > "$$stamp"; } | { seen=0; while read -r first rest; do \
	case "$$first" in \
	Collecting|Processing|Ignoring) seen=$$((seen + 1)); \
		[ -t 1 ] && printf '\r%s: fetching %s of %s ' $(1) $$seen $$total;; \
	Installing) [ -t 1 ] && echo; echo "$(1): fetched, installing";; \
	esac; done; }; \
if [ ! -f "$$stamp" ]; then \
	tail -n 15 "$$errors"; \
	echo "$(1): not installed; what pip said stands above. Can this machine reach a package index"; \
	echo '  (pip config list)? Mend that and type the same again: it starts anew.'; \
	exit 1; \
fi; \
echo "$(1): installed"
endef

# The first interpreter that really runs (a version manager's shim may exist and refuse), is new
# enough and can make environments (Debian packs venv apart). Looked for once, and only if needed.
# An active environment counts as the interpreter that it was made from: it may be one of ours.
candidates := $(or $(PYTHON),python3.13 python3.12 python3.11 python3.14 python3)
suits := import ensurepip, sys, venv; sys.version_info < (3, 11) and sys.exit(1); \
	print(sys._base_executable)
python = $(eval python := $(or $(shell for candidate in $(candidates); do \
	"$$candidate" -c '$(suits)' 2>/dev/null && break; done),$(error \
	No Python 3.11 or newer with venv among: $(candidates). \
	Install one (on Debian with python3-venv) or name it: make PYTHON=/path/to/python …)))$(python)

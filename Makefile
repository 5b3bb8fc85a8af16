# Every target sets up .venv from the lock by itself. `make` or `make help` lists them.
# Without make, each recipe is a command to type by hand, after: python3 envs/set_up.py

PYTHON ?= $(firstword $(foreach p,python3.11 python3.12 python3.13 python3,$(shell command -v $(p) 2>/dev/null)))
BIN := .venv/bin
SNAKEMAKE := $(BIN)/snakemake --cores 1
STUDY ?= sample
# The study file that names the study; a name that no file holds stops make and lists those there are.
STUDIES = $(sort $(shell sed -nE 's/^study: *([a-z0-9-]+).*/\1/p' config*.yaml))
CONFIG ?= $(or $(firstword $(shell grep -lE '^study: *$(STUDY)([[:space:]]|$$)' config*.yaml)),$(error \
    no config*.yaml names the study $(STUDY); there are: $(STUDIES)))
ifneq ($(filter reproduce report review,$(MAKECMDGOALS)),)
_ := $(CONFIG) # stops before anything is installed or run
endif
FILE ?= study.tar.gz
CRATE ?= build/crate
FOLDER ?= resources/jobmc-release
REVIEW := results/$(STUDY)/review/problems.html
RELEASED := --configfile config.released.yaml --config 'exams={folder: "$(FOLDER)"}'

.PHONY: help setup reproduce test lint format report review student released released-scans paper rehearsal bench dag study-long torture lock docs readme pictures site page-bundle matrix cluster-test pack unpack export

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

setup: ## make .venv from the lock with hashes
	@test -n "$(PYTHON)" || { echo "setup: no python3 found; install Python 3.11, 3.12 or 3.13"; exit 1; }
	@$(PYTHON) envs/set_up.py

reproduce: setup ## run the sample study from exam PDFs to the claims table
	$(SNAKEMAKE) --configfile $(CONFIG)

test: setup ## run every test, the sample study end to end among them
	$(BIN)/python -m pytest tests -n 2 --dist loadscope --no-loadscope-reorder

lint: setup ## ruff, snakefmt, mypy, dead code and snakemake --lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile rules
	$(BIN)/mypy
	$(BIN)/python -m tests.dead_code
	$(SNAKEMAKE) --lint

format: setup ## format every file
	$(BIN)/ruff format .
	$(BIN)/snakefmt Snakefile rules

report: setup ## Snakemake's report with every table and figure, and the review page: report.html
	$(SNAKEMAKE) all $(REVIEW) --configfile $(CONFIG)
	$(SNAKEMAKE) all $(REVIEW) --configfile $(CONFIG) --report report.html

review: setup ## flagged problems beside their pictures, on one page: make review STUDY=sample
	$(BIN)/distil review --study $(STUDY)

student: setup ## rebuild the sample student from nothing and put it in resources/student
	$(SNAKEMAKE) results/sample/student/model.lock.json --configfile config.yaml
	cp results/sample/student/* resources/student/

released: setup ## re-analyse the public release: make released FOLDER=path/to/download
	$(SNAKEMAKE) $(RELEASED)

released-scans: setup ## read the release's scans and hold them against its transcription; minutes
	$(SNAKEMAKE) results/released/tables/extraction.csv results/released/review/problems.html $(RELEASED)

# The paper study, smallest first: a further stage adds its study file to those before it.
STAGE ?= problems
PAPER_problems := config.paper.yaml
PAPER_traces := config.paper.yaml
PAPER_primary := config.paper.yaml
PAPER_folds := config.paper.yaml config.paper-folds.yaml
PAPER_levels := config.paper.yaml config.paper-folds.yaml config.paper-levels.yaml

paper: setup ## the full study, a stage: make paper STAGE=problems, then traces, primary, folds, levels
	$(if $(PAPER_$(STAGE)),,$(error STAGE=$(STAGE): there are problems, traces, primary, folds, levels))
	$(SNAKEMAKE) --configfile $(PAPER_$(STAGE)) -- $(STAGE)

rehearsal: setup ## the paper study on real papers, teacher replayed, model random: FOLDER=path/to/release
	$(BIN)/python -m benchmarks.rehearsal $(if $(wildcard $(FOLDER)/datafile),--release "$(FOLDER)")

lock: ## lock all packages with hashes and without addresses (needs uv)
	uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --no-header \
	    --python-version 3.11 --group dev pyproject.toml --output-file requirements.lock
	$(PYTHON) envs/conda.py > envs/study.yaml

docs: setup ## make the reference: docs/config.md, docs/commands.md and docs/tables.md
	$(BIN)/python -m docs.pages reference

readme: setup ## put the claims of the finished sample study into the README
	$(BIN)/python -m docs.pages readme

pictures: setup ## take the pictures in docs/ from the page of the finished sample study (needs Chromium)
	$(BIN)/python -m docs.pages pictures

site: docs ## build the documentation as a site, offline, with the page of a finished STUDY: build/site
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet
	@if [ -f results/$(STUDY)/index.html ]; then \
	    $(BIN)/distil page build/site/$(STUDY).zip --study $(STUDY) && \
	    $(BIN)/python -m zipfile -e build/site/$(STUDY).zip build/site; \
	else echo "without the page of a study: results/$(STUDY) is not finished"; fi
	@echo "open build/site/index.html"

page-bundle: ## bundle the page of a study anew from distil/report/page/web (needs node and npm)
	@mkdir -p build/page
	cp -r distil/report/page/web/. build/page/
	cd build/page && npm ci --no-audit --no-fund && node build.mjs $(CURDIR)/distil/report/page/page.html

matrix: setup ## write which change reruns which rules into docs/matrix.md, from the micro study
	DISTIL_DOCS=1 $(BIN)/python -m pytest tests/workflow/test_mutations.py -k matrix

bench: setup ## print every ratio that the README states; BEFORE=results/STUDY of another state: its seconds too
	$(SNAKEMAKE) --quiet all results/sample/datasets/temporal/prompt/train.jsonl
	@for name in extraction grading estimators student lineage; do \
	    echo "== $$name"; $(BIN)/python -m benchmarks.$$name || exit 1; done
	@if [ -n "$(BEFORE)" ]; then echo "== jobs"; $(BIN)/python -m benchmarks.jobs $(BEFORE) results/sample; \
	else echo "== jobs: name the results of the state to compare with: make bench BEFORE=PATH/results/sample"; fi

dag: setup ## draw the rule graph and the file graph: build/rules.svg, build/files.svg
	$(BIN)/distil dag build --study $(STUDY)

study-long: setup ## 1,000 iterations and an adapter per level as well; about two hours
	$(SNAKEMAKE) --configfile config.long.yaml

torture: setup ## every fault test at its full count, an hour; writes docs/torture.md
	$(BIN)/python -m benchmarks.torture

cluster-test: setup ## studies on Slurm: bytes of a local run, kills; CLUSTER_STUDIES="FILE ..." or REHEARSAL=small; writes docs/cluster-test.md
	$(BIN)/python -m benchmarks.cluster $(CLUSTER_STUDIES) $(if $(REHEARSAL),--rehearsal $(REHEARSAL))

pack: setup ## results, records and metadata in one file: make pack STUDY=sample FILE=study.tar.gz
	$(BIN)/distil pack $(FILE) --study $(STUDY)

unpack: setup ## put a packed study in place, checked: make unpack FILE=study.tar.gz
	$(BIN)/distil unpack $(FILE)

export: setup ## the study as an RO-Crate with Croissant: make export STUDY=sample CRATE=build/crate
	$(BIN)/distil export $(CRATE) --study $(STUDY)

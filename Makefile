# Two commands: `make demo` writes a report with no server, `make test` proves the project. Both set up what they need.
VENV ?= .venv
BIN := $(VENV)/bin
# Servers and browsers are started by the tests, so a few workers keep two cores busy.
WORKERS ?= auto

.PHONY: help demo test lint types unit wheel servers bench picture clean

help:  ## this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/' | expand -t 12

demo:  ## simulate a month, evaluate it and write the weekly report into demo-report/
	@.ci/venv $(VENV) report,pdf,ledger,parquet,dashboards
	$(BIN)/sla-kit demo --out demo-report

test: servers lint types unit wheel  ## everything: linters, types, tests against real servers, the wheel

.PHONY: $(VENV)/dev
$(VENV)/dev:
	@.ci/venv $(VENV) dev

servers: $(VENV)/dev  ## install what the tests start (Prometheus, its exporters, PostgreSQL, Redis, Chromium …)
	@.ci/servers
	@.ci/tools
	@.ci/base-image
	@.ci/elasticsearch $(BIN)/python
	@.ci/elasticsearch-types

lint: $(VENV)/dev  ## ruff
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/dev  ## mypy --strict
	$(BIN)/mypy

unit: $(VENV)/dev  ## pytest, in parallel
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup

wheel: $(VENV)/dev  ## build the wheel and the source distribution
	$(BIN)/python -m build --outdir dist . > /dev/null
	@ls dist

bench: $(VENV)/dev servers  ## every benchmark, each beside a peer
	@.ci/tools sloth
	$(BIN)/python -m bench.decode
	$(BIN)/python -m bench.report
	$(BIN)/python -m bench.scale
	$(BIN)/python -m bench.ledger
	$(BIN)/python -m bench.forecast
	$(BIN)/python -m bench.rules
	$(BIN)/python -m bench.dashboards
	$(BIN)/python -m bench.backtest
	$(BIN)/python -m bench.exporters_scrape
	$(BIN)/python -m bench.soak
	$(BIN)/python -m bench.exporters_sql
	$(BIN)/python -m bench.exporters_slo
	$(BIN)/python -m bench.exporters_logs
	$(BIN)/python -m bench.logs_slos
	$(BIN)/python -m bench.logs_load
	$(BIN)/python -m bench.logs_errors
	$(BIN)/python -m bench.routing_accept
	$(BIN)/python -m bench.routing_storm
	$(BIN)/python -m bench.routing_outbox

picture: demo servers  ## the README's picture, from the demo's report
	$(BIN)/python -m tests.picture demo-report/report.html docs/report.png

clean:  ## remove what was built
	rm -rf build dist demo-report *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis

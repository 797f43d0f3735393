PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: run test test-slow screenshots week check docs histories history coverage faults bench lock clean

run: $(INSTALLED)  ## the sandbox, the Dagster UI and the sensors; Ctrl-C stops everything
	@SOLTEQ_WOO_PRODUCTS_POLL_SECONDS=$${SOLTEQ_WOO_PRODUCTS_POLL_SECONDS:-2} \
	SOLTEQ_WOO_CAMPAIGNS_POLL_SECONDS=$${SOLTEQ_WOO_CAMPAIGNS_POLL_SECONDS:-2} \
	SOLTEQ_WOO_BALANCES_POLL_SECONDS=$${SOLTEQ_WOO_BALANCES_POLL_SECONDS:-2} \
	SOLTEQ_WOO_CUSTOMERS_TO_WOO_POLL_SECONDS=$${SOLTEQ_WOO_CUSTOMERS_TO_WOO_POLL_SECONDS:-2} \
	SOLTEQ_WOO_CUSTOMERS_TO_SOLTEQ_POLL_SECONDS=$${SOLTEQ_WOO_CUSTOMERS_TO_SOLTEQ_POLL_SECONDS:-2} \
	SOLTEQ_WOO_SALES_POLL_SECONDS=$${SOLTEQ_WOO_SALES_POLL_SECONDS:-2} \
	exec $(BIN)/solteq-woo run

test: $(INSTALLED)  ## the tests, but for the slow ones
	$(BIN)/pytest -n auto --dist worksteal -m "not slow"

test-slow: $(INSTALLED)  ## the tests marked slow: in a browser, a process killed at every step, long sequences of days
	$(BIN)/pytest solteq_woo_assets_tests/browser  # alone: a browser, the UI and the daemon keep both cores busy
	$(BIN)/pytest -n auto --dist worksteal -m slow --ignore solteq_woo_assets_tests/browser

screenshots: $(INSTALLED)  ## the documentation's pictures of the UI, taken by the browser tests
	SCREENSHOTS=1 $(BIN)/pytest -p no:cacheprovider solteq_woo_assets_tests/browser

week: $(INSTALLED)  ## a shop's week in bad weather: 5,000 orders, 50 runs killed; takes 20 minutes
	$(BIN)/python -W ignore -m solteq_woo_assets_tests.flows.sales.week

check: $(INSTALLED)  ## lint, format and types, of Python and SQL
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/sqlfluff lint --processes 2 solteq_woo_assets  # the queries, in DuckDB's dialect
	$(BIN)/pyright

docs: $(INSTALLED)  ## the documentation, in build/docs; a broken link fails
	$(BIN)/sphinx-build -W -n --keep-going -E -q docs build/docs

histories: $(INSTALLED)  ## the shop's life simulated: N=… MINUTES=… SEED=first DAGSTER=1
	$(BIN)/python -m solteq_woo_assets_tests.simulation histories \
		$(if $(N),--number $(N)) $(if $(MINUTES),--minutes $(MINUTES)) $(if $(SEED),--first $(SEED)) $(if $(DAGSTER),--dagster)

history: $(INSTALLED)  ## the story of one seed: SEED=… UPTO=… ONLY=… DAGSTER=1
	@$(BIN)/python -m solteq_woo_assets_tests.simulation history $(SEED) \
		$(if $(UPTO),--upto $(UPTO)) $(if $(ONLY),--only $(ONLY)) $(if $(DAGSTER),--dagster)

faults: $(INSTALLED)  ## faults of the past put back, and after how many histories each is found: ONLY=name N=most SEED=first
	$(BIN)/python -m solteq_woo_assets_tests.simulation.faults find $(ONLY) \
		$(if $(N),--number $(N)) $(if $(SEED),--first $(SEED))

coverage: $(INSTALLED)  ## how much of the flows and the engine histories take: N=… SEED=first
	rm -rf build/coverage && mkdir -p build/coverage
	-$(BIN)/coverage run -m solteq_woo_assets_tests.simulation histories --shrunk 0 \
		--number $(or $(N),20) $(if $(SEED),--first $(SEED))
	$(BIN)/coverage combine --quiet
	$(BIN)/coverage report

bench: $(INSTALLED)  ## figures, as a table and JSON; no pass or fail
	$(BIN)/python -m benchmarks

lock: $(INSTALLED)  ## pins every dependency again, within the bounds of pyproject.toml
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 \
		--generate-hashes --no-strip-extras --no-header --no-emit-index-url --output-file requirements.lock

clean:  ## the sandbox's data with its database, and Dagster's; not .env, not a real shop's database
	rm -rf .sandbox .dagster

$(INSTALLED): requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

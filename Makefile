# fidelio-bitrix24. A newcomer needs two of these: `make run` and `make test`.

.PHONY: run test lint fix bench bench-crash audit fuzz traceability openapi help

help: ## this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

run: ## the product with an emulated portal and an emulated hotel; prints one URL
	@scripts/run

test: ## everything: Rust on both databases, frontend, browser; sets up what it needs
	@scripts/test

lint: ## formatting, clippy, frontend lint and types, settings and deploy files
	@scripts/lint

fix: ## what can be repaired by itself
	@cargo fmt --all
	@cargo clippy --workspace --all-targets --fix --allow-dirty --allow-staged
	@cd frontend && npm run --silent fix

bench: ## speed and memory as ratios and medians of one run
	@scripts/bench

bench-crash: ## some five hundred kills on both databases and on two nodes (about a quarter of an hour)
	@scripts/bench crash

audit: ## licences, advisories, unused dependencies (installs its tools: minutes)
	@scripts/audit

fuzz: ## coverage-guided fuzzing of the XML reader and the form decoder, a minute each (needs a C++ compiler)
	@scripts/fuzz

traceability: ## docs/traceability.md from the names of the tests
	@scripts/traceability > docs/traceability.md

openapi: ## accept the OpenAPI document as it is now
	@INSTA_UPDATE=always cargo test --test it -- api_openapi

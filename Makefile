# Everything a developer does here. Go, make and (Debian's) apt-get are all that must be on the machine: `make setup`
# installs the rest. GOFLAGS and GOPROXY are obeyed as they stand in the environment.

.PHONY: help run build test bench fuzz lint nightly vuln screenshots setup
.DEFAULT_GOAL := help

FUZZTIME ?= 20s
TOOL := go tool -modfile=.ci/tools.mod

help: ## this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile | expand -t 13

run: ## the story of a suspension, then a school of 500 to look at: no database, no account needed
	go run ./cmd/curfew demo

build: ## the product: build/curfew, without cgo
	CGO_ENABLED=0 go build -trimpath -o build/curfew ./cmd/curfew

test: ## all that must be true: lint, unit, contract and race tests, crashes, end to end; what CI runs
	@go run .ci/test.go

lint: ## vet, staticcheck, formatting, the borders between packages
	$(TOOL) golangci-lint run

bench: ## the ratios that docs and issues speak of, measured here and now (BENCH=-h lists its flags)
	go run ./bench $(BENCH)

fuzz: ## every fuzz target for FUZZTIME (20s)
	@.ci/fuzz $(FUZZTIME)

vuln: ## known vulnerabilities in what we use; needs a network
	$(TOOL) govulncheck ./...

nightly: test ## test, then what takes longer or needs a network
	go test -count=1 -timeout 60m ./revoke -rapid.checks=1000000
	go test -count=1 -timeout 180m ./store ./cmd/curfew -run 'TestF[0-9]|TestFaults|TestProgram/crash' -thorough
	$(MAKE) fuzz FUZZTIME=2m
	$(MAKE) vuln

screenshots: setup ## every page at two widths and in both themes, into build/screenshots: look at them
	@rm -rf build/screenshots && mkdir -p build/screenshots
	go test ./cmd/curfew -count=1 -run 'TestBrowser/pages$$' -pictures "$(CURDIR)/build/screenshots"

setup: ## installs what the tests need beside Go: a C compiler, PostgreSQL, nginx, Caddy, curl, Node, Chromium
	@.ci/setup

# immudoc: `make help` explains every target.
#
# Needs Go and make; what else a target needs it installs or builds itself
# (hack/need.sh), or it says what is missing.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

GO       ?= go
BIN      := $(CURDIR)/bin
TOOLS    := $(BIN)/tools
# How long each fuzz target runs in `make fuzz`, and which benchmarks
# `make bench` runs.
FUZZTIME ?= 30s
BENCH    ?= .
# Anything more for `go test`: make test TESTFLAGS='-run TestImport -v'
TESTFLAGS ?=

# What `immudb version` prints. The version stays immudb's own: a replica refuses
# a primary whose version is not its own, to the letter, and replication between
# a stock server and this one is to work. Ours stands in the commit line.
IMMUDB_VERSION = $(shell $(GO) list -m -f '{{.Version}}' github.com/codenotary/immudb | sed 's/^v//')
COMMIT  = $(shell git rev-parse HEAD 2>/dev/null || echo unknown) (immudoc $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown))
# The commit's time, not the clock's: the same source gives the same programs.
BUILT_AT = $(shell git log -1 --format=%ct 2>/dev/null || echo 0)
VERSION_PKG := github.com/codenotary/immudb/cmd/version
LDFLAGS = -s -w \
	-X '$(VERSION_PKG).Version=$(IMMUDB_VERSION)' \
	-X '$(VERSION_PKG).Commit=$(COMMIT)' \
	-X '$(VERSION_PKG).BuiltBy=make build' \
	-X '$(VERSION_PKG).BuiltAt=$(BUILT_AT)' \
	-X '$(VERSION_PKG).Static=static'

.PHONY: help
help: ## this list
	@echo 'make TARGET, where TARGET is one of'
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo 'The first demo, build, test or lint compiles immudb or the linters and takes minutes; later ones are fast.'

.PHONY: demo
demo: build ## start a server, store and change real documents, prove and verify one property
	@hack/demo.sh

.PHONY: build
build: ## compile bin/immudb and bin/immuclient (static, no C compiler needed)
	@if [ ! -x $(BIN)/immudb ] || [ ! -x $(BIN)/immuclient ]; then \
		echo 'First build: Go downloads the modules, then compiles immudb and its dependencies'; \
		echo 'into bin/immudb and bin/immuclient. That takes some minutes; later builds take seconds.'; \
	fi
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags "$(LDFLAGS)" -o $(BIN)/ ./cmd/immudb ./cmd/immuclient

.PHONY: test
test: ## run all tests with the race detector (TESTFLAGS adds flags for go test)
	@hack/need.sh gcc
	$(GO) test -race -timeout 15m $(TESTFLAGS) ./...

.PHONY: lint
lint: $(TOOLS)/.stamp ## golangci-lint with .golangci.yml, and gofumpt's formatting
	$(TOOLS)/golangci-lint run ./...

.PHONY: bench
bench: ## run the benchmarks (BENCH=regexp chooses; compare two runs with benchstat)
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchmem -timeout 60m ./...

.PHONY: fuzz
fuzz: ## run every fuzz target for FUZZTIME (default 30s each)
	@hack/fuzz.sh $(FUZZTIME)

.PHONY: generate
generate: ## lint the protobuf sources and write the Go code generated from them again
	@tools/generate.sh

# The tools have a module of their own, so that users of this module do not
# inherit their dependencies.
$(TOOLS)/.stamp: tools/go.mod tools/go.sum
	@echo 'Compiling the linters that tools/go.mod pins into bin/tools: some minutes, once.'
	@mkdir -p $(TOOLS)
	GOBIN=$(TOOLS) $(GO) -C tools install tool
	@touch $@

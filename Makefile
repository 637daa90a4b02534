# Switchboard. `make help` lists the targets.

GO            ?= go
GOLANGCI_LINT := $(GO) run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0
SWAGGER_UI    := 5.35.0
HTMX          := 4.0.1
UPLOT         := 1.6.32
AXE           := 4.14.1
WORKFLOWCHECK := $(GO) run go.temporal.io/sdk/contrib/tools/workflowcheck@v0.6.0
# The names that the browser tests look for.
BROWSERS      := chromium-headless-shell chromium chromium-browser google-chrome

# What links the Temporal server is tested without the race detector: building
# the server for it costs more than the whole rest. The code that is ours is in
# the other packages.
SERVER_PACKAGES := ./cmd/... ./deploy/...
RACE_PACKAGES   := . ./activities/... ./api/... ./catalogue/... ./client/... ./console/... ./filter/... ./ingest/... ./signing/... ./store/... ./webhook/... ./worker/... ./workflows/...

.PHONY: help
help: ## List the targets.
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-16s %s\n", $$1, $$2}'

.PHONY: run
run: ## Start Switchboard with everything that it needs, and a demo. Passes on ARGS="--no-demo --api-addr …".
	@echo "  … building Switchboard (the first time about two minutes on two processors, then seconds)"
	@start=$$(date +%s); $(GO) build -o bin/ ./cmd/switchboard ./cmd/switchboard-stack && echo "  … built it in $$(($$(date +%s) - start)) s"
	@exec bin/switchboard-stack $(ARGS)

.PHONY: build
build: ## Build the production binary, and the development stack with a Temporal server compiled in, into bin/.
	$(GO) build -o bin/ ./cmd/switchboard ./cmd/switchboard-dev

.PHONY: test
test: receivers prometheus last-release fmt lint determinism unit end-to-end deploy-check ## Run everything that CI runs; installs what it needs.

.PHONY: receivers
receivers: ## Install the programs that tests run besides Postgres: its client, Node.js, Python, PHP, Ruby, Java, OpenSSL, curl, wget, nc, Chromium (apt-get, as root or with sudo).
	@missing=; for program in node python3 openssl curl wget; do command -v $$program >/dev/null || missing="nodejs python3 openssl curl wget"; done; \
	for program in $(BROWSERS); do command -v $$program >/dev/null && found=1; done; \
	test -n "$$found" || missing="$$missing chromium-headless-shell"; \
	python3 -c 'import cryptography' 2>/dev/null || missing="$$missing python3-cryptography"; \
	command -v nc >/dev/null || missing="$$missing netcat-openbsd"; \
	command -v pg_dump >/dev/null || missing="$$missing postgresql-client"; \
	command -v php >/dev/null || missing="$$missing php-cli"; \
	command -v ruby >/dev/null || missing="$$missing ruby"; \
	command -v javac >/dev/null || missing="$$missing default-jdk-headless"; \
	test -z "$$missing" || { \
		sudo=$$(test "$$(id -u)" = 0 || echo "sudo -n"); \
		$$sudo apt-get update && $$sudo apt-get install -y --no-install-recommends $$missing; \
	} || { echo "the tests need pg_dump, node, python3 with its package cryptography, php, ruby, java and javac (17 or later), openssl, curl, wget, nc and one of $(BROWSERS): install them, and start again"; exit 1; }

.PHONY: prometheus
prometheus: ## Unpack Debian's Prometheus into bin/debian, if none is installed. It installs nothing and starts no service.
	@command -v promtool >/dev/null || test -x bin/debian/usr/bin/promtool || { \
		dir=$$(mktemp -d) && trap 'rm -rf "$$dir"' EXIT && chmod 755 "$$dir" && \
		{ (cd "$$dir" && apt-get download -qq prometheus) 2>/dev/null || { $$(test "$$(id -u)" = 0 || echo "sudo -n") apt-get update && (cd "$$dir" && apt-get download -qq prometheus); }; } && \
		mkdir -p bin/debian && dpkg -x "$$dir"/prometheus_*.deb bin/debian; \
	} || { echo "the tests need prometheus and promtool: install them, and start again"; exit 1; }

.PHONY: last-release
last-release: ## Fetch the source of the last release, for tests that upgrade from it and go back.
	@release=$$(git describe --tags --abbrev=0 --match 'v*' HEAD^ 2>/dev/null || sed -n 's/^commit //p' deploy/last_release); \
	git cat-file -e "$$release^{commit}" 2>/dev/null || git fetch --quiet --depth 1 origin "$$release" || \
	echo "UPGRADES ARE NOT TESTED WITH THE LAST RELEASE, $$release: this checkout does not have it, and cannot fetch it. The present source stands in for it."

.PHONY: vendor-docs
vendor-docs: ## Fetch the Swagger UI of the documentation page from npm, in the version in this file.
	@dir=$$(mktemp -d) && trap 'rm -rf "$$dir"' EXIT && npm pack --silent --pack-destination "$$dir" swagger-ui-dist@$(SWAGGER_UI) >/dev/null && \
	tar -xzf "$$dir"/*.tgz -C "$$dir" && cd "$$dir/package" && \
	cp swagger-ui-bundle.js swagger-ui-bundle.js.LICENSE.txt swagger-ui.css LICENSE NOTICE "$(CURDIR)/api/rest/docs/" && \
	echo "swagger-ui-dist $(SWAGGER_UI) (Apache-2.0), from npm by make vendor-docs" > "$(CURDIR)/api/rest/docs/VERSION"

.PHONY: vendor-console
vendor-console: ## Fetch third-party scripts of the console and its tests from npm, in the versions in this file. Needs zopfli.
	@dir=$$(mktemp -d) && trap 'rm -rf "$$dir"' EXIT && to="$(CURDIR)/console/assets" && cd "$$dir" && npm pack --silent htmx.org@$(HTMX) uplot@$(UPLOT) axe-core@$(AXE) >/dev/null && \
	tar -xzf htmx.org-$(HTMX).tgz && zopfli -c package/dist/htmx.min.js >"$$to/htmx-$(HTMX).min.js.gz" && cp package/LICENSE "$$to/htmx-LICENSE.txt" && \
	tar -xzf uplot-$(UPLOT).tgz && zopfli -c package/dist/uPlot.iife.min.js >"$$to/uplot-$(UPLOT).min.js.gz" && cp package/LICENSE "$$to/uplot-LICENSE.txt" && \
	tar -xzf axe-core-$(AXE).tgz && cp package/axe.min.js package/LICENSE package/LICENSE-3RD-PARTY.txt "$(CURDIR)/console/testdata/axe/" && \
	echo "axe-core $(AXE) (MPL-2.0), from npm by make vendor-console; for the browser tests alone" > "$(CURDIR)/console/testdata/axe/VERSION"

.PHONY: fmt
fmt: ## Fail if a file is not formatted.
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); test -z "$$unformatted" || { echo "not formatted:"; echo "$$unformatted"; exit 1; }

.PHONY: vet
vet: ## Run go vet.
	$(GO) vet ./...

.PHONY: lint
lint: ## Run golangci-lint, fetched through the Go module proxy. It includes go vet.
	$(GOLANGCI_LINT) run ./...

.PHONY: determinism
determinism: ## Check statically that workflows are deterministic.
	$(WORKFLOWCHECK) ./workflows/...

.PHONY: unit
unit: ## Test each package: real Postgres, replayed histories, race detector.
	$(GO) test -race -timeout 20m $(RACE_PACKAGES)

.PHONY: end-to-end
end-to-end: ## Test the whole system on the embedded Temporal server and Postgres.
	$(GO) test -timeout 15m $(SERVER_PACKAGES)

.PHONY: alerts
alerts: ## Cause the fault of each alert, check that it fires and clears, and check the dashboard (about 11 minutes).
	$(GO) -C deploy/check/alerts test -timeout 30m .

.PHONY: deploy-check
deploy-check: ## Check compose.yaml and the chart with the code of Compose and Helm, and check that everything in deploy/ agrees.
	$(GO) -C deploy/check vet . ./composeconfig
	$(GO) -C deploy/check test -timeout 10m .
	$(GO) -C deploy/check/alerts vet ./rules
	$(GO) -C deploy/check/alerts test ./rules

.PHONY: chart-docs
chart-docs: ## Write the list of values from values.yaml into the chart's README.
	UPDATE_DOCS=1 $(GO) -C deploy/check test -count=1 -run '^TestValuesInREADME$$' .

.PHONY: bench
bench: build ## Measure speed and memory, side by side with bare Temporal (about 10 minutes).
	bin/switchboard-dev bench $(ARGS)

.PHONY: faults
faults: build ## Cause every fault under load, and check that nothing is lost (about 8 minutes). ARGS="--only kill-api,zombie" or "--list".
	bin/switchboard-dev faults $(ARGS)

.PHONY: screenshots
screenshots: ## Make the README's pictures of the console from the running demo.
	$(GO) test ./cmd/switchboard-dev/browser -count=1 -timeout 20m -run '^TestScreenshots$$' -args -screenshots $(CURDIR)/docs/images

.PHONY: record-histories
record-histories: ## Record the histories of the released workflows: RELEASE=v0.1.0.
	$(GO) test ./cmd/switchboard-dev/e2e -count=1 -run '^TestHistories$$' -args -record $(CURDIR)/workflows/testdata/$(RELEASE)

.PHONY: notice
notice: ## Write the licences of everything in the binaries into NOTICE.
	UPDATE_DOCS=1 $(GO) test . -count=1 -run '^TestNotice$$'

.PHONY: release
release: ## Build the archives of a release into dist/, with bills of materials and checksums.
	deploy/release.sh

.PHONY: release-check
release-check: release ## Build the release again, from a clone in another folder with an empty cache, and compare.
	@dir=$$(mktemp -d) && trap 'rm -rf "$$dir"' EXIT && git clone --quiet . "$$dir/clone" && \
	GOCACHE="$$dir/cache" "$$dir/clone/deploy/release.sh" "$$dir/dist" && diff -r dist "$$dir/dist" && echo "the same, byte for byte"

.PHONY: fuzz
fuzz: ## Fuzz the parsers of external input, FUZZTIME each (30s).
	@for target in $$(grep -rhoE 'func Fuzz[A-Za-z]+' --include='*_test.go' . | awk '{print $$2}' | sort -u); do \
		package=$$(dirname $$(grep -rlE "func $$target\(" --include='*_test.go' . | head -1)); \
		echo "$$package $$target"; $(GO) test -run '^$$' -fuzz "^$$target$$" -fuzztime $(or $(FUZZTIME),30s) $$package || exit 1; \
	done

.PHONY: clean
clean: ## Remove build results; the state of the development stack stays.
	rm -rf bin dist

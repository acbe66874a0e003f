# cwagent: what can be done here. Two commands set everything up by themselves:
#   make demo        shows the whole thing, on a real Kubernetes API server
#   make deps test   installs what the tests need, and runs them

SHELL   := /bin/bash

# Those of the testbed's packages that do not link Kubernetes: with the flags of
# its build, or all of Kubernetes would be compiled once more.
BEDTEST := ./internal/cloud ./internal/control
GO      ?= go
VERSION := $(shell ./packaging/version)
LDFLAGS := -s -w -X main.version=$(VERSION)
GOFILES  = $(shell git ls-files '*.go' 2>/dev/null)

# a person's own tree, or for root the machine's
PREFIX  ?= $(if $(filter 0,$(shell id -u)),/usr/local,$(HOME)/.local)
DESTDIR ?=
SHARE    = $(DESTDIR)$(PREFIX)/share

.PHONY: all build install uninstall testbed demo package release deps check test bench soak clean

all: build

build: ## bin/cwagent and bin/cwagent-credential
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o bin/ ./cmd/cwagent ./cmd/cwagent-credential

install: build ## both programs, man pages, completions and the systemd user units, below PREFIX
	@case '$(PREFIX)' in /*) ;; *) echo 'install: PREFIX must be an absolute path' >&2; exit 1 ;; esac
	install -d '$(DESTDIR)$(PREFIX)/bin' '$(SHARE)/systemd/user'
	install -m755 bin/cwagent bin/cwagent-credential '$(DESTDIR)$(PREFIX)/bin'
	umask 022 && CGO_ENABLED=0 $(GO) run -ldflags '$(LDFLAGS)' -tags docs ./cmd/cwagent '$(SHARE)'
	sed 's,^ExecStart=/usr/bin/cwagent,ExecStart="$(PREFIX)/bin/cwagent",' packaging/systemd/cwagent.service > '$(SHARE)/systemd/user/cwagent.service'
	install -m644 packaging/systemd/cwagent.socket '$(SHARE)/systemd/user'
	@case ":$$PATH:" in *":$(PREFIX)/bin:"*) ;; *) echo 'note: $(PREFIX)/bin is not in your PATH' ;; esac

uninstall: ## removes what install put there; tokens stay in the keyring
	rm -f '$(DESTDIR)$(PREFIX)/bin/cwagent' '$(DESTDIR)$(PREFIX)/bin/cwagent-credential' \
	  '$(SHARE)'/man/man1/cwagent{,-*}.1 '$(SHARE)/man/man5/cwagent-config.5' \
	  '$(SHARE)/bash-completion/completions/cwagent' '$(SHARE)/zsh/site-functions/_cwagent' \
	  '$(SHARE)/fish/vendor_completions.d/cwagent.fish' '$(SHARE)/systemd/user/cwagent.service' '$(SHARE)/systemd/user/cwagent.socket'

testbed: ## bin/testbed (a real API server), bin/kubectl and bin/helm; slow only the first time
	./cmd/testbed/build.sh bin

demo: build testbed ## from a token in a file to a token in the agent, command by command
	./cmd/testbed/demo.sh bin

package: ## deb and rpm for amd64 and arm64, in dist/
	rm -f dist/*.deb dist/*.rpm
	./packaging/build packages dist amd64 arm64

release: ## dist/ from nothing: the packages, archives for Linux and macOS, their SBOMs and all checksums
	rm -rf dist
	./packaging/build packages dist amd64 arm64
	./packaging/build archives dist linux/amd64 linux/arm64 darwin/amd64 darwin/arm64
	cd dist && sha256sum * > SHA256SUMS

deps: ## install what the tests need (Debian packages as root; Go modules)
	./.ci/deps
	$(GO) mod download
	$(GO) -C .ci/tools list -deps tool >/dev/null # only what they are built of

check: ## formatting, vet, and that it builds for the other systems
	@test -z "$$(gofmt -l $(GOFILES))" || { gofmt -l $(GOFILES); echo 'run: gofmt -w .'; exit 1; }
	$(GO) vet ./...
	GOOS=darwin $(GO) vet ./...
	GOOS=windows $(GO) vet ./...
	$(GO) vet -tags vm ./agent/wall
	$(GO) vet -tags docs ./cmd/cwagent
	cd cmd/testbed && $(GO) vet $(BEDTEST)
	! command -v systemd-analyze >/dev/null || ./packaging/systemd/verify

test: build testbed check ## unit tests, scripts, and everything end to end
	./.ci/deps --check
	$(GO) test -race -timeout 20m ./...
	cd cmd/testbed && CGO_ENABLED=0 $(GO) test -trimpath $(BEDTEST)

bench: build ## start-up, memory and crowd, as ratios in one run
	$(GO) run ./cmd/bench -bin bin

FUZZTIME ?= 2m
FUZZ     := ./ipc:FuzzFrame ./ipc:FuzzReadFrame ./agent/render:FuzzDecode ./agent/render:FuzzAppend ./agent/kubeconfig:FuzzEdit ./agent/kubeconfig:FuzzRestore \
            ./agent/kubeconfig:FuzzMerge \
            ./agent/coreweave:FuzzWhoami ./agent/coreweave:FuzzKeys ./agent/config:FuzzConfig ./agent/source:FuzzOutput

soak: build testbed ## the long forms: every fuzzer for FUZZTIME, 30,000 kubeconfigs, 100 times 60 days, a clock that is set (in a VM), a keyring that hangs for a minute, everything three times
	./.ci/deps soak
	./agent/wall/vm.sh
	$(GO) test ./agent -run 'TestSimulation$$' -count 1 -timeout 30m -simulate 100
	$(GO) test ./agent/kubeconfig -run 'TestEditAnything|TestEditDamaged|TestRestoreEdited|TestMergeAnything' -count 1 -timeout 30m -samples 30000
	$(GO) test ./cmd/cwagent -run 'TestEndToEnd/underload$$' -count 1 -timeout 10m -hang 60s
	for f in $(FUZZ); do $(GO) test $${f%:*} -run '^$$' -fuzz "^$${f#*:}$$" -fuzztime $(FUZZTIME) || exit 1; done
	$(GO) test -race -count 3 -timeout 30m ./...

clean:
	rm -rf bin dist

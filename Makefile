# pail: targets for people and for CI. Nothing here edits the source tree, but for `make fmt`.
# `make run` and `make test` install what they need from Debian's packages, and say so.

GO          ?= go
VERSION     ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
STATICCHECK ?= honnef.co/go/tools/cmd/staticcheck@v0.8.2
LDFLAGS     := -s -w -X main.version=$(VERSION)
STATIC      := CGO_ENABLED=0 GOFLAGS="$$GOFLAGS -trimpath"
TESTFLAGS   ?= -race -vet=off -p 3 -parallel 4
PREFIX      ?= /usr/local
DESTDIR     ?=

.PHONY: help build image run demo deps test ha rgw unit integration soak lint fmt bench install uninstall clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

build: ## build the static binary bin/pail
	$(STATIC) $(GO) build -ldflags '$(LDFLAGS)' -o bin/pail ./cmd/pail

image: build ## container image "pail", FROM scratch
	rm -rf bin/image && mkdir -p bin/image/app/localData bin/image/app/localMetadata
	cp bin/pail bin/image/pail
	DOCKER_BUILDKIT=0 docker build -q -t pail -f deploy/Dockerfile bin/image

run: build ## server on 127.0.0.1:8000 and a mounted bucket, until Ctrl-C
	@packaging/deps.sh run
	@packaging/demo.sh --stay

demo: build ## the same without staying
	@packaging/deps.sh run
	@packaging/demo.sh

deps: ## install the packages that the tests use
	@packaging/deps.sh test

test: build deps ## every test, with the race detector, on real mounts and real clients; `make lint` has vetted them
	$(GO) build -race -o /dev/null ./cmd/pail # else each package with mounts compiles all of it, at the same time
	$(GO) test $(TESTFLAGS) -timeout 30m ./integration/... ./... # the longest first
	$(STATIC) $(GO) test -run PowerLoss -timeout 5m ./server/internal/store # 2100 power cuts; with the race detector an eighth of them

unit: ## the tests that need no mount and no other program
	$(GO) test $(TESTFLAGS) -timeout 10m ./cmd/... ./fs/... ./s3client/... ./server/...

integration: build deps ## only the tests on real mounts, servers and clients
	$(GO) test -timeout 20m -v ./integration/...

ha: build deps ## an hour of killed, stopped and cut off servers and hosts, and rgw; as root, on a machine for it
	@packaging/deps.sh ha
	PAIL_HA=2m $(GO) test -timeout 30m -v -run 'Linearizable|Takeover|ActiveReplica|DatabaseFails' ./integration
	CI=1 PAIL_HA=2m $(GO) test -count=1 -timeout 60m -v -skip TestRGW ./integration/ha
	$(MAKE) rgw

rgw: build deps ## mounts on Ceph's RGW, with the tests of calls and programs; as root
	@packaging/deps.sh ha
	CI=1 PAIL_HA=2m $(GO) test -count=1 -timeout 60m -v -run TestRGW ./integration/ha

soak: build deps ## programs, limits and histories at full size: 100,000 files, a directory of a million; takes two hours
	PAIL_SOAK=1 $(GO) test -timeout 3h -v -count 1 -p 1 -run '^Test(Program|Limit|BigFile|History|TwoMounts)' ./integration ./integration/mounts

lint: ## gofmt, vet, staticcheck; with what `make build` compiles anyway
	@fmt=$$(gofmt -l cmd fs s3client server integration); test -z "$$fmt" || { echo "not gofmt'ed: $$fmt"; exit 1; }
	$(STATIC) $(GO) vet ./...
	$(STATIC) $(GO) run $(STATICCHECK) ./...
	sh -n packaging/*.sh
	sh -n examples/backup/pail-backup

fmt: ## gofmt the tree
	gofmt -w cmd fs s3client server integration

bench: build ## Go benchmarks of each layer, and tables of mounts and servers beside others (bin/bench.md, bin/servers.md)
	$(GO) test -run '^$$' -bench . -benchmem -timeout 30m ./fs/... ./s3client/... ./server/...
	PAIL_BENCH_TABLE=$(CURDIR)/bin/bench.md PAIL_BENCH_SERVERS=$(CURDIR)/bin/servers.md $(GO) test -run '^$$' -bench . -benchtime 1x -timeout 30m ./integration/bench

install: build ## install pail, its mount helpers and its manual page under DESTDIR/PREFIX
	install -D -m 0755 bin/pail '$(DESTDIR)$(PREFIX)/bin/pail'
	install -d '$(DESTDIR)$(PREFIX)/share/man/man1' '$(DESTDIR)$(PREFIX)/share/bash-completion/completions' '$(DESTDIR)/sbin'
	bin/pail help --man > '$(DESTDIR)$(PREFIX)/share/man/man1/pail.1'
	bin/pail help --completion > '$(DESTDIR)$(PREFIX)/share/bash-completion/completions/pail'
	ln -sf '$(PREFIX)/bin/pail' '$(DESTDIR)/sbin/mount.pail'
	ln -sf '$(PREFIX)/bin/pail' '$(DESTDIR)/sbin/mount.fuse.pail'

uninstall: ## remove what `make install` installed
	rm -f '$(DESTDIR)$(PREFIX)/bin/pail' '$(DESTDIR)/sbin/mount.pail' '$(DESTDIR)/sbin/mount.fuse.pail' \
		'$(DESTDIR)$(PREFIX)/share/man/man1/pail.1' '$(DESTDIR)$(PREFIX)/share/bash-completion/completions/pail'

clean: ## remove what the build made
	rm -rf bin

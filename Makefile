# What one does with this tree, by a name each; the work is done by scripts/, and "scripts/NAME --help" says more.
#
#     make                 this list
#     make build NGINX=1.30

NGINX   ?=
SBINDIR ?= /usr/local/bin
MODULES ?= $(or $(shell nginx -V 2>&1 | sed -nE 's/.*--modules-path=([^ ]+).*/\1/p'),/usr/lib/nginx/modules)
built   := target$(if $(NGINX),/nginx-$(NGINX))

.DEFAULT_GOAL := help
.PHONY: help build install demo scrape test test-all test-long coverage mutants fuzz stress bench package image docs clean

help: ## This list
	@sed -nE 's/^([a-z-]+):.*## (.*)/\1\t\2/p' $(MAKEFILE_LIST) | expand -t 12

build: ## The module and the command, for the installed nginx; NGINX=1.30: for that version
	scripts/build $(if $(NGINX),--nginx $(NGINX))

install: ## What was built, into nginx's folder of modules and SBINDIR=/usr/local/bin; DESTDIR is put before both
	install -D -m 644 $(built)/nginx/ngx_http_authgate_module.so -t $(DESTDIR)$(MODULES)
	install -D -m 755 $(built)/release/authgate -t $(DESTDIR)$(SBINDIR)

demo: ## Prometheus behind a login, on 127.0.0.1:8080
	scripts/demo

scrape: ## Prometheus that scrapes node_exporter through the gate
	scripts/demo --scrape

test: ## What a change has to pass, in some minutes
	scripts/test

test-all: ## Besides, what is shipped, and every nginx version; half an hour
	scripts/test --all

test-long: ## What looks further, for hours
	scripts/test --long

coverage: ## Which lines of crates/core its tests run
	scripts/test --step coverage

mutants: ## Which alterations of the core no test notices
	scripts/mutants

fuzz: ## Every fuzz target, for a minute
	scripts/fuzz

stress: ## Clients that know the right answers, while nginx is disturbed
	scripts/stress

bench: ## What the gate costs
	scripts/bench --all

package: ## Debian packages for the installed nginx, in target/packages
	scripts/package

image: ## The container image, built and run without an image registry
	scripts/test-image

docs: ## Whether the links and the commands of the documentation lead somewhere
	scripts/check-docs

clean: ## Removes what was built
	rm -rf target fuzz/target

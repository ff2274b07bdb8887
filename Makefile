# authms. Two commands matter: `make up` runs everything on this machine, `make test` tests everything.
.PHONY: help up test heavy fuzz bench soak lint build down demo clean

help: ## What there is
	@sed -n 's/^\([a-z]*\):.*## /make \1\t/p' $(MAKEFILE_LIST) | expand -t 12

up: ## Install what is missing, build, run the whole suite here; Ctrl-C stops it
	@.scripts/install up
	@.scripts/build program
	@exec .build/release/authms up

test: ## Install what is missing, lint, build, run all tests
	@.scripts/install test
	@.scripts/test

heavy: ## The end-to-end tests that take minutes each: rolling restarts, warm-up, fuzz, enumeration, another tenant's token everywhere
	@.scripts/install test
	@.scripts/build program
	@AUTHMS_HEAVY=1 .scripts/end-to-end -k "rolling or fuzz or enumeration or warmup or no_documented_operation"

fuzz: ## 10,000 requests made at random from the API's document
	@.scripts/install test
	@.scripts/build program
	@AUTHMS_HEAVY=1 FUZZ_REQUESTS=10000 .scripts/end-to-end -k test_fuzz

bench: ## Measure, each ratio in one run
	@.scripts/install bench
	@.scripts/build program
	@exec .build/release/authms bench

soak: ## Ten minutes of load with a fault every 15 s on a suite of its own; what was acknowledged is counted
	@.scripts/install up
	@.scripts/build program
	@mkdir -p .authms
	@exec .build/release/authms drill soak --json .authms/soak.json --html .authms/soak.html

lint: ## Check the format
	@"$$(.scripts/toolchain)" format lint --strict --parallel -r Sources Tests Package.swift

build: ## The one release build
	@.scripts/install up
	@.scripts/build program

demo: ## The main job against the running suite, with an outage of ten seconds
	@exec .build/release/authms demo

down: ## Stop the running suite; its data stays
	@exec .build/release/authms down

clean: ## Forget the build; the suite's data stays (authms down --wipe forgets that)
	@rm -rf .build

# truetill: what can be made. `make help` prints this list.
CARGO ?= cargo
BIN = target/release/truetill

.PHONY: help demo setup build index serve check test eval bench mutants fmt

help: ## print this list
	@grep -hE '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## /\1\t/' | expand -t 10

build: ## the release binary
	$(CARGO) build --release --bin truetill

setup: build ## fetch and verify the models (cached in ~/.cache/truetill, resumed when interrupted)
	$(BIN) pull

# 3 says that the index was built and that some rows were reported, such as the demo shop's two products without a price.
index: setup ## build the index of data/ and switch to it
	$(BIN) index || test $$? -eq 3

demo: index ## the main job: build, models, index, server on 127.0.0.1:7070, a first answer in four languages
	$(BIN) serve --ask "Сколько стоит чайник «Волна» 1,7 л?" --ask "Koľko stojí rýchlovarná kanvica Volna 1,7 l?" \
	  --ask "“浪花”电热水壶 1.7升多少钱？" --ask "How much is the Volna electric kettle 1.7 l?"

serve: build ## the HTTP API and the chat page
	$(BIN) serve

check: ## every rule of the shop, without model and index: seconds, not minutes
	$(CARGO) test --no-default-features

test: build ## all tests; fetches what they need (the 135M model, the embedder, the default model)
	$(BIN) pull tiny embedder default
	$(CARGO) test --release

eval: index ## the scenarios of data/scenarios with the default model; understanding as a page, target/understanding.html
	$(BIN) eval data/eval/understanding/dev.tsv --html target/understanding.html
	$(BIN) eval data/eval/policies/questions.tsv
	$(BIN) eval data/eval/policies/unanswerable.tsv
	$(BIN) eval data/eval/search/sold.tsv
	$(BIN) eval data/scenarios

bench: index ## price questions, the guard, the model: figures as JSON
	$(BIN) bench prices --questions 100
	$(BIN) bench guard --cases tests/data/guard_attacks.tsv $(patsubst %,--cases %,$(wildcard data/eval/guard/free_text_*.tsv data/eval/guard/*_labelled.jsonl ../shared/data/guard_cases.tsv))
	$(BIN) bench inference --prompt-tokens 128 --gen-tokens 32

mutants: ## one change at a time in the guard's licence and binding code: some test must fail
	scripts/guard_mutants.sh target/guard-mutants

fmt: ## format and lint
	$(CARGO) fmt
	$(CARGO) clippy --release --all-targets

#!/usr/bin/env bash
# Mutation tests of the guard's licence and binding code: cargo-mutants changes one expression at a time, and some test
# must fail. Survivors must be killed by a test of behaviour or argued in docs/guard-mutants.md.
#   scripts/guard_mutants.sh [FOLDER] [FILE.rs ...]
# Needs `cargo install cargo-mutants --locked`. The randomised tests run smaller here; every other test runs as it is.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
folder=${1:-$root/target/guard-mutants}
shift || true
files=("$@")
[ ${#files[@]} -gt 0 ] || files=(licence allowed bind ledger spans sentence task product alias)
crate=$("$root/scripts/guard_crate.sh" "$folder")
cd "$crate"
export TRUETILL_MUTANTS=300 TRUETILL_SPELLED=30 PROPTEST_CASES=16 CARGO_TARGET_DIR=$folder/target
choice=()
for file in "${files[@]}"; do choice+=(--file "src/guard/${file%.rs}.rs"); done
cargo mutants --in-place --no-shuffle --offline --timeout 90 --output "$folder" --colors never "${choice[@]}"

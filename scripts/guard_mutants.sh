#!/usr/bin/env bash
# Mutation tests of the guard's licence and binding code: one operator, match arm or function body is changed at a time,
# and some test must fail. All mutants are put into one build (scripts/mutate), so that each costs a test run and no
# build: minutes instead of hours. Survivors must be killed by a test of behaviour or argued in docs/guard-mutants.md.
#   scripts/guard_mutants.sh [FOLDER] [FILE ...]      the outcome is FOLDER/outcome.tsv
# The randomised tests run smaller here; every other test runs as it is. ONLY="12 40" runs these mutants alone.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
folder=${1:-$root/target/guard-mutants}
shift || true
files=("$@")
[ ${#files[@]} -gt 0 ] || files=(licence allowed shape bind ledger spans sentence clause claims told compare text task product alias)
crate=$("$root/scripts/guard_crate.sh" "$folder")
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$folder/target}
cargo build --quiet --manifest-path "$root/scripts/mutate/Cargo.toml"
paths=()
for file in "${files[@]}"; do paths+=("$crate/src/guard/${file%.rs}.rs"); done
# A run that was cut off goes on where it stopped, as long as neither the sources nor the data have changed.
sum=$(cd "$crate" && find src data tests -type f ! -name mutant.rs ! -name lib.rs -print0 | sort -z | xargs -0 sha256sum | sha256sum)
[ "$(cat "$folder/sum" 2>/dev/null)" = "$sum" ] || rm -f "$folder/outcome.tsv"
echo "$sum" >"$folder/sum"
"$CARGO_TARGET_DIR/debug/mutate" "${paths[@]}" >"$folder/mutants.tsv"
cat >"$crate/src/mutant.rs" <<'RUST'
//! Which mutant is on.
static ON: std::sync::LazyLock<u32> = std::sync::LazyLock::new(|| {
    // The first failed test settles it: the others need not run.
    let told = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |why| {
        told(why);
        std::process::exit(101);
    }));
    std::env::var("MUTANT").ok().and_then(|id| id.parse().ok()).unwrap_or(0)
});

/// True for the mutant that is on.
pub fn on(id: u32) -> bool {
    *ON == id
}

/// `left && right`, or `left || right`; the other when the mutant is on.
pub fn join(id: u32, and: bool, left: bool, right: impl FnOnce() -> bool) -> bool {
    if and != on(id) { left && right() } else { left || right() }
}
RUST
{
  echo '#![allow(warnings)]'
  echo 'pub mod mutant;'
  cat "$crate/src/lib.rs" | grep -v '^//!'
} >"$crate/src/lib.rs.new" && mv "$crate/src/lib.rs.new" "$crate/src/lib.rs"
cd "$crate"
test_binary=$(CARGO_PROFILE_DEV_OPT_LEVEL=1 cargo test --quiet --lib --no-run --message-format=json-render-diagnostics 2>"$folder/build.log" |
  sed -nE 's/.*"executable":"([^"]+)".*/\1/p' | tail -1)
export TRUETILL_MUTANTS=200 TRUETILL_SPELLED=15 PROPTEST_CASES=4
skip=(--skip any_bytes --skip the_cost --skip hostile --skip every_byte)
# The tables of cases first: they take a third of a second and catch most.
tables=(rules_tests spans_tests licence::tests clause::tests told::tests allowed::tests cases::tests free_tests)
quick() { MUTANT=$1 timeout 30 "$test_binary" "${tables[@]}" "${skip[@]}" >"$folder/run.log" 2>&1; }
whole() { MUTANT=$1 timeout 120 "$test_binary" "${skip[@]}" >"$folder/run.log" 2>&1; }
whole 0 || { echo "the tests fail without any mutant: $folder/run.log" >&2; exit 1; }
touch "$folder/outcome.tsv"
while IFS=$'\t' read -r id rest; do
  [ -z "${ONLY:-}" ] || [[ " $ONLY " == *" $id "* ]] || continue
  cut -f2 "$folder/outcome.tsv" | grep -qx "$id" && continue
  code=0
  quick "$id" && whole "$id" || code=$?
  case $code in 0) outcome=survived ;; 124) outcome=timeout ;; *) outcome=caught ;; esac
  printf '%s\t%s\t%s\n' "$outcome" "$id" "$rest" >>"$folder/outcome.tsv"
done <"$folder/mutants.tsv"
cut -f1 "$folder/outcome.tsv" | sort | uniq -c
grep '^survived' "$folder/outcome.tsv" || true

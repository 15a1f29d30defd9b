#!/usr/bin/env bash
# Fuzzes the guard: `guard` reads any bytes up to 64 KB as free text in four languages, `draft` builds drafts of them.
#   scripts/guard_fuzz.sh FOLDER SECONDS [TARGET ...]
# Needs a nightly toolchain and `cargo install cargo-fuzz --locked`. The corpus starts with every text of the case files.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
folder=${1:?say where: scripts/guard_fuzz.sh FOLDER SECONDS}
seconds=${2:?say how long}
shift 2
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=(guard draft)
crate=$("$root/scripts/guard_crate.sh" "$folder")
rm -rf "$crate/fuzz/fuzz_targets"
mkdir -p "$crate/fuzz"
cp -a "$root/fuzz/fuzz_targets" "$crate/fuzz/"
sed 's/, default-features = false//' "$root/fuzz/Cargo.toml" >"$crate/fuzz/Cargo.toml"
for target in "${targets[@]}"; do
  corpus=$crate/fuzz/corpus/$target
  mkdir -p "$corpus"
  python3 "$root/scripts/guard_seeds.py" "$corpus" "$root"/tests/data/guard_attacks.tsv "$root"/data/eval/guard/*.tsv
  (cd "$crate" && cargo +nightly fuzz run "$target" -- -max_len=65536 -max_total_time="$seconds" -timeout=20 -rss_limit_mb=2048 -print_final_stats=1)
done

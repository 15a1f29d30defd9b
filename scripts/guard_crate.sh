#!/usr/bin/env bash
# Puts the guard into a small crate of its own, in FOLDER/crate: the guard is pure, so it builds and tests in seconds
# there, which is what mutation testing and fuzzing need. Copies only; the repository is not touched.
#   scripts/guard_crate.sh FOLDER
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
folder=${1:?say where: scripts/guard_crate.sh FOLDER}
crate=$folder/crate
mkdir -p "$crate/src" "$crate/tests"
for part in src/domain src/guard data tests/data; do
  rm -rf "${crate:?}/$part"
  mkdir -p "$crate/$(dirname "$part")"
  cp -a "$root/$part" "$crate/$part"
done
# The tests look for the shared data two folders up at most.
for shared in "$root/../shared" "$root/../../shared"; do
  [ -d "$shared" ] && ln -sfn "$(cd "$shared" && pwd)" "$folder/shared"
done
cp "$root/Cargo.lock" "$crate/Cargo.lock"
line() { sed -nE "/^$1 = /{s/ +#.*//;p;q;}" "$root/Cargo.toml"; }
{
  printf '[package]\nname = "truetill"\nversion = "0.1.0"\nedition = "2024"\nrust-version = "1.95"\n\n[dependencies]\n'
  for name in anyhow thiserror serde serde_json toml jiff iso_currency unicode-normalization uuid; do line "$name"; done
  printf '\n[dev-dependencies]\n'
  line proptest
  printf '\n[workspace]\n\n[profile.dev]\nopt-level = 1\ndebug = false\n\n[profile.dev.package."*"]\nopt-level = 3\n'
  printf '\n[profile.release]\ndebug = "line-tables-only"\n'
} >"$crate/Cargo.toml.new"
cmp -s "$crate/Cargo.toml.new" "$crate/Cargo.toml" || cp "$crate/Cargo.toml.new" "$crate/Cargo.toml"
rm "$crate/Cargo.toml.new"
cat >"$crate/src/lib.rs.new" <<'RUST'
//! The guard alone, with the domain types it judges.

pub mod domain;
pub mod guard;
RUST
cmp -s "$crate/src/lib.rs.new" "$crate/src/lib.rs" || cp "$crate/src/lib.rs.new" "$crate/src/lib.rs"
rm "$crate/src/lib.rs.new"
echo "$crate"

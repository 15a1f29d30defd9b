#!/usr/bin/env python3
"""Asks llama.cpp what it makes of the small model files of src/inference/generator/made.rs, and writes
tests/data/made_model_scores.json, which the decoder is tested against.
    python scripts/made_model_scores.py LLAMA_SERVER
Standard library only; LLAMA_SERVER is the program `llama-server`, built as in scripts/llama_server_for_tests.sh."""
import json, math, os, subprocess, sys, tempfile, time, urllib.error, urllib.request

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
WORDS, PORT, TOKENS = 384, 18479, 12
# This phi3 has one table of divisors for contexts of up to 256 tokens, another above.
CASES = [("gemma3", 512), ("phi3", 256), ("phi3", 512)]
TEXTS = ["the price", " the price", "kanvica", "цена на the van", "水壶 price", "a\n\nb", "<end_of_turn>", "<s>ice", "é€", "  the  "]


def ask(path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{PORT}{path}", data, {"content-type": "application/json"})
    return json.load(urllib.request.urlopen(request, timeout=60))


def ready(server):
    for _ in range(300):
        try:
            return ask("/health")
        except (urllib.error.URLError, ConnectionError):
            if server.poll() is not None:
                sys.exit("llama-server ended; run it by hand to see why")
            time.sleep(0.2)
    sys.exit("llama-server does not answer")


def logarithms(step):
    chances = {row["id"]: row["logprob"] for row in step["top_logprobs"]}
    return [round(max(chances.get(at, -100.0), -100.0), 5) for at in range(WORDS)]


def next_of(prompt):
    """What may follow a prompt; none where the likeliest is part of a letter, which the server keeps back."""
    body = {"prompt": prompt, "n_predict": 1, "temperature": 0, "n_probs": WORDS, "cache_prompt": False}
    return next(iter(ask("/completion", body).get("completion_probabilities", [])), None)


def likeliest(prompt):
    """The likeliest tokens up to the first that another is level with: there rounding decides."""
    tokens = []
    while len(tokens) < TOKENS and (step := next_of(prompt + tokens)):
        first, second = sorted((row["logprob"] for row in step["top_logprobs"]), reverse=True)[:2]
        if first - second < 0.02:
            break
        tokens.append(step["id"])
    return tokens


def asked(model, context):
    prompt = [5 + at * 37 % 250 for at in range(45)]
    tokenize = lambda text: ask("/tokenize", {"content": text, "add_special": False, "parse_special": False})["tokens"]
    return {"model": model, "context": context, "prompt": prompt, "tokens": likeliest(prompt),
            "first": logarithms(next_of(prompt)), "texts": [[text, tokenize(text)] for text in TEXTS]}


def main():
    folder, rows = tempfile.mkdtemp(), []
    command = ["cargo", "test", "--release", "--lib", "made_models_are_written", "--", "--ignored"]
    subprocess.run(command, cwd=ROOT, env={**os.environ, "TRUETILL_MADE": folder}, check=True)
    for model, context in CASES:
        options = ["-m", f"{folder}/{model}.gguf", "-c", str(context), "--port", str(PORT), "-np", "1", "-t", "2", "--no-warmup"]
        server = subprocess.Popen([sys.argv[1], *options, "-ctk", "f16", "-ctv", "f16"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            ready(server)
            rows.append(asked(model, context))
        finally:
            server.terminate()
            server.wait()
    with open(f"{ROOT}/tests/data/made_model_scores.json", "w") as out:
        out.write("[\n" + ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n]\n")
    print(f"{len(rows)} files asked about")


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Our engine beside llama.cpp and mistral.rs: the same file, the same threads, run by run in turns.

    scripts/bench_peers.py --truetill target/release/truetill --llama FOLDER [--mistral-python PATH] [--model default]

Prints a line per figure with the ratio of the medians. Speeds of a busy machine say little; ratios of runs that took turns
say more. FOLDER holds llama-bench and llama-server, built natively by scripts/llama_server_for_tests.sh; mistral.rs comes in
its wheel (pip install mistralrs), for the python named.
"""

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

PREFILL = (128, 512, 1024)
DEPTHS = (128, 1024)

MISTRAL = """
import json, os, sys, time
from mistralrs import ChatCompletionRequest, Runner, Which
folder, name = os.path.split(sys.argv[1])
gen, sessions, depths = int(sys.argv[2]), int(sys.argv[3]), (128, 1024)
began = time.monotonic()
runner = Runner(which=Which.GGUF(quantized_model_id=folder, quantized_filename=name))
print(json.dumps({"load s": time.monotonic() - began}), flush=True)
def ask(system, text, tokens, **more):
    messages = [{"role": "system", "content": system}, {"role": "user", "content": text}]
    request = ChatCompletionRequest(model="default", messages=messages, max_tokens=tokens, temperature=0.0, **more)
    return runner.send_chat_completion_request(request)
for size in map(int, sys.argv[4:]):
    usage = ask("Go on.", f"{size} " + "word " * max(size - 24, 1), gen).usage
    row = {f"prefill {size} tok/s": usage.avg_prompt_tok_per_sec}
    if size in depths:
        row[f"decode at {size} tok/s"] = usage.avg_compl_tok_per_sec
    print(json.dumps(row), flush=True)
def job(n):
    # Its runner takes one call at a time; a call for a stream is back at once, and the engine works on all of them.
    text = f"{n} " + "word " * (10 + n * 23 % 120)
    more = {"grammar": "[a-z ]{400}", "grammar_type": "regex", "stream": True}
    return ask("You tell long stories." + " rule" * 100, text, 24 + n * 11 % 24, **more)
if sessions:
    began = time.monotonic()
    written = sum(1 for stream in [job(n) for n in range(sessions)] for part in stream if part.choices[0].delta.content)
    print(json.dumps({f"{sessions} sessions tok/s": written / (time.monotonic() - began)}), flush=True)
"""


def run(command, env=None):
    """What a command prints."""
    done = subprocess.run(command, capture_output=True, text=True, env=env, check=False)
    if done.returncode:
        sys.exit(f"{command[0]} failed:\n{done.stderr[-2000:]}")
    return done.stdout


def ours(args, size, sessions):
    command = [args.truetill, "bench", "inference", "--model", args.model, "--prompt-tokens", str(size),
               "--gen-tokens", str(args.gen), "--runs", "1", "--threads", str(args.threads), "--sessions", str(sessions)]
    return json.loads(run(command).splitlines()[-1])


def llama_bench(args, path, sizes):
    command = [f"{args.llama}/llama-bench", "-m", path, "-t", str(args.threads), "-r", "1", "-o", "json", *sizes]
    [row] = json.loads(run(command))
    return row["avg_ts"]


def mistral(args, path):
    env = dict(os.environ, RAYON_NUM_THREADS=str(args.threads), CANDLE_NUM_THREADS=str(args.threads))
    command = [args.mistral_python, "-c", MISTRAL, path, str(args.gen), str(args.sessions), *map(str, PREFILL)]
    done = subprocess.run(command, capture_output=True, text=True, env=env, check=False)
    if done.returncode:
        # What it did before counts; the others are still worth printing.
        print(f"mistral.rs failed:\n{done.stderr[-2000:]}", file=sys.stderr)
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


class Server:
    """llama-server for a while, asked what `bench inference` asks of our engine."""

    def __init__(self, args, path):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        slots = max(args.sessions, 1)
        command = [f"{args.llama}/llama-server", "-m", path, "-t", str(args.threads), "--port", str(port), "--jinja",
                   "--parallel", str(slots), "--ctx-size", str(slots * 1024)]
        began = time.monotonic()
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        while not self.ready():
            time.sleep(0.02)
        self.load = time.monotonic() - began

    def ready(self):
        if self.process.poll() is not None:
            sys.exit("llama-server has ended")
        try:
            return urllib.request.urlopen(f"{self.url}/health", timeout=5).status == 200
        except (urllib.error.URLError, OSError):
            return False

    def close(self):
        self.process.terminate()
        self.process.wait()

    def memory(self):
        with open(f"/proc/{self.process.pid}/status", encoding="utf-8") as status:
            return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmRSS"))

    def ask(self, system, text, tokens, grammar):
        body = {"messages": [{"role": "system", "content": system}, {"role": "user", "content": text}],
                "max_tokens": tokens, "temperature": 0, "grammar": grammar, "cache_prompt": True}
        request = urllib.request.Request(f"{self.url}/v1/chat/completions", json.dumps(body).encode(),
                                         {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=600) as answer:
            return json.load(answer)["usage"]["completion_tokens"]

    def turn(self, n):
        """Milliseconds of a shop's turn; the standing instructions are in its cache from the second on."""
        began = time.monotonic()
        self.ask("Pick numbers." + " rule" * 292, f"{n} " + " word" * 140, 12,
                 'root ::= n " " n " " n " " n " " n " " n\nn ::= [1-6]')
        return (time.monotonic() - began) * 1e3

    def together(self, count, mark):
        """Tokens a second of jobs of unequal length at once, prompts included."""
        def job(n):
            return self.ask(f"You tell long stories. {mark}" + " rule" * 100, f"{n} " + "word " * (10 + n * 23 % 120),
                            24 + n * 11 % 24, "root ::= [a-z ]{400}")
        began = time.monotonic()
        with ThreadPoolExecutor(count) as pool:
            written = sum(pool.map(job, range(count)))
        return written / (time.monotonic() - began)


def one_round(args, number, note):
    """Everybody once, in turns."""
    path = None
    for size in PREFILL:
        sessions = args.sessions if size == PREFILL[0] else 0
        report = ours(args, size, sessions)
        path = report["model_path"]
        note("truetill", f"prefill {size} tok/s", report["prefill_tok_s"])
        if size in DEPTHS:
            note("truetill", f"decode at {size} tok/s", report["decode_tok_s"])
            note("truetill", "share of the memory bandwidth in decode", report.get("decode_gb_s", 0) / report["read_gb_s"])
        note("truetill", "load s", report["load_s"])
        note("truetill", "memory MB", report["rss_mb"])
        note("truetill", "a shop's turn ms", report["turn_ms"])
        if sessions:
            note("truetill", f"{sessions} sessions tok/s", report["together_tok_s"])
        if args.llama:
            note("llama.cpp", f"prefill {size} tok/s", llama_bench(args, path, ["-p", str(size), "-n", "0"]))
        if args.llama and size in DEPTHS:
            speed = llama_bench(args, path, ["-p", "0", "-n", str(args.gen), "-d", str(size)])
            note("llama.cpp", f"decode at {size} tok/s", speed)
    if args.llama:
        server = Server(args, path)
        try:
            note("llama.cpp", "load s", server.load)
            server.turn(0)
            for n in range(1, 4):
                note("llama.cpp", "a shop's turn ms", server.turn(n))
            if args.sessions:
                note("llama.cpp", f"{args.sessions} sessions tok/s", server.together(args.sessions, number))
            note("llama.cpp", "memory MB", server.memory())
        finally:
            server.close()
    if args.mistral_python:
        for row in mistral(args, path):
            for what, value in row.items():
                note("mistral.rs", what, value)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--truetill", default="target/release/truetill")
    parser.add_argument("--llama", help="the folder of llama-bench and llama-server")
    parser.add_argument("--mistral-python")
    parser.add_argument("--model", default="default")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--gen", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sessions", type=int, default=8, help="jobs at once; 0 leaves them out")
    args = parser.parse_args()

    seen = {}

    def note(who, what, value):
        print(f"{who}: {what} {value:.2f}", file=sys.stderr, flush=True)
        seen.setdefault(what, {}).setdefault(who, []).append(value)

    for number in range(args.rounds):
        one_round(args, number, note)
    for what, values in seen.items():
        medians = {who: statistics.median(list_) for who, list_ in values.items()}
        own = medians.pop("truetill", None)
        if own is None:
            print(f"{what}: " + ", ".join(f"{who} {value:.2f}" for who, value in medians.items()))
            continue
        beside = ", ".join(f"{who} {value:.2f} (ours {own / value:.2f}x)" for who, value in medians.items())
        print(f"{what}: {own:.2f}" + (f"; {beside}" if beside else ""))


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""Our engine beside llama.cpp and mistral.rs: the same file, the same threads, run by run in turns.

    scripts/bench_peers.py --truetill target/release/truetill --llama-bench PATH [--mistral-python PATH] [--model default]

Prints a line per figure with the ratio of the medians. Speeds of a busy machine say little; ratios of runs that took turns
say more. llama-bench is built from llama.cpp with GGML_NATIVE=ON; mistral.rs comes in its wheel, for the python named.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time

PREFILL = (128, 512, 1024)
DEPTHS = (128, 1024)

MISTRAL = """
import json, os, sys, time
from mistralrs import ChatCompletionRequest, Runner, Which
folder, name = os.path.split(sys.argv[1])
began = time.monotonic()
runner = Runner(which=Which.GGUF(quantized_model_id=folder, quantized_filename=name))
load = time.monotonic() - began
for size in map(int, sys.argv[3:]):
    text = "word " * max(size - 20, 1)
    request = ChatCompletionRequest(model="default", messages=[{"role": "user", "content": text}],
                                    max_tokens=int(sys.argv[2]), temperature=0.0)
    usage = runner.send_chat_completion_request(request).usage
    print(json.dumps({"size": size, "load_s": load, "prompt_tokens": usage.prompt_tokens,
                      "prefill": usage.avg_prompt_tok_per_sec, "decode": usage.avg_compl_tok_per_sec}), flush=True)
"""


def run(command, env=None):
    """Output, seconds, and the largest resident memory in MB of a command."""
    began = time.monotonic()
    done = subprocess.run(command, capture_output=True, text=True, env=env, check=False)
    if done.returncode:
        sys.exit(f"{command[0]} failed:\n{done.stderr[-2000:]}")
    return done.stdout, time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def ours(args, size):
    command = [args.truetill, "bench", "inference", "--model", args.model, "--prompt-tokens", str(size),
               "--gen-tokens", str(args.gen), "--runs", "1", "--threads", str(args.threads)]
    return json.loads(run(command)[0].splitlines()[-1])


def llama(args, path, sizes):
    command = [args.llama_bench, "-m", path, "-t", str(args.threads), "-r", "1", "-o", "json", *sizes]
    output, seconds, _ = run(command)
    return [(row["avg_ts"], seconds) for row in json.loads(output)]


def mistral(args, path):
    env = dict(os.environ, RAYON_NUM_THREADS=str(args.threads), CANDLE_NUM_THREADS=str(args.threads))
    output, _, _ = run([args.mistral_python, "-c", MISTRAL, path, str(args.gen), *map(str, PREFILL)], env)
    return [json.loads(line) for line in output.splitlines() if line.startswith("{")]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--truetill", default="target/release/truetill")
    parser.add_argument("--llama-bench")
    parser.add_argument("--mistral-python")
    parser.add_argument("--model", default="default")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--gen", type=int, default=24)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()

    seen = {}
    note = lambda who, what, value: seen.setdefault(what, {}).setdefault(who, []).append(value)
    for _ in range(args.rounds):
        for size in PREFILL:
            report = ours(args, size)
            path = report["model_path"]
            note("truetill", f"prefill {size} tok/s", report["prefill_tok_s"])
            if size in DEPTHS:
                note("truetill", f"decode at {size} tok/s", report["decode_tok_s"])
            note("truetill", "load s", report["load_s"])
            note("truetill", "memory MB", report["rss_mb"])
            if args.llama_bench:
                [(speed, _)] = llama(args, path, ["-p", str(size), "-n", "0"])
                note("llama.cpp", f"prefill {size} tok/s", speed)
            if args.llama_bench and size in DEPTHS:
                [(speed, _)] = llama(args, path, ["-p", "0", "-n", str(args.gen), "-d", str(size)])
                note("llama.cpp", f"decode at {size} tok/s", speed)
        if args.mistral_python:
            for row in mistral(args, path):
                note("mistral.rs", f"prefill {row['size']} tok/s", row["prefill"])
                if row["size"] in DEPTHS:
                    note("mistral.rs", f"decode at {row['size']} tok/s", row["decode"])
                note("mistral.rs", "load s", row["load_s"])
    for what, values in seen.items():
        medians = {who: statistics.median(list_) for who, list_ in values.items()}
        own = medians.pop("truetill", None)
        beside = ", ".join(f"{who} {value:.1f} (ours {own / value:.2f}x)" for who, value in medians.items())
        print(f"{what}: {own:.1f}" + (f"; {beside}" if beside else ""))


if __name__ == "__main__":
    main()

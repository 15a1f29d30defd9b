#!/usr/bin/env python3
"""Holds conversations with a running server and prints them to be read.

    truetill serve & scripts/talk.py data/eval/talk/first.txt [http://127.0.0.1:8080]

One conversation a line, its turns parted by `|`; lines that begin with # are comments. Under each turn stands the reply, then the
commands that were understood.
"""

import json
import sys
import urllib.request


def said(server, message, session):
    """The answer to one message of a conversation."""
    body = {"message": message} | ({"session_id": session} if session else {})
    request = urllib.request.Request(
        f"{server}/api/v1/chat", json.dumps(body).encode(), {"content-type": "application/json"}
    )
    with urllib.request.urlopen(request, timeout=120) as answer:
        return json.load(answer)


def main():
    """Reads the file and talks, line by line."""
    server = (sys.argv[2] if len(sys.argv) > 2 else "http://127.0.0.1:8080").rstrip("/")
    with open(sys.argv[1], encoding="utf-8") as file:
        lines = [line.strip() for line in file if line.strip() and not line.startswith("#")]
    for line in lines:
        session = None
        for turn in line.split("|"):
            answer = said(server, turn, session)
            session = answer["session_id"]
            commands = [one["name"] + json.dumps(one.get("slots", {}), ensure_ascii=False) for one in answer["commands"]]
            reply = answer["reply"]["text"].replace("\n", "\n   ")
            print(f"> {turn}\n   {reply}\n   {commands}")
        print("-----", flush=True)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
"""A stand-in for go-ycsb: its command line, and half reads, half updates at a given rate.

It takes the flags of cmd/go-ycsb/client.go and reads the regions and stores from PD's API; what the real one sends to
the stores by gRPC goes to their stand-ins' own interface. An update is a read and a write, as in db/tikv/raw.go.
"""

import random
import sys
import threading
import time

from stand_in_web import ask

FLAGS = {"-P", "-p", "--threads", "--target", "--interval", "--property_file", "--prop", "--table"}
PROPERTIES = {"tikv.pd", "tikv.type", "tikv.conncount", "recordcount", "operationcount"}


def parse(arguments: list[str]) -> tuple[str, dict[str, str]]:
    """The command, and properties and flags by name."""
    if len(arguments) < 2 or arguments[0] not in ("load", "run") or arguments[1] != "tikv":
        sys.exit("usage: go-ycsb load|run tikv ...")
    found, rest = {}, arguments[2:]
    while rest:
        flag = rest.pop(0)
        if flag not in FLAGS or not rest:
            sys.exit(f"unknown flag: {flag}")
        value = rest.pop(0)
        if flag == "-P":
            open(value).close()
        if flag == "-p":
            flag, _, value = value.partition("=")
            if flag not in PROPERTIES:
                sys.exit(f"unknown property: {flag}")
        found[flag] = value
    return arguments[0], found


class Client:
    def __init__(self, pds: list[str]) -> None:
        self.pds, self.lock = pds, threading.Lock()
        self.leaders: dict[str, str] = {}  # region -> address of the store that leads it

    def refresh(self) -> None:
        for pd in self.pds:
            try:
                stores = ask(f"http://{pd}/pd/api/v1/stores", timeout=2.0)["stores"]
                regions = ask(f"http://{pd}/pd/api/v1/regions", timeout=2.0)["regions"]
            except (OSError, ValueError):
                continue
            addresses = {s["store"]["id"]: s["store"]["address"] for s in stores}
            with self.lock:
                self.leaders = {str(r["id"]): addresses[r["leader"]["store_id"]] for r in regions}
            return

    def keep_fresh(self) -> None:
        while True:
            self.refresh()
            time.sleep(1.0)

    def request(self, kind: str, key: str, **more: str) -> None:
        with self.lock:
            regions = sorted(self.leaders)
            region = regions[hash(key) % len(regions)]
            address = self.leaders[region]
        ask(f"http://{address}/stand-in/{kind}", {"region": region, "key": key, **more})


def work(client: Client, rate: float) -> None:
    due = time.monotonic() + random.random() / rate
    while True:
        time.sleep(max(0.0, due - time.monotonic()))
        due = max(due + 1 / rate, time.monotonic() - 1.0)
        key = f"user{random.randrange(5000)}"
        try:
            client.request("raw_get", key)
            if random.random() < 0.5:
                client.request("raw_put", key, value="x" * 100)
        except (OSError, ValueError):
            continue  # as the real one, which is silent about errors


def main() -> None:
    command, options = parse(sys.argv[1:])
    client = Client(options["tikv.pd"].split(","))
    end = time.monotonic() + 60
    while not client.leaders:
        client.refresh()
        if time.monotonic() > end:
            sys.exit("no PD answers")
        time.sleep(0.3)
    if command == "load":
        return
    threads = int(options.get("--threads", "1"))
    print("stand-in for go-ycsb: not the real one", flush=True)
    for _ in range(threads):
        threading.Thread(target=work, args=(client, float(options["--target"]) / threads), daemon=True).start()
    client.keep_fresh()


if __name__ == "__main__":
    main()

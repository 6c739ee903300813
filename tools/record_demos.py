"""`./build.sh recordings [SUBJECT/SCENARIO...]`: makes the recordings that `operator-demo replay` brings anew.

Each is a real run of the built file on this machine's engine, with the rehearsal. A run that does not end as its
scenario expects is not taken, nor is one whose record tells of this machine.
"""

import getpass
import gzip
import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = ROOT / "operator-demo"
FOLDER = ROOT / "operator_demo" / "recordings"
DEMOS = ("etcd/member-kill", "etcd/leader-kill", "etcd/quorum-loss", "etcd/frozen-member", "etcd/tempting-delete")
SEED = "7"
UNPACKED = "/tmp/operator-demo"  # the packed file's own folder stands in the containers' labels
LARGEST = 1_000_000  # bytes, of all recordings together


def main() -> int:
    for demo in sys.argv[1:] or DEMOS:
        file = FOLDER / f"{demo}.opdemo"
        file.parent.mkdir(parents=True, exist_ok=True)
        record(demo, file)
        print(f"{demo}: {file.stat().st_size} bytes", flush=True)
    total = sum(file.stat().st_size for file in FOLDER.rglob("*.opdemo"))
    if total > LARGEST:
        sys.exit(f"record_demos: the recordings have {total} bytes, more than {LARGEST}")
    return 0


def record(demo: str, file: Path) -> None:
    subject, _, scenario = demo.partition("/")
    with tempfile.TemporaryDirectory() as home:
        made = Path(home) / "made.opdemo"
        environment = {name: value for name, value in os.environ.items() if name != "ANTHROPIC_API_KEY"}
        environment |= {"OPERATOR_HOME": home, "SHIV_ROOT": UNPACKED}
        run = [PROGRAM, "run", subject, "--scenario", scenario, "--auto", "--model", "rehearsal", "--display", "plain",
               "--seed", SEED]
        subprocess.run(run, env=environment, check=True, stdout=subprocess.DEVNULL)
        subprocess.run([PROGRAM, "audit", "export", "last", "-o", made], env=environment, check=True)
        text = gzip.decompress(made.read_bytes()).decode()
        told = [name for name in names_of_this_machine() if name in text]
        if told:
            sys.exit(f"record_demos: the record of {demo} tells of {', '.join(told)}; it was not taken")
        file.write_bytes(made.read_bytes())


def names_of_this_machine() -> list[str]:
    """What identifies it and its user; short names stand in other words as well."""
    names = [str(ROOT), str(Path.home()), f"/home/{getpass.getuser()}", "/root/", "/Users/", socket.gethostname()]
    return [name for name in names if len(name) > 4]


if __name__ == "__main__":
    sys.exit(main())

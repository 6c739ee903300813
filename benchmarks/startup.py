"""Start-up of the single file against a bare interpreter, side by side: A B A B ..., so that both see the same machine.

Prints medians in milliseconds, the spread, and the ratio of the medians with its target.
"""

import shutil
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

FILE = Path(__file__).parents[1] / "operator-demo"
ROUNDS = 15
TARGETS = {"--version": 8.0, "audit list": 20.0}


def milliseconds(command: list[str]) -> float:
    begin = time.perf_counter()
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    return (time.perf_counter() - begin) * 1000


def main() -> None:
    # A real interpreter: a version manager's shim would add to both and hide the difference.
    python = shutil.which("python3", path="/usr/bin:/usr/local/bin") or sys.executable
    bare = [python, "-c", "pass"]
    for words, target in TARGETS.items():
        ours = [python, "-IS", str(FILE), *words.split()]
        milliseconds(ours), milliseconds(bare)  # warm
        pairs = [(milliseconds(ours), milliseconds(bare)) for _ in range(ROUNDS)]
        mine, base = [a for a, _ in pairs], [b for _, b in pairs]
        print(f"{words:<12} {median(mine):6.1f} ms ({min(mine):.1f} to {max(mine):.1f})   python3 -c pass "
              f"{median(base):5.1f} ms ({min(base):.1f} to {max(base):.1f})   "
              f"ratio {median(mine) / median(base):4.1f} (target {target:.0f})")


if __name__ == "__main__":
    main()

"""`python -m benchmarks`, which `./build.sh bench` calls."""

import argparse
import signal
import sys
import traceback
from collections.abc import Sequence

from benchmarks import agent, cluster, compose, guard, load, logs, replay, screen, startup, table, whole_run
from benchmarks.measure import Benchmark, Unavailable, say
from operator_demo.errors import OperatorError

BENCHMARKS: dict[str, Benchmark] = {
    **startup.BENCHMARKS, **compose.BENCHMARKS, **cluster.BENCHMARKS, **logs.BENCHMARKS, **agent.BENCHMARKS,
    **screen.BENCHMARKS, **replay.BENCHMARKS, **load.BENCHMARKS, **guard.BENCHMARKS, **whole_run.BENCHMARKS,
}


def main(arguments: Sequence[str]) -> int:
    """1 when a benchmark failed; a target that is missed is a result, not a failure."""
    parser = argparse.ArgumentParser(
        prog="./build.sh bench", description="Measures operator-demo side by side with what it could cost at best.",
        epilog=f"The benchmarks: {', '.join(BENCHMARKS)}.")
    parser.add_argument("names", metavar="BENCHMARK", nargs="*", help="run these only")
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print JSON, with all samples, to compare with later")
    form.add_argument("--markdown", action="store_true", help=f"write the table into {table.PAGE.name}")
    options = parser.parse_args(arguments)
    if options.markdown and options.names:
        parser.error("--markdown is for all benchmarks: the page shows one run of them")
    if unknown := [name for name in options.names if name not in BENCHMARKS]:
        parser.error(f"no such benchmark: {', '.join(unknown)} (there are {', '.join(BENCHMARKS)})")
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # (as under nohup)
            signal.signal(number, _end)
    report, failed = table.new_report(), False
    for name in options.names or BENCHMARKS:
        say(f"==> {name}")
        try:
            report.rows[name] = BENCHMARKS[name]()
        except Unavailable as e:
            report.skipped[name] = str(e)
        except OperatorError as e:
            report.skipped[name], failed = f"{e.message} {e.hint}".strip(), True
        except Exception as e:
            traceback.print_exc()
            report.skipped[name], failed = f"{type(e).__name__}: {e}", True
    if options.markdown:
        table.write_page(report)
    print(table.as_json(report) if options.json else table.text(report), end="")
    return int(failed)


def _end(number: int, _: object) -> None:
    """As after Ctrl-C, whoever waits cleans up on the way out."""
    raise SystemExit(128 + number)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit(130)

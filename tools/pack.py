"""Pack the single file: `pack.py OUTPUT SITE_PACKAGES [SITE_PACKAGES_OF_ANOTHER_MACHINE ...]`.

Each tree was installed by pip for one machine. The first goes in whole; of the others only the compiled modules, whose
names carry the machine. Every file is checked against its wheel's RECORD first, because start-up hooks of a build
machine have been seen to write into such trees. Nothing is imported from them.

shiv writes the archive. Two of its functions are replaced: what becomes `__main__.py` (`operator_demo/_bootstrap.py`
instead of shiv's), and the list of shiv's own files that go in (none). docs/packaging.md says why.

The same trees give the same bytes, whoever packs them, when and where: names are sorted, and owners, modes and times of
the trees do not count. The times inside are SOURCE_DATE_EPOCH (seconds since 1970, from the environment).
"""

import base64
import csv
import hashlib
import shutil
import sys
from datetime import UTC, datetime
from os import environ
from pathlib import Path

from shiv import builder
from shiv.bootstrap.environment import Environment
from shiv.constants import BUILD_AT_TIMESTAMP_FORMAT

SHEBANG = "/usr/bin/env -S python3 -IS"
LARGEST = 16_000_000  # bytes
OLDEST = 315_532_800  # 1980: a zip file knows nothing older
# Compiled modules travel for the agent's container alone. PyYAML works without its own, and has no wheel without it.
COMPILED = ("pydantic_core/", "jiter/")
DROPPED = ("yaml/_yaml",)
SCRIPTS = "../../bin/"  # in a RECORD: console scripts, which pip puts into bin/ of its target


def main() -> None:
    output, whole, *others = (Path(argument) for argument in sys.argv[1:])
    for tree in (whole, *others):
        check_against_records(tree)
        for compiled in tree.rglob("*.so"):
            if str(compiled.relative_to(tree)).startswith(DROPPED):
                compiled.unlink()
    for tree in others:
        for compiled in tree.rglob("*.so"):
            shutil.copy(compiled, whole / compiled.relative_to(tree))
    # Console scripts name the build's own Python; nobody starts them from inside.
    shutil.rmtree(whole / "bin", ignore_errors=True)
    for record in whole.glob("*.dist-info/RECORD"):
        kept = [line for line in record.read_text(encoding="utf-8").splitlines() if not line.startswith(SCRIPTS)]
        record.write_text("\n".join(kept) + "\n", encoding="utf-8")

    names = [str(path.relative_to(whole)) for path in sorted(whole.rglob("*")) if path.is_file()]
    for name in names:
        if name.endswith(".pth"):
            fail(f"{name} would have to be run at start; a packed library must not need that")
        if name.endswith((".so", ".pyd", ".dylib")) and not name.startswith(COMPILED):
            fail(f"{name} is compiled, and not one that the agent's container needs")
        (whole / name).chmod(0o644)  # nothing is started from inside

    start = (whole / "operator_demo/_bootstrap.py").read_text(encoding="utf-8")
    digest = hashlib.sha256()
    for name in names:
        digest.update(name.encode() + b"\0" + hashlib.sha256((whole / name).read_bytes()).digest())
    # shiv writes a __main__.py of its own and what that needs; ours goes straight to the unpacked packages.
    builder.MAIN_TEMPLATE = start.replace("@BUILD_ID@", digest.hexdigest()).replace("{", "{{").replace("}", "}}")
    builder.iter_package_files = lambda package: iter(())
    built = datetime.fromtimestamp(max(OLDEST, int(environ["SOURCE_DATE_EPOCH"])), UTC)
    builder.create_archive(
        [whole],
        target=output,
        interpreter=SHEBANG,
        main="operator_demo.cli:main",
        env=Environment(
            built_at=built.strftime(BUILD_AT_TIMESTAMP_FORMAT),
            build_id=digest.hexdigest(),
            entry_point="operator_demo.cli:main",
            shiv_version="",
            reproducible=True,
        ),
    )
    size = output.stat().st_size
    if size > LARGEST:
        fail(f"{output} has {size} bytes, more than {LARGEST}")


def check_against_records(tree: Path) -> None:
    """Exit unless the tree holds exactly the files of its RECORDs, with their hashes."""
    unknown = {path.relative_to(tree).as_posix() for path in tree.rglob("*") if path.is_symlink() or not path.is_dir()}
    for name in sorted(unknown):
        if (tree / name).is_symlink():
            fail(f"{name} is a symbolic link; no wheel brings one")
    found = frozenset(unknown)
    for record in tree.glob("*.dist-info/RECORD"):
        own = record.relative_to(tree).as_posix()
        with record.open(newline="", encoding="utf-8") as rows:
            for name, expected, _ in csv.reader(rows):
                if name.startswith(SCRIPTS):
                    continue
                algorithm, _, wanted = expected.partition("=")
                if name not in found:
                    fail(f"{name} is missing, and its wheel's RECORD names it")
                if name != own and (not algorithm or wanted != checksum(tree / name, algorithm)):
                    fail(f"{name} is not as its wheel's RECORD says")
                unknown.discard(name)
    for name in sorted(unknown):
        if not name.startswith("bin/"):
            fail(f"{name} is in no wheel's RECORD")


def checksum(path: Path, algorithm: str) -> str:
    digest = hashlib.new(algorithm, path.read_bytes()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def fail(sentence: str) -> None:
    sys.exit(f"pack: {sentence}")


main()

"""The first code of the single file: the build copies this module to its `__main__.py`.

The file carries everything it needs under `site-packages/`. The first start unpacks that into a cache, each later one
goes straight there, which costs a few milliseconds. Only syntax of Python 3.6 is used here, because an older Python
must get far enough to hand over to a newer one or to say in one sentence what is missing.
"""

import os
import sys

BUILD_ID = "@BUILD_ID@"  # written by the build: the SHA-256 of all that is packed
ENTRY = "operator-demo_" + BUILD_ID
NEEDED = (3, 11)
NEWER = ("python3.14", "python3.13", "python3.12", "python3.11", "python3")
ENVIRONMENT = 3  # operator_demo.errors.Exit.ENVIRONMENT, which cannot be imported yet


def start() -> None:
    """Run the command line from the unpacked tree, with nothing of the machine's own packages in reach."""
    archive = os.path.dirname(os.path.abspath(__file__))
    if sys.version_info < NEEDED:
        go_on_with_newer_python(archive)
    try:
        packages = unpacked(archive, cache_root())
    except KeyboardInterrupt:
        sys.exit(130)
    sys.path = [packages] + [path for path in sys.path if not is_foreign(path, archive)]

    from operator_demo.cli import main

    main()


def is_foreign(path: str, archive: str) -> bool:
    """The zip file itself, slow to search, and what else is installed on the machine."""
    return os.path.abspath(path) == archive or os.path.basename(path) in ("site-packages", "dist-packages")


def fail(sentence: str) -> None:
    sys.stderr.write("operator-demo: " + sentence + "\n")
    sys.exit(ENVIRONMENT)


def go_on_with_newer_python(archive: str) -> None:
    """Replace this process by the same command under a newer Python from PATH; exit 3 where there is none."""
    import shutil
    import subprocess

    for name in NEWER:
        found = shutil.which(name)
        if not found:
            continue
        # A name on PATH may be a shim for a Python which is not there, so ask it.
        question = [found, "-I", "-c", "import sys; sys.exit(sys.version_info < {})".format(NEEDED)]
        try:
            answer = subprocess.call(question, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        except OSError:
            continue
        if answer == 0:
            os.execv(found, [found, "-IS", archive] + sys.argv[1:])
    fail(
        "Python {}.{} or newer is needed; this is {}.{} and PATH has no newer one.".format(
            NEEDED[0], NEEDED[1], sys.version_info[0], sys.version_info[1]
        )
    )


def cache_root() -> str:
    """The folder for unpacked files: SHIV_ROOT, else ~/.shiv, else one under the system's temp that only this user
    can write (no home, or one that is read-only)."""
    chosen = os.environ.get("SHIV_ROOT")
    if chosen:
        return os.path.abspath(os.path.expanduser(chosen))
    home = os.path.expanduser("~")
    root = os.path.join(home, ".shiv")
    if os.path.isabs(home) and os.path.isdir(home):
        if os.path.isdir(os.path.join(root, ENTRY)):
            return root
        if os.access(root if os.path.isdir(root) else home, os.W_OK | os.X_OK):
            return root
    return private_temp_folder()


def private_temp_folder() -> str:
    import stat
    import tempfile

    path = os.path.join(tempfile.gettempdir(), "operator-demo-{}".format(os.getuid()))
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        pass
    except OSError as error:
        fail("cannot make {}: {}. Set SHIV_ROOT to a folder that you can write.".format(path, error.strerror))
    found = os.lstat(path)
    # Whoever can write here can run code as this user: never trust what somebody else may have put there.
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o077:
        fail("{} is not a folder that only you can write. Remove it, or set SHIV_ROOT.".format(path))
    return path


def unpacked(archive: str, root: str) -> str:
    """The folder with the unpacked packages; unpacks on the first start."""
    entry = os.path.join(root, ENTRY)
    packages = os.path.join(entry, "site-packages")
    while True:
        if not os.path.isdir(packages):
            unpack(archive, root, entry)
        if hold(entry) and os.path.isdir(packages):  # else it was pruned in between
            return packages


def hold(entry: str) -> bool:
    """Mark the entry as in use until this process ends, so that a newer build does not prune it."""
    import fcntl

    try:
        descriptor = os.open(entry, os.O_RDONLY)
    except FileNotFoundError:
        return False
    except OSError as error:
        fail("cannot read {}: {}.".format(entry, error.strerror))
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
    except OSError:
        pass  # a file system without locks: pruning may then cost another start a second unpacking
    return True


def unpack(archive: str, root: str, entry: str) -> None:
    import zipfile
    from pathlib import Path

    # shiv's own, at the top of the file: locks, unpacks beside, renames.
    from _bootstrap import extract_site_packages  # type: ignore[import-not-found]

    try:
        if not os.path.isdir(root):
            os.makedirs(root, 0o700)
        with zipfile.ZipFile(archive) as packed:
            extract_site_packages(packed, Path(entry))
    except OSError as error:
        fail(
            "cannot unpack into {}: {}. Set SHIV_ROOT to a folder with 100 MB free that you can write.".format(
                root, error.strerror or error
            )
        )
    prune(root)


def prune(root: str) -> None:
    """Remove what earlier builds left in the cache, but nothing that a running process holds."""
    import fcntl
    import shutil
    import time

    for name in os.listdir(root):
        path = os.path.join(root, name)
        if not name.startswith("operator-demo_") or name == ENTRY or os.path.islink(path):
            continue
        try:
            if name.endswith(".tmp") and time.time() - os.stat(path).st_mtime < 3600:
                continue  # somebody may be unpacking right now
            descriptor = os.open(path, os.O_RDONLY)
        except OSError:
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path, ignore_errors=True)
        except OSError:
            pass  # in use
        finally:
            os.close(descriptor)


if __name__ == "__main__":
    start()

"""The first code of the single file: the build copies this module to its `__main__.py`.

The file carries everything it needs under `site-packages/`. The first start unpacks that into a cache, each later one
goes straight there, which costs a few milliseconds. Whoever can write into that cache can run code as this user, so
nothing is taken from a place where somebody else could have put it.

Only syntax of Python 2.7 is used here, because an older Python must get far enough to hand over to a newer one or to
say in one sentence what is missing.
"""

import os
import sys

BUILD_ID = "@BUILD_ID@"  # written by the build: the SHA-256 of all that is packed
ENTRY = "operator-demo_" + BUILD_ID
UNFINISHED = ".tmp"  # the end of a folder's name that is being filled or removed
NEEDED = (3, 11)
NEWER = ("python3.14", "python3.13", "python3.12", "python3.11", "python3")
ENVIRONMENT = 3  # operator_demo.errors.Exit.ENVIRONMENT, which cannot be imported yet


def start():  # type: () -> None
    """Run the command line from the unpacked tree, with nothing of the machine's own packages in reach."""
    archive = os.path.dirname(os.path.abspath(__file__))
    if sys.version_info < NEEDED:
        go_on_with_newer_python(archive)
    if not sys.flags.isolated and sys.executable:  # `python3 operator-demo`: PYTHONPATH and its like would count
        os.execv(sys.executable, [sys.executable, "-IS", archive] + sys.argv[1:])
    packages = ""
    try:
        packages = unpacked(archive, cache_root())
        sys.path = [packages] + [path for path in sys.path if not is_foreign(path, archive)]

        from operator_demo.cli import main
    except KeyboardInterrupt:
        sys.exit(130)
    except ModuleNotFoundError as error:
        fail_incomplete(error, packages)
    try:
        main()
    except ModuleNotFoundError as error:  # commands are imported late
        fail_incomplete(error, packages)


def is_foreign(path, archive):  # type: (str, str) -> bool
    """The zip file itself, slow to search, and what else is installed on the machine."""
    return os.path.abspath(path) == archive or os.path.basename(path) in ("site-packages", "dist-packages")


def fail(sentence):  # type: (str) -> None
    sys.stderr.write("operator-demo: " + sentence + "\n")
    sys.exit(ENVIRONMENT)


def fail_incomplete(error, packages):  # type: (ModuleNotFoundError, str) -> None
    if (error.name or "").partition(".")[0] in sys.stdlib_module_names:
        fail("{} in this Python ({}). Install all of its standard library.".format(error, sys.executable))
    # A cleaner of temporary files takes single ones, for example.
    fail("{}: something was removed from {}. Remove all of that and start again.".format(error, packages))


def go_on_with_newer_python(archive):  # type: (str) -> None
    """Replace this process by the same command under a newer Python from PATH; exit 3 where there is none."""
    import subprocess

    # A name on PATH may be a shim for a Python which is not there, so ask it.
    question = "import sys; sys.exit(sys.version_info < {})".format(NEEDED)
    with open(os.devnull, "w") as nothing:
        for name in NEWER:
            try:
                answer = subprocess.call([name, "-I", "-c", question], stdout=nothing, stderr=nothing)
            except OSError:
                continue
            if answer == 0:
                os.execvp(name, [name, "-IS", archive] + sys.argv[1:])
    fail(
        "Python {}.{} or newer is needed; this is {}.{} and PATH has no newer one. Install one and try again.".format(
            NEEDED[0], NEEDED[1], sys.version_info[0], sys.version_info[1]
        )
    )


# -- where ------------------------------------------------------------------------------------------------------------


def cache_root():  # type: () -> str
    """The folder for unpacked files: SHIV_ROOT, else ~/.shiv, else one under the system's temp that only this user
    can write (no home, one that is read-only, or one that others can write)."""
    chosen = os.environ.get("SHIV_ROOT")
    if chosen:
        root = os.path.abspath(os.path.expanduser(chosen))
        if os.path.isdir(root) and not is_safe(root):
            fail("others can write {}. Set SHIV_ROOT to a folder that only you can write.".format(root))
        return root
    home = os.path.expanduser("~")
    root = os.path.join(home, ".shiv")
    there = os.path.isdir(root)
    safe = os.path.isabs(home) and os.path.isdir(home) and is_safe(home) and (not there or is_safe(root))
    if safe and (
        os.path.isdir(os.path.join(root, ENTRY)) or os.access(root if there else home, os.W_OK | os.X_OK)
    ):
        return root
    return private_temp_folder()


def is_safe(folder):  # type: (str) -> bool
    """Can nobody but this user and root replace what this user has in the folder?"""
    import stat

    found = os.stat(folder)
    others_write = found.st_mode & 0o022 and not found.st_mode & stat.S_ISVTX
    return found.st_uid in (0, os.geteuid()) and not others_write


def private_temp_folder():  # type: () -> str
    import stat
    import tempfile

    advice = "Set SHIV_ROOT to a folder that only you can write."
    try:
        temp = tempfile.gettempdir()
    except OSError:
        fail("neither the home nor a temporary folder can be written. " + advice)
    path = os.path.join(temp, "operator-demo-{}".format(os.geteuid()))
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        pass
    except OSError as error:
        fail("cannot make {}: {}. {}".format(path, error.strerror, advice))
    found = os.lstat(path)
    private = stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o077
    if not (private and is_safe(temp)):
        fail("{} is not a folder that only you can write. Remove it, or set SHIV_ROOT.".format(path))
    return path


# -- unpacking --------------------------------------------------------------------------------------------------------


def unpacked(archive, root):  # type: (str, str) -> str
    """The folder with the unpacked packages; unpacks on the first start."""
    entry = os.path.join(root, ENTRY)
    packages = os.path.join(entry, "site-packages")
    while True:
        if not os.path.isdir(packages):
            unpack(archive, root, entry)
        if hold(entry) and os.path.isdir(packages):  # else it was pruned in between
            return packages


def hold(entry):  # type: (str) -> bool
    """Mark the entry as in use until this process ends, so that a newer build does not prune it."""
    import fcntl

    try:
        descriptor = os.open(entry, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except FileNotFoundError:
        return False
    except OSError as error:
        fail("cannot read {}: {}. Remove it, or set SHIV_ROOT to another folder.".format(entry, error.strerror))
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
    except OSError:
        pass  # a file system without locks: nothing is pruned there
    found = os.fstat(descriptor)
    if found.st_uid not in (0, os.geteuid()) or found.st_mode & 0o022:
        fail("{} can be written by others. Remove it, or set SHIV_ROOT to another folder.".format(entry))
    try:
        if os.path.samestat(found, os.stat(entry)):
            return True
    except FileNotFoundError:
        pass
    os.close(descriptor)
    return False


def unpack(archive, root, entry):  # type: (str, str, str) -> None
    """Fill a new folder beside and give it its name at the end, so that whatever ends this start leaves no half of
    an entry. Starts at the same time wait for the first."""
    import fcntl
    import zipfile
    import zlib

    umask = os.umask(0o077)  # nobody else gets to write below, not even into the folders of compiled modules
    try:
        os.makedirs(root, exist_ok=True)
        lock = os.open(root, os.O_RDONLY)
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX)
                prune(root)  # first, which makes room
            except OSError:
                pass  # a file system without locks: each start fills a folder of its own, and one gets the name
            if not os.path.isdir(os.path.join(entry, "site-packages")):
                fill(archive, root, entry)
        finally:
            os.close(lock)
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        fail("{} is damaged ({}). Copy or build it again.".format(archive, error))
    except OSError as error:
        fail(
            "cannot unpack into {}: {}. Set SHIV_ROOT to a folder with 100 MB free that you can write.".format(
                root, error.strerror or error
            )
        )
    finally:
        os.umask(umask)


def fill(archive, root, entry):  # type: (str, str, str) -> None
    import shutil
    import tempfile
    import zipfile

    packages = os.path.join(entry, "site-packages")
    folder = tempfile.mkdtemp(prefix=ENTRY + ".", suffix=UNFINISHED, dir=root)
    try:
        with zipfile.ZipFile(archive) as packed:
            packed.extractall(folder, [name for name in packed.namelist() if name.startswith("site-packages/")])
        if os.path.lexists(entry) and not os.path.isdir(packages):  # of no use to anybody
            os.rename(entry, folder + ".old" + UNFINISHED)
        os.rename(folder, entry)
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)
        if not (isinstance(error, OSError) and os.path.isdir(packages)):  # else another start was first
            raise


def prune(root):  # type: (str) -> None
    """Remove what earlier builds and killed starts left in the cache, but nothing that a running process holds. The
    caller has the lock, so nobody is unpacking."""
    import fcntl
    import shutil

    for name in os.listdir(root):
        path = os.path.join(root, name)
        if not name.startswith("operator-demo_") or name == ENTRY:
            continue
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        except OSError:
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not path.endswith(UNFINISHED):
                os.rename(path, path + UNFINISHED)  # a half-removed one must not be taken for whole
                path += UNFINISHED
            shutil.rmtree(path, ignore_errors=True)
        except OSError:
            pass  # in use, or somebody else's
        finally:
            os.close(descriptor)


if __name__ == "__main__":
    start()

#!/usr/bin/env bash
# Build, show and test operator-demo. Every step can be repeated and says what it does before it does it.
set -euo pipefail
umask 022 # part of the packed bytes, and of who may read the images
cd "$(dirname "${BASH_SOURCE[0]}")"

readonly OUTPUT=operator-demo
readonly PRODUCTS=.build                               # all that the build needs besides the output
readonly TOOLS=$PRODUCTS/venv                          # shiv and docker-py
readonly DEV=.venv                                     # linters and tests
readonly ENGINE_PID=/run/operator-demo-dockerd.pid     # of the dockerd that this script started, and no other
readonly ENGINE_LOG=/var/log/operator-demo-dockerd.log
readonly AGENT_PYTHON=3.13                             # Debian trixie's
readonly SOURCES=(pyproject.toml README.md LICENSE operator_demo compose_templates subjects) # what is packed

usage() {
    cat <<'TEXT'
usage: ./build.sh [COMMAND]

  (none)         build the single file ./operator-demo
  demo [ARG...]  everything for a demonstration on this machine, then run it hands-free; ARGs go to `operator-demo run`
  test [ARG...]  lint, types and tests; ARGs go to pytest. With --all first: also the whole matrix (other engines, every
                 scenario), about an hour
  bench [ARG...] compare with Compose, docker logs and others; ARGs: benchmarks to run, --json, --markdown, --help
  soak [N]       N runs (default: 30) of etcd's scenarios, chosen at random, each judged; continues after an interruption
  recordings [N...]  make the recordings that `operator-demo replay` brings anew, by real runs with the rehearsal
  lock           choose the newest versions that pyproject.toml allows and write the lock files
  clean          take down every run, remove what was built, stop the engine if this script started it
  stop-engine    only stop the engine

Missing Debian packages are installed, and a Docker engine is started, only as root on Debian or Ubuntu.
TEXT
}

say() { printf '\n==> %s\n' "$*" >&2; }

fail() { # exit 3, as operator-demo does when the environment is not as needed
    printf 'build.sh: %s\n' "$*" >&2
    exit 3
}

# --- Debian packages -------------------------------------------------------------------------------------------------

install_packages() { # WHY PACKAGE...
    local why=$1
    shift
    local ID="" ID_LIKE=""
    [ ! -r /etc/os-release ] || . /etc/os-release
    case " $ID $ID_LIKE " in
        *" debian "* | *" ubuntu "*) [ "$(id -u)" = 0 ] || fail "$why. Install it as root: apt-get install $*" ;;
        *) fail "$why. Install what your system has for Debian's $*, and try again." ;;
    esac
    say "$why: installing the Debian packages $*"
    export DEBIAN_FRONTEND=noninteractive
    apt-get update -qq
    apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

need_command() { # COMMAND PACKAGE...
    local command=$1
    shift
    command -v "$command" >/dev/null || install_packages "The command $command is missing" "$@"
}

# --- Python ----------------------------------------------------------------------------------------------------------

find_python() { # prints the path of a Python that is new enough, not of a shim
    local name
    for name in python3 python3.14 python3.13 python3.12 python3.11; do
        "$name" -c 'import sys; assert sys.version_info >= (3, 11); print(sys.executable)' 2>/dev/null && return
    done
    return 1
}

make_venv() { # FOLDER LOCK: a virtual environment with exactly what the lock names
    local folder=$1 lock=$2 python
    cmp -s "$lock" "$folder/installed.lock" && return
    python=$(find_python) || install_packages "Python 3.11 or newer is missing" python3 python3-venv
    python=$(find_python) || fail "Python 3.11 or newer is needed; $(python3 --version) is all that PATH has"
    "$python" -c 'import ensurepip' 2>/dev/null || install_packages "Python's venv is missing" python3-venv
    say "Installing what $lock names into $folder"
    rm -rf "$folder"
    "$python" -m venv "$folder"
    "$folder/bin/python" -m pip install -qq --disable-pip-version-check --no-deps --require-hashes -r "$lock"
    cp "$lock" "$folder/installed.lock"
}

# --- the single file -------------------------------------------------------------------------------------------------

install_for() { # MACHINE FOLDER: the locked packages as the agent's container needs them on that machine
    local machine=$1 folder=$2
    "$TOOLS/bin/python" -m pip install -qq --disable-pip-version-check --no-compile --no-deps --require-hashes \
        --target "$folder" --only-binary :all: --python-version "$AGENT_PYTHON" --implementation cp \
        --platform "manylinux2014_$machine" --platform "manylinux_2_17_$machine" --platform "manylinux_2_28_$machine" \
        -r requirements.lock
}

write_build_module() { # FILE: which commit this is, for --version; tests write into docs/, which is not packed
    local commit=none modified=True
    if commit=$(git rev-parse --short=7 HEAD 2>/dev/null); then
        [ -n "$(git status --porcelain -- "${SOURCES[@]}" requirements.lock tools/pack.py build.sh)" ] || modified=False
    else
        commit=none
    fi
    sed -n 's/^version = "\(.*\)"$/VERSION = "\1"/p' pyproject.toml >"$1"
    printf 'COMMIT = "%s"\nMODIFIED = %s\n' "$commit" "$modified" >>"$1"
}

build() {
    make_venv "$TOOLS" requirements-build.lock
    # The times inside the file: those of the environment, else of the commit, else 1980, where a zip file's times begin.
    local epoch=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 315532800)}
    [[ $epoch =~ ^[0-9]+$ ]] || fail "SOURCE_DATE_EPOCH must be whole seconds since 1970, not '$epoch'"
    export SOURCE_DATE_EPOCH=$epoch
    local source=$PRODUCTS/source x86=$PRODUCTS/x86_64 arm=$PRODUCTS/aarch64 lock=$PRODUCTS/packages.lock

    if ! cmp -s requirements.lock "$lock"; then
        say "Fetching the locked packages for the agent's container, x86-64 and arm64"
        rm -rf "$lock" "$x86" "$arm"
        install_for x86_64 "$x86"
        install_for aarch64 "$arm"
        cp requirements.lock "$lock"
    fi

    say "Packing ./$OUTPUT"
    rm -rf "$source" "$PRODUCTS/wheel" "$PRODUCTS/packed" "$PRODUCTS/packed-arm"
    mkdir -p "$source"
    cp -R "${SOURCES[@]}" "$source"
    find "$source" -name __pycache__ -prune -exec rm -rf {} +
    write_build_module "$source/operator_demo/_build.py"
    "$TOOLS/bin/python" -m pip wheel -qq --disable-pip-version-check --no-deps --no-build-isolation --no-index \
        -w "$PRODUCTS/wheel" "$source"
    mkdir "$PRODUCTS/packed" "$PRODUCTS/packed-arm"
    cp -R "$x86/." "$PRODUCTS/packed"
    cp -R "$arm/." "$PRODUCTS/packed-arm"
    "$TOOLS/bin/python" -m pip install -qq --disable-pip-version-check --no-compile --no-deps --no-index \
        --find-links "$PRODUCTS/wheel" --target "$PRODUCTS/packed" operator-demo # by path, the path would be recorded
    "$TOOLS/bin/python" tools/pack.py "$PRODUCTS/$OUTPUT" "$PRODUCTS/packed" "$PRODUCTS/packed-arm"
    mv "$PRODUCTS/$OUTPUT" "$OUTPUT" # in one step: a running demo keeps the old file
    "./$OUTPUT" --version
}

# --- the engine and the base image -----------------------------------------------------------------------------------

ask_engine() { "$TOOLS/bin/python" tools/engine.py "$@"; }

engine() { # make sure that a Docker engine answers
    make_venv "$TOOLS" requirements-build.lock
    local found status=0
    found=$(ask_engine ping 2>&1) || status=$?
    if [ $status = 0 ]; then
        say "Using the $found"
        return
    fi
    [ $status = 1 ] || fail "$found"
    [ "$(uname)" = Linux ] || fail "no Docker engine answers. Start Docker Desktop, Colima or OrbStack, and try again."
    if ! command -v dockerd >/dev/null; then
        install_packages "No Docker engine answers and none is installed" docker.io iptables
        if wait_for_engine 3; then return; fi # where a service manager is, the installation starts it
    fi
    [ "$(id -u)" = 0 ] || fail "no Docker engine answers ($found). Start it as root."
    if [ -d /run/systemd/system ]; then
        say "Starting the Docker engine: systemctl start docker"
        systemctl start docker
    else
        say "Starting a Docker engine in the background: dockerd, log in $ENGINE_LOG (./build.sh clean stops it)"
        setsid dockerd >"$ENGINE_LOG" 2>&1 </dev/null &
        echo $! >"$ENGINE_PID"
    fi
    wait_for_engine 60 || fail "the Docker engine did not start: $(tail -n 1 "$ENGINE_LOG" 2>/dev/null)"
}

wait_for_engine() { # SECONDS
    local end=$((SECONDS + $1))
    until ask_engine ping 2>/dev/null; do
        [ $SECONDS -lt $end ] || return 1
        sleep 0.5
    done
}

stop_engine() { # only the one that engine() started
    [ -f "$ENGINE_PID" ] || return 0
    local pid
    pid=$(<"$ENGINE_PID")
    if [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = dockerd ]; then
        say "Stopping the Docker engine that build.sh started (process $pid)"
        kill "$pid"
        local end=$((SECONDS + 30))
        while [ -d "/proc/$pid" ] && [ $SECONDS -lt $end ]; do sleep 0.2; done
    fi
    rm -f "$ENGINE_PID"
}

base_image() {
    if ask_engine base; then
        say "Keeping the base image operator-demo/base:trixie"
        return
    fi
    say "Making the base image operator-demo/base:trixie from Debian's image, if that can be pulled"
    local reason
    if reason=$(ask_engine pull-base 2>&1); then return; fi
    say "It cannot ($reason). Making it with debootstrap instead, about half a minute"
    [ "$(id -u)" = 0 ] || fail "debootstrap must run as root: run ./build.sh as root once, or pull debian:trixie-slim."
    need_command debootstrap debootstrap debian-archive-keyring
    debootstrapped_base
}

debootstrapped_base() (
    root=$(mktemp -d /var/tmp/operator-demo-base.XXXXXX)
    trap 'rm -rf --one-file-system "$root"' EXIT
    debootstrap --variant=minbase trixie "$root" >"$root.log" 2>&1 ||
        fail "debootstrap failed: $(tail -n 1 "$root.log") (all of it in $root.log)"
    rm "$root.log"
    # As in Debian's slim image: no manuals, in this image and in all built on it.
    cat >"$root/etc/dpkg/dpkg.cfg.d/slim" <<'TEXT'
path-exclude=/usr/share/doc/*
path-include=/usr/share/doc/*/copyright
path-exclude=/usr/share/info/*
path-exclude=/usr/share/locale/*
path-exclude=/usr/share/man/*
TEXT
    find "$root/usr/share/doc" -type f ! -name copyright -delete
    rm -rf "$root"/usr/share/{info,locale,man}/* "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/* "$root"/var/log/*.log
    tar -C "$root" --numeric-owner --one-file-system --exclude='./dev/*' -c . | ask_engine import-base
)

# --- commands --------------------------------------------------------------------------------------------------------

demo() {
    engine
    base_image
    build
    say "./$OUTPUT run etcd --auto $*"
    local status=0
    "./$OUTPUT" run etcd --auto "$@" || status=$?
    say "./$OUTPUT audit list"
    "./$OUTPUT" audit list || true
    say "./$OUTPUT audit show last"
    "./$OUTPUT" audit show last </dev/null | cat || true
    return $status
}

run_tests() {
    engine
    base_image
    build
    need_command tmux tmux
    make_venv "$DEV" requirements-dev.lock
    local python=$DEV/bin/python
    say "Lint: ruff"
    "$python" -m ruff check .
    say "Types: mypy"
    "$python" -m mypy
    if [ "${1:-}" = --all ]; then
        shift
        set -- -m "" "$@"
        export OPERATOR_WRITE_PROVEN=1 # what `scenarios list` tells of the rehearsal
        [ $# -gt 2 ] || set -- "$@" -n 3 --dist worksteal # nearly all that is added are clusters, which take turns
    fi
    # Most of them wait for a real cluster: several side by side, but not so many that two processors are overloaded.
    [ $# -gt 0 ] || set -- -n 3 --dist worksteal
    say "Tests: pytest $*"
    "$python" -m pytest "$@"
}

bench() { # what it prints on stdout may be JSON: all else goes to stderr
    engine >&2
    base_image >&2
    build >&2
    make_venv "$DEV" requirements-dev.lock >&2
    "$DEV/bin/python" -m benchmarks "$@"
}

soak() {
    engine
    base_image
    build
    make_venv "$DEV" requirements-dev.lock
    PYTHONPATH=. "$DEV/bin/python" tools/soak.py "$@"
}

recordings() {
    engine
    base_image
    build
    "$TOOLS/bin/python" tools/record_demos.py "$@"
    build # with them
    "./$OUTPUT" record etcd/member-kill -o docs/screen.svg
}

lock() {
    local venv=$PRODUCTS/lock-venv python
    python=$(find_python) || fail "Python 3.11 or newer is needed"
    say "Choosing versions and writing the lock files"
    "$python" -m venv --clear "$venv"
    "$venv/bin/python" tools/lock.py
}

clean() {
    if [ -x "$OUTPUT" ]; then
        say "Taking down every run: ./$OUTPUT down --all --volumes"
        "./$OUTPUT" down --all --volumes || true
    fi
    say "Removing ./$OUTPUT, $PRODUCTS and $DEV (images stay: docker image rm operator-demo/base:trixie)"
    rm -rf "$OUTPUT" "$PRODUCTS" "$DEV"
    stop_engine
}

command=${1:-build}
[ $# = 0 ] || shift
case $command in
    build) build ;;
    bench) bench "$@" ;;
    soak) soak "$@" ;;
    recordings) recordings "$@" ;;
    lock) lock ;;
    clean) clean ;;
    stop-engine) stop_engine ;;
    demo) demo "$@" ;;
    test) run_tests "$@" ;;
    -h | --help | help) usage ;;
    *)
        usage >&2
        exit 2
        ;;
esac

"""An engine on another machine, reached as the docker command does it: `ssh HOST docker system dial-stdio`.

Every connection is a pair of sockets; one is docker-py's, the other is the standard input and output of an ssh
process. So nothing has to be pumped: closing one end closes the other, and when this process dies, however, the end
of its input ends the ssh process too.
"""

import contextlib
import os
import re
import shlex
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from docker.transport.unixconn import UnixHTTPAdapter, UnixHTTPConnection, UnixHTTPConnectionPool

_CONNECT = 30  # seconds for ssh to connect, as the docker command has it
_ALIVE = 10  # seconds between two signs of life; after three missed ones a connection is broken
_END = 3.0  # seconds that an ssh process may take to end after its connection was closed
_CLOSING = 0.5  # seconds between the end of a connection and that of its process, at most
_LONGEST_SOCKET = 80  # bytes; ssh adds up to 20 to the path of its control socket, and 104 is the least limit there is

_FOR_A_SHELL = re.compile(r"^-|[\s\x00-\x1f'\"`$;&<>|(){}]")  # what OpenSSH 9.6 refuses too


class SshError(ConnectionError):
    """What ssh said about why there is no connection."""


class SshDialer:
    """Connections to the engine at `url`, an ssh:// one. Threads may share it; whoever made it closes it.

    All connections share one login: a run makes many of them, and a server takes only a few logins at a time (sshd's
    MaxStartups). Where the user's own ssh configuration shares connections already, that is left to it.
    """

    def __init__(self, url: str) -> None:
        options, destination, remote = _parse(url)
        self._folder = Path(tempfile.mkdtemp(prefix="operator-demo-ssh-"))
        self._errors = os.open(self._folder / "errors", os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        self._lock = threading.Lock()
        self._sharing = threading.Lock()
        self._closed = False
        self._processes: list[subprocess.Popen[bytes]] = []
        self._shared: tuple[subprocess.Popen[bytes], socket.socket] | None = None
        self._control: Path | None = self._folder / "c"
        sharing: list[str] = []
        if len(os.fsencode(self._control)) > _LONGEST_SOCKET or _shares_connections([*options, "--", destination]):
            self._control = None
        else:
            sharing = ["-o", "ControlMaster=auto", "-o", f"ControlPath={self._control}", "-o", "ControlPersist=no"]
        self._command = ["ssh", "-o", f"ConnectTimeout={_CONNECT}", "-o", f"ServerAliveInterval={_ALIVE}", *sharing,
                         "-T", *options, "--", destination, remote]

    def dial(self) -> socket.socket:
        """A new connection. Raises SshError, or shows it as the end of what can be read."""
        with self._sharing:
            if self._control is not None:
                self._share(self._control)
        return self._start()[1]

    def said(self) -> str:
        """The last line that ssh, or the far side through it, wrote about its troubles; "" where no ssh has failed."""
        with self._lock:
            newest = self._processes[-1:]
        for process in newest:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_CLOSING)
        size = os.fstat(self._errors).st_size
        text = os.pread(self._errors, 4096, max(0, size - 4096)).decode("utf-8", "replace")
        words = next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")
        with self._lock:
            status = next((p.returncode for p in reversed(self._processes) if p.poll()), 0)
        return words or (f"ssh ended with exit status {status}" if status else "")

    def close(self) -> None:
        """Ends all ssh processes; those whose connection is still open are killed after some seconds."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            if self._shared:
                self._shared[1].close()
            deadline = time.monotonic() + _END
            for process in self._processes:
                try:
                    process.wait(max(0.0, deadline - time.monotonic()))
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()
            self._processes.clear()
            os.close(self._errors)
            shutil.rmtree(self._folder, ignore_errors=True)

    def _share(self, control: Path) -> None:
        """Sees to it that there is a login to share: that of a connection which stays unused until the end."""
        if self._shared:
            if self._shared[0].poll() is None:
                return
            self._shared[1].close()
        process, _ = self._shared = self._start()
        deadline = time.monotonic() + _CONNECT
        while not control.exists():
            if process.poll() is not None:
                raise SshError(self.said() or "ssh ended at once")
            if time.monotonic() > deadline:
                self._control = None  # it cannot be shared, so the others are on their own
                return
            time.sleep(0.01)

    def _start(self) -> tuple[subprocess.Popen[bytes], socket.socket]:
        ours, its = socket.socketpair()
        try:
            # In a session of its own: Ctrl-C is for us, and a question on the terminal would spoil the screen.
            process = subprocess.Popen(self._command, stdin=its.fileno(), stdout=its.fileno(), stderr=self._errors,
                                       start_new_session=True)
        except BaseException:
            ours.close()
            raise
        finally:
            its.close()
        with self._lock:
            self._processes = [p for p in self._processes if p.poll() is None]
            self._processes.append(process)
        return process, ours


class SshAdapter(UnixHTTPAdapter):
    """docker-py's transport for Unix sockets, over the connections of a dialer."""

    def __init__(self, dialer: SshDialer, timeout: int, max_pool_size: int) -> None:
        super().__init__("http+unix://ssh", timeout, max_pool_size=max_pool_size)
        self._dialer = dialer

    def get_connection(self, url: Any, proxies: Any = None) -> Any:
        """One pool for all. docker-py has one for each path, and so a connection; these here are dear."""
        with self.pools.lock:
            if self.pools.get("") is None:
                self.pools[""] = _Pool(self._dialer, url, self.timeout, self.max_pool_size)
            return self.pools[""]


class _Pool(UnixHTTPConnectionPool):
    def __init__(self, dialer: SshDialer, url: Any, timeout: int, maxsize: int) -> None:
        super().__init__(url, "", timeout, maxsize=maxsize)
        self._dialer = dialer

    def _new_conn(self) -> Any:
        return _Connection(self._dialer, self.base_url, self.timeout)


class _Connection(UnixHTTPConnection):
    def __init__(self, dialer: SshDialer, base_url: Any, timeout: Any) -> None:
        super().__init__(base_url, "", timeout)
        self._dialer = dialer

    def connect(self) -> None:
        self.sock = self._dialer.dial()
        self.sock.settimeout(self.timeout)


def _parse(url: str) -> tuple[list[str], str, str]:
    """ssh's options, the host, and the remote command of ssh://[USER@]HOST[:PORT][/PATH-OF-THE-SOCKET]; ValueError.

    The remote command goes through a shell of the far side, and a ProxyCommand of the user's own through one here.
    """
    parts = urlsplit(url)
    if parts.password is not None:
        raise ValueError("a password in an ssh address is not supported; use a key")
    if not parts.hostname or parts.query or parts.fragment:
        raise ValueError("an ssh address is ssh://[USER@]HOST[:PORT][/SOCKET]")
    user = unquote(parts.username or "")
    options = ["-l", user] if user else []
    options += ["-p", str(parts.port)] if parts.port else []
    path = unquote(parts.path).rstrip("/")
    # As it was written: hostname is in lower case, and ssh's Host patterns and aliases are not.
    host = parts.netloc.rpartition("@")[2]
    host = host[1:host.index("]")] if host.startswith("[") else host.partition(":")[0]
    for name in (user, host):
        if _FOR_A_SHELL.search(name):
            raise ValueError(f"{name!r} has characters that no user or host of an ssh address may have")
    socket_option = ["--host", f"unix://{path}"] if path else []
    return options, host, shlex.join(["docker", *socket_option, "system", "dial-stdio"])


def _shares_connections(arguments: Sequence[str]) -> bool:
    """Whether the user's configuration has a ControlPath for this host."""
    try:
        asked = subprocess.run(["ssh", "-G", *arguments], stdin=subprocess.DEVNULL, capture_output=True, timeout=10,
                               text=True, errors="replace", start_new_session=True)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return any(line.startswith("controlpath ") and line != "controlpath none" for line in asked.stdout.splitlines())

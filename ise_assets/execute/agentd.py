"""agentd: the tool server inside a workspace. Standard library only, PID 1 of its namespace, Python 3.9 or newer.

Speaks frames over stdin and stdout: four bytes of length (big endian), then a JSON object with an `id`; bytes travel as base64.
Several requests may be under way at once, each in a thread. It ends when stdin does. Whatever runs here is hostile: agentd is
not dumpable, so no child can open its pipes, and every command has a session of its own that can be killed whole. Commands are
started from a thread in a Landlock domain where the kernel has that, and Python source of the host's (the checks) by a fork that
stays outside of it and is not dumpable either: what an agent left running cannot reach into the process that judges it.
"""

import base64
import contextlib
import ctypes
import json
import os
import queue
import re
import resource
import select
import signal
import stat
import struct
import subprocess
import sys
import threading
import time

HOME = "/home/user"
MAX_FRAME = 64 << 20
MAX_READ = 4 << 20
MAX_SNAPSHOT = 40 << 20  # in base64 it fits a frame
GRACE_S = 0.15
KILL_S = 2.0  # what dies slowly (a large memory, a busy machine) must not hold the caller for ever
WATCH_EVERY_S = 0.2
RELIEVED = 0.8  # of the memory limit: so much is left in use when the largest processes have been killed
PAGE = os.sysconf("SC_PAGE_SIZE")
KERNELS_KILLS = ("/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control")
STACK, DEEP_STACK = 512 << 10, 8 << 20
WATCHED = ("/home", "/workspace")
SKIPPED = ("__pycache__", ".cache", ".local")

spawning = threading.Lock()
own_pids = set()
writing = threading.Lock()
foreground = {}
background = {}
hidden = {}
numbers = {"p": 0, "s": 0}
baseline = {}
shed = {"kills": 0}
launches = queue.SimpleQueue()
stacks = threading.Lock()


class Refused(Exception):
    """An operation that cannot be done; `kind` is an outcome's name."""

    def __init__(self, kind, message):
        super().__init__(message)
        self.kind = kind


class Capped:
    """The first and the last bytes of a stream, and how many there were."""

    def __init__(self, cap):
        self.cap = max(2, cap)
        self.head, self.tail, self.total = b"", b"", 0
        self.lock = threading.Lock()

    def add(self, data):
        with self.lock:
            self.total += len(data)
            room = self.cap // 2 - len(self.head)
            if room > 0:
                self.head += data[:room]
                data = data[room:]
            if data:
                self.tail = (self.tail + data)[-(self.cap - self.cap // 2) :]

    def text(self):
        with self.lock:
            cut = self.total - len(self.head) - len(self.tail)
            head, tail = (part.decode("utf-8", "replace") for part in (self.head, self.tail))
            if cut <= 0:
                return (self.head + self.tail).decode("utf-8", "replace"), False
            return head + "\n[output cut: %d bytes left out]\n" % cut + tail, True


class Process:
    """A command in its own session, its output drained to the end."""

    def __init__(self, request, keep_stdin):
        cap = int(request.get("cap", 8000))
        self.command = request.get("command") or "python3 -"
        self.out, self.err = Capped(cap), Capped(cap)
        self.started = time.monotonic()
        stdin = subprocess.PIPE if keep_stdin or request.get("stdin") is not None else subprocess.DEVNULL
        # a home that was removed must not be the end of all commands
        workdir = request.get("workdir") or (HOME if os.path.isdir(HOME) else "/")
        env = request.get("env") or {}
        try:
            if "source" in request:
                self.popen = with_room(lambda: Forked(request["source"], workdir, env))
            else:
                self.popen = with_room(lambda: confined(lambda: self._spawn(stdin, workdir, env)))
        except (FileNotFoundError, NotADirectoryError):
            raise Refused("not_found", "no such directory: %s" % workdir)
        except PermissionError:
            raise Refused("denied", "permission denied: %s" % workdir)
        except (OSError, ValueError) as error:
            raise Refused("tool_error", "cannot start the command: %s" % (getattr(error, "strerror", None) or error))
        self.readers = [
            begin(self._drain, self.popen.stdout, self.out),
            begin(self._drain, self.popen.stderr, self.err),
        ]
        if request.get("stdin") is not None:
            begin(self._feed, request["stdin"].encode(), keep_stdin)

    def _spawn(self, stdin, workdir, env):
        with spawning:
            popen = subprocess.Popen(
                ["/bin/bash", "-c", self.command], stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                cwd=workdir, env={**os.environ, **env}, start_new_session=True, bufsize=0,
            )  # fmt: skip
            own_pids.add(popen.pid)
        prefer_to_kill(popen.pid)
        return popen

    def _drain(self, stream, kept):
        while True:
            try:
                data = os.read(stream.fileno(), 65536)
            except OSError:
                return
            if not data:
                return
            kept.add(data)

    def _feed(self, data, keep_open):
        try:
            self.popen.stdin.write(data)
            if not keep_open:
                self.popen.stdin.close()
        except (OSError, ValueError):
            return  # the command does not read its input: its own business

    def wait(self, timeout):
        """Whether it had to be killed, with all it started, because the time was up."""
        timed_out = not self._exited(timeout)
        killed = kill_command(self.popen.pid, strays=True) if timed_out else {}
        self.popen.wait()
        with spawning:
            own_pids.discard(self.popen.pid)
        await_end(killed)
        for reader in self.readers:  # a background child may hold the pipe for ever
            reader.join(GRACE_S)
        return timed_out

    def _exited(self, timeout):
        try:
            handle = os.pidfd_open(self.popen.pid)  # Popen.wait would poll and add up to 50 ms
        except ProcessLookupError:
            return True
        try:
            poller = select.poll()
            poller.register(handle, select.POLLIN)
            return bool(poller.poll(timeout * 1000))
        finally:
            os.close(handle)

    def kill(self):
        killed = kill_command(self.popen.pid)
        self.wait(KILL_S)
        await_end(killed)

    def state(self):
        code = self.popen.poll()
        if code is not None:
            with spawning:
                own_pids.discard(self.popen.pid)
        return {"running": code is None, "exit_code": code, "command": self.command}


class Forked:
    """Python source run by a fork of agentd: what `Process` needs of a Popen. Never executed anew, so never dumpable."""

    stdin = None

    def __init__(self, source, workdir, env):
        folder = os.open(workdir, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        out, err = os.pipe(), os.pipe()
        try:
            with spawning:
                self.pid = os.fork()
                if self.pid == 0:
                    os._exit(played(source, folder, env, out[1], err[1]))
                own_pids.add(self.pid)
        except BaseException:
            os.close(out[0])
            os.close(err[0])
            raise
        finally:
            for handle in (folder, out[1], err[1]):
                os.close(handle)
        self.stdout, self.stderr = (os.fdopen(handle, "rb", buffering=0) for handle in (out[0], err[0]))
        self.returncode = None
        prefer_to_kill(self.pid)

    def poll(self):
        return self._collect(os.WNOHANG)

    def wait(self):
        return self._collect(0)

    def _collect(self, options):
        if self.returncode is None:
            pid, status = os.waitpid(self.pid, options)
            if pid:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode


def played(source, folder, env, out, err):
    """The exit code of `source`, run as a program of its own in this (forked) process, as `python3 -s -c` would."""
    code = 1
    try:
        os.setsid()
        os.fchdir(folder)
        null = os.open(os.devnull, os.O_RDONLY)
        for target, handle in ((0, null), (1, out), (2, err)):
            os.dup2(handle, target)
        os.closerange(3, 1024)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
        os.environ.update(env)
        import site
        import types

        site.ENABLE_USER_SITE = False
        sys.path[:] = [path for path in sys.path if path not in ("", "/opt")]  # where agentd itself came from
        site.main()
        program = types.ModuleType("__main__")
        sys.modules["__main__"], sys.argv = program, ["-c"]
        exec(compile(source, "<stdin>", "exec"), program.__dict__)
        code = 0
    except SystemExit as end:
        if isinstance(end.code, str):
            sys.stderr.write(end.code + "\n")
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException as error:
        import traceback

        traceback.print_exception(type(error), error, error.__traceback__ and error.__traceback__.tb_next)
    return (code if ended() else code or 120) & 0xFF


def ended():
    """Does what an interpreter does at its end: waits for threads, runs exit functions, writes out what is buffered."""
    import atexit

    try:
        threading._shutdown()
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError):
        return False
    return True


def prefer_to_kill(pid):
    """Out of memory, the kernel is to take a command and leave agentd."""
    with contextlib.suppress(OSError), open("/proc/%d/oom_score_adj" % pid, "w") as handle:
        handle.write("500")


def confined(make):
    """What `make` makes, in the thread whose children are in the commands' Landlock domain."""
    answer = queue.SimpleQueue()
    launches.put((make, answer))
    made, error = answer.get()
    if error is not None:
        raise error
    return made


def launch_forever():
    enter_domain()
    while True:
        make, answer = launches.get()
        try:
            answer.put((make(), None))
        except BaseException as error:
            answer.put((None, error))


def enter_domain():
    """Puts this thread and what it will start into a Landlock domain; False where the kernel has none that fits.

    The domain takes away one thing only: access to processes outside of it (/proc/PID/mem and the like). Files stay as they are:
    of the rights it handles, moving files between directories is granted everywhere, and block devices nobody could make before.
    """
    system = ctypes.CDLL(None, use_errno=True).syscall
    create, add, restrict = 444, 445, 446
    make_block, refer = 1 << 11, 1 << 13
    if system(create, None, 0, 1) < 2:  # version 1 would forbid all moves between directories
        return False
    rules = system(create, struct.pack("=Q", make_block | refer), ctypes.c_size_t(8), 0)
    if rules < 0:
        return False
    root = os.open("/", os.O_PATH | os.O_CLOEXEC)
    try:
        granted = system(add, rules, 1, struct.pack("=Qi", refer, root), 0) == 0
        return granted and system(restrict, rules, 0) == 0
    finally:
        os.close(root)
        os.close(rules)


def begin(target, *arguments, stack=STACK):
    """A thread that runs `target`."""

    def make():
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        with stacks:
            threading.stack_size(stack)
            thread.start()
        return thread

    return with_room(make)


def with_room(make):
    """What `make` makes. Where the process limit leaves no room, runaways are killed first, then everything."""
    for spared in (True, False):
        try:
            return make()
        except (RuntimeError, BlockingIOError):
            kill_runaways(spared)
    return make()


def processes():
    """Of every process but this one: pid -> (parent, session, start in ticks)."""
    found = {}
    for name in os.listdir("/proc"):
        if not name.isdigit() or name == "1":
            continue
        try:
            with open("/proc/%s/stat" % name, "rb") as handle:
                fields = handle.read().rpartition(b")")[2].split()
        except OSError:
            continue
        found[int(name)] = (int(fields[1]), int(fields[3]), int(fields[19]))
    return found


def frozen(choose):
    """Kills what `choose` picks from the processes, while all stand still: nothing can fork its way out.

    Returns pid -> start of what it killed.
    """
    killed = {}
    try:
        os.kill(-1, signal.SIGSTOP)
    except ProcessLookupError:
        return killed
    try:
        table = processes()
        for pid in choose(table):
            killed[pid] = table[pid][2]
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(-1, signal.SIGCONT)
    reap()
    return killed


def await_end(killed):
    """Until the killed are gone from the process list: a signal has been sent before it has done its work."""
    deadline = time.monotonic() + KILL_S
    while killed and time.monotonic() < deadline:
        reap()
        table = processes()
        killed = {pid: start for pid, start in killed.items() if pid in table and table[pid][2] == start}
        if killed:
            time.sleep(0.002)


def kill_command(leader, strays=False):
    """Kills a command's session and all its descendants.

    With `strays` also what it started and let go (daemons): orphans younger than it that belong to no other command.
    """

    def choose(table):
        kept = {process.popen.pid for process in known()} - {leader}
        chosen = {pid for pid, (_, session, _) in table.items() if session == leader}
        if strays and leader in table:
            since = table[leader][2]
            chosen |= {
                pid
                for pid, (parent, session, started) in table.items()
                if parent == 1 and started >= since and session not in kept
            }
        while True:
            more = {pid for pid, (parent, _, _) in table.items() if parent in chosen and pid not in chosen}
            if not more:
                return chosen
            chosen |= more

    return frozen(choose)


def kill_runaways(spare_background):
    spared = {process.popen.pid for process in [*background.values(), *hidden.values()]} if spare_background else set()
    frozen(lambda table: [pid for pid, (_, session, _) in table.items() if session not in spared])
    time.sleep(0.05)  # the dead count against the limit until they are taken away
    reap()


def known():
    return [*list(foreground.values()), *list(background.values()), *list(hidden.values())]


def reap():
    """Takes away dead orphans, never a command that somebody waits for."""
    for process in [*list(background.values()), *list(hidden.values())]:
        process.state()  # nobody waits for these, and a dead one would hide the orphans behind it
    with spawning:
        while True:
            try:
                dead = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            except ChildProcessError:
                return
            if dead is None or dead.si_pid in own_pids:
                return
            os.waitpid(dead.si_pid, 0)


def reap_forever():
    while True:
        time.sleep(0.2)
        reap()


def watch_memory(limit_mib):
    """Kills the largest processes whenever all together hold more than the limit.

    agentd is spared, and so is what is small: the seed's services outlive a memory bomb.
    """
    while True:
        time.sleep(WATCH_EVERY_S)
        with contextlib.suppress(OSError):
            shed["kills"] += shed_memory(limit_mib)


def shed_memory(limit_mib):
    pids = [int(name) for name in os.listdir("/proc") if name.isdigit()]
    if sum(map(resident_mib, pids)) <= limit_mib:
        return 0
    held = {pid: own_mib(pid) for pid in pids}
    used, killed = sum(held.values()), 0
    if used <= limit_mib:
        return 0
    for pid in sorted(set(pids) - {1}, key=lambda pid: -held[pid]):
        if used <= limit_mib * RELIEVED:
            break
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
            killed += 1
        used -= held[pid]
    return killed


def resident_mib(pid):
    try:
        with open("/proc/%d/statm" % pid, "rb") as handle:
            return int(handle.read().split()[1]) * PAGE / (1 << 20)
    except (OSError, IndexError):
        return 0.0


def own_mib(pid):
    """Without pages of files, which many processes share."""
    try:
        with open("/proc/%d/status" % pid, "rb") as handle:
            lines = handle.read().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith((b"RssAnon:", b"RssShmem:"))) / 1024


def memory_kills():
    """Processes killed so far because memory ran out: by agentd, and by the kernel where a control group tells."""
    total = shed["kills"]
    for path in KERNELS_KILLS:
        with contextlib.suppress(OSError, ValueError), open(path) as handle:
            total += sum(int(line.split()[1]) for line in handle if line.startswith("oom_kill "))
    return total


def run(request):
    killed_before = memory_kills()
    process = Process(request, False)
    foreground[request["id"]] = process
    try:
        timed_out = process.wait(float(request.get("timeout", 60)))
    finally:
        del foreground[request["id"]]
    reap()
    code = process.popen.returncode
    out, out_cut = process.out.text()
    err, err_cut = process.err.text()
    return {
        "exit_code": None if timed_out else (128 - code if code < 0 else code),
        "signal": -code if code < 0 and not timed_out else None,
        "timed_out": timed_out, "stdout": out, "stderr": err, "stdout_bytes": process.out.total,
        "stderr_bytes": process.err.total, "truncated": out_cut or err_cut,
        "duration_ms": (time.monotonic() - process.started) * 1000, "memory_kills": memory_kills() - killed_before,
    }  # fmt: skip


def start(request):
    kind = "s" if request.get("hidden") else "p"
    process = Process(request, not request.get("hidden"))
    with spawning:
        numbers[kind] += 1
        name = "%s%d" % (kind, numbers[kind])
        (hidden if kind == "s" else background)[name] = process
    return {"process_id": name}


def cancel(request):
    """The host no longer waits for a command: it must not run on unseen."""
    process = foreground.get(request["target"])
    if process is not None:
        kill_command(process.popen.pid, strays=True)
    return {}


def process(request):
    action, name = request["action"], request.get("process_id")
    if action == "list":
        return {"processes": [{"id": key, **item.state()} for key, item in background.items()]}
    if name not in background:
        raise Refused("not_found", "no process %r; started: %s" % (name, ", ".join(background) or "none"))
    item = background[name]
    if action == "kill":
        if item.state()["running"]:
            item.kill()
    elif action == "write":
        try:
            item.popen.stdin.write((request.get("data") or "").encode())
        except (OSError, ValueError) as error:
            raise Refused("tool_error", "cannot write to %s: %s" % (name, error))
    elif action not in ("poll", "log"):
        raise Refused("invalid_arguments", "unknown action %r" % action)
    if not item.state()["running"]:
        for reader in item.readers:
            reader.join(GRACE_S)
    out, out_cut = item.out.text()
    err, err_cut = item.err.text()
    return {"id": name, **item.state(), "stdout": out, "stderr": err, "truncated": out_cut or err_cut}


def opened(path, flags):
    try:
        handle = os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY, 0o644)
    except FileNotFoundError:
        raise Refused("not_found", "no such file: %s" % path)
    except IsADirectoryError:
        raise Refused("tool_error", "is a directory: %s" % path)
    except NotADirectoryError:
        raise Refused("not_found", "not a directory on the way to: %s" % path)
    except PermissionError:
        raise Refused("denied", "permission denied: %s" % path)
    except (OSError, ValueError) as error:
        raise Refused(
            "denied" if getattr(error, "errno", 0) == 30 else "tool_error",
            "%s: %s" % (path, getattr(error, "strerror", None) or error),
        )
    mode = os.fstat(handle).st_mode
    if not stat.S_ISREG(mode):
        os.close(handle)
        what = "a directory" if stat.S_ISDIR(mode) else "not a regular file"
        raise Refused("tool_error", "is %s: %s" % (what, path))
    return handle


def read_bytes(path, limit=MAX_READ):
    with os.fdopen(opened(path, os.O_RDONLY), "rb") as handle:
        return handle.read(limit)


def read(request):
    limit = min(int(request.get("limit") or MAX_READ), MAX_READ)
    data = read_bytes(request["path"], limit)
    return {"data": base64.b64encode(data).decode(), "size": os.stat(request["path"]).st_size}


def write_bytes(path, data, mode=None):
    parent = os.path.dirname(path)
    try:
        os.makedirs(parent or "/", exist_ok=True)
    except PermissionError:
        raise Refused("denied", "permission denied: %s" % parent)
    except FileExistsError:
        raise Refused("tool_error", "is not a directory: %s" % parent)
    except OSError as error:
        raise Refused("denied" if error.errno == 30 else "tool_error", "%s: %s" % (parent, error.strerror))
    handle = opened(path, os.O_WRONLY | os.O_CREAT)
    try:
        os.ftruncate(handle, 0)
        os.set_blocking(handle, True)
        view = memoryview(data)
        while view:
            view = view[os.write(handle, view) :]
        if mode is not None:
            os.fchmod(handle, mode)
    except OSError as error:
        raise Refused("tool_error", "%s: %s" % (path, error.strerror))
    finally:
        os.close(handle)


def write(request):
    data = base64.b64decode(request["data"])
    write_bytes(request["path"], data)
    return {"size": len(data)}


def put(request):
    for path, data, mode in request["files"]:
        write_bytes(path, base64.b64decode(data), mode)
    return {}


def edit(request):
    path, old, new = request["path"], request["old"].encode(), request["new"].encode()
    data = read_bytes(path, MAX_READ + 1)
    if len(data) > MAX_READ:
        raise Refused("tool_error", "is larger than %d MiB, too large to edit: %s" % (MAX_READ >> 20, path))
    count = data.count(old) if old else 0
    if count != 1:
        found = "nowhere" if count == 0 else "%d times" % count
        raise Refused(
            "tool_error",
            "the old text must occur exactly once in %s; it occurs %s. Nothing was changed." % (path, found),
        )
    try:
        write_bytes(path, data.replace(old, new))
    except Refused:
        write_bytes(path, data)  # a full disk: the old content still has its room
        raise
    return {"line": data[: data.index(old)].count(b"\n") + 1}


def manifest():
    found = {}
    stack = [top for top in WATCHED if os.path.isdir(top)]
    while stack:
        try:
            entries = list(os.scandir(stack.pop()))
        except OSError:
            continue
        for entry in entries:
            try:
                state = entry.stat(follow_symlinks=False)
            except OSError:
                continue
            name = os.fsencode(entry.path).decode("utf-8", "backslashreplace")
            if stat.S_ISDIR(state.st_mode):
                if entry.name in SKIPPED or entry.name == ".git":
                    continue
                kind = "dir"
                stack.append(entry.path)
            else:
                kind = "file" if stat.S_ISREG(state.st_mode) else "symlink" if stat.S_ISLNK(state.st_mode) else "other"
            key = (state.st_mode,) if kind == "dir" else (state.st_size, state.st_mtime_ns, state.st_ino, state.st_mode)
            found[name] = (kind, state.st_size, key)
    return found


def mark(request):
    baseline.clear()
    baseline.update(manifest())
    return {"files": len(baseline)}


def changes(request):
    now = manifest()
    result = []
    for path, (kind, size, key) in now.items():
        if path not in baseline:
            result.append([path, "added", size, kind])
        elif baseline[path][2] != key:
            result.append([path, "modified", size, kind])
    result += [[path, "deleted", 0, entry[0]] for path, entry in baseline.items() if path not in now]
    return {"changes": sorted(result)[:5000]}


def snapshot(request):
    """A tar of what lies below the watched folders: files, directories and links, with modes and times; nothing else."""
    import tarfile

    sink = Bounded(min(int(request.get("limit") or MAX_SNAPSHOT), MAX_SNAPSHOT))
    with tarfile.open(fileobj=sink, mode="w|", format=tarfile.PAX_FORMAT) as tar:
        for top in WATCHED:
            for folder, folders, names in os.walk(top):
                folders.sort()
                links = [name for name in folders if os.path.islink(os.path.join(folder, name))]
                pack(tar, folder, None)
                for name in sorted([*names, *links]):
                    pack(tar, os.path.join(folder, name), sink.limit)
    return {"data": base64.b64encode(b"".join(sink.parts)).decode(), "size": sink.size}


class Bounded:
    """Collects what is written to it; more than `limit` bytes are refused."""

    def __init__(self, limit):
        self.limit, self.size, self.parts = limit, 0, []

    def write(self, data):
        self.size += len(data)
        if self.size > self.limit:
            raise Refused("tool_error", "the workspace holds more than %d bytes, too much for a snapshot" % self.limit)
        self.parts.append(bytes(data))
        return len(data)


def pack(tar, path, limit):
    import io

    state = os.lstat(path)
    if not (stat.S_ISREG(state.st_mode) or stat.S_ISDIR(state.st_mode) or stat.S_ISLNK(state.st_mode)):
        return
    member = tar.gettarinfo(path)
    member.uname = member.gname = ""
    data = None
    if member.isreg():
        try:
            data = read_bytes(path, limit + 1)
        except Refused:
            return  # its owner took the right to read it away; a snapshot has what can be read
        member.size = len(data)
    tar.addfile(member, io.BytesIO(data) if data is not None else None)


def untar(request):
    """Unpacks a tar below the watched folders. It may be anybody's: what leads elsewhere or is no plain thing is refused."""
    import io
    import tarfile

    folders = []
    try:
        with tarfile.open(fileobj=io.BytesIO(base64.b64decode(request["data"]))) as tar:
            for member in tar:
                path = target(member.name)
                unpack(tar, member, path)
                if member.isdir():
                    folders.append((path, member))
        for path, member in reversed(folders):  # last, so that a directory without write permission can be filled
            os.chmod(path, member.mode & 0o777)
            os.utime(path, (member.mtime, member.mtime))
    except tarfile.TarError as error:
        raise Refused("tool_error", "not a tar: %s" % error)
    except (OSError, ValueError, OverflowError) as error:
        raise Refused("tool_error", "cannot unpack: %s" % (getattr(error, "strerror", None) or error))
    return {}


def target(name):
    """Where a member goes: below a watched folder, by its name and by where the directories on the way really lead."""
    path = os.path.normpath("/" + name)
    real = os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))
    for at in (path, real):
        if ".." in name.split("/") or not any(at == top or at.startswith(top + "/") for top in WATCHED):
            raise Refused("denied", "a member of the tar leads outside: %r" % name[:200])
    return path


def unpack(tar, member, path):
    if member.isdir():
        if os.path.islink(path):
            os.unlink(path)
        os.makedirs(path, exist_ok=True)
        os.chmod(path, 0o700)
        return
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if os.path.lexists(path):
        os.unlink(path)
    if member.issym():
        os.symlink(member.linkname, path)
    elif member.islnk():
        os.link(target(member.linkname), path, follow_symlinks=False)
    elif member.isreg():
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "wb") as file:
            source = tar.extractfile(member)
            for data in iter(lambda: source.read(1 << 20), b""):
                file.write(data)
            os.fchmod(handle, member.mode & 0o777)
        os.utime(path, (member.mtime, member.mtime))
    else:
        raise Refused("denied", "a member of the tar is no file, directory or link: %r" % member.name[:200])


OPERATIONS = {
    "run": run, "start": start, "process": process, "read": read, "write": write, "put": put, "edit": edit,
    "mark": mark, "changes": changes, "cancel": cancel, "snapshot": snapshot, "untar": untar,
}  # fmt: skip


def answer(request):
    reply = {"id": request["id"]}
    try:
        reply["result"] = OPERATIONS[request["op"]](request)
    except Refused as refusal:
        reply["refused"] = [refusal.kind, str(refusal)]
    except Exception as error:
        reply["refused"] = ["tool_error", "%s: %s" % (type(error).__name__, error)]
    send(reply)


def send(reply):
    body = json.dumps(reply, ensure_ascii=True).encode()
    frame = memoryview(struct.pack(">I", len(body)) + body)
    with writing:
        while frame:
            frame = frame[os.write(CHANNEL_OUT, frame) :]


def receive(size):
    data = bytearray()
    while len(data) < size:
        part = os.read(CHANNEL_IN, min(size - len(data), 1 << 20))
        if not part:
            os._exit(0)
        data += part
    return bytes(data)


def confine(settings):
    ctypes.CDLL(None, use_errno=True).prctl(4, 0, 0, 0, 0)  # PR_SET_DUMPABLE 0
    os.environ.clear()  # whatever else the sandbox's launcher gave is not for commands
    os.environ.update(settings["environment"])
    for name, value in settings["rlimits"].items():
        resource.setrlimit(getattr(resource, name), (value, value))
    os.umask(0o022)
    os.makedirs(HOME, exist_ok=True)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGPIPE):
        signal.signal(number, signal.SIG_IGN if number == signal.SIGPIPE else lambda *_: None)


if __name__ == "__main__":
    os.closerange(3, 256)  # whatever the sandbox's launcher left open
    SETTINGS = json.loads(os.environ["AGENTD_SETTINGS"])
    confine(SETTINGS)
    CHANNEL_IN, CHANNEL_OUT = os.dup(0), os.dup(1)
    null = os.open("/dev/null", os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(null, number)
    begin(reap_forever)
    begin(launch_forever)
    begin(watch_memory, SETTINGS["memory_mib"])
    send({"id": 0, "result": {"ready": True, "python": re.sub(r"\s.*", "", sys.version)}})
    while True:
        length = struct.unpack(">I", receive(4))[0]
        if length > MAX_FRAME:
            os._exit(3)
        REQUEST = json.loads(receive(length))
        begin(
            answer, REQUEST, stack=DEEP_STACK if "source" in REQUEST else STACK
        )  # a fork goes on on its thread's stack

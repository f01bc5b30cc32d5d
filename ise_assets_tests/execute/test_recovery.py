"""Failure classes on outputs that real programs print, and recovery spans on small sessions."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ise_assets.execute.models import FailureClass, Outcome
from ise_assets.execute.recovery import failure_class, recovery_spans, starts_in_background


def arguments(command: str, **more: Any) -> str:
    return json.dumps({"command": command, **more})


TRACEBACK = 'Traceback (most recent call last):\n  File "/home/user/books/run.py", line 3, in <module>\n    '
SPAWN = (
    TRACEBACK
    + 'run(["pdftotext"])\n  File "/usr/lib/python3.11/subprocess.py", line 1901, in _execute_child\n    raise\n'
)

# class, command, exit code, stdout, stderr
COMMANDS: list[tuple[FailureClass, str, int, str, str]] = [
    # an answer, not a failure
    ("benign", "grep -q total ledger.csv", 1, "", ""),
    ("benign", "grep -E 'a|b' ledger.csv", 1, "", ""),
    ("benign", 'grep "x && y; z" notes.md', 1, "", ""),
    ("benign", "cd books && grep -rn TODO .", 1, "", ""),
    ("benign", "cat ledger.csv | grep -c rope", 1, "0\n", ""),
    ("benign", "echo checking; diff -u a.txt b.txt", 1, "--- a.txt\n+++ b.txt\n", ""),
    ("benign", "cmp -s a.bin b.bin", 1, "", ""),
    ("benign", "test -f missing.txt", 1, "", ""),
    ("benign", "[ -d build ]", 1, "", ""),
    ("benign", "[[ -f a && -f b ]]", 1, "", ""),
    ("benign", 'test "$(wc -l < a.txt)" = 3', 1, "", ""),
    ("benign", "! grep -q ERROR app.log", 1, "", ""),
    ("benign", "LC_ALL=C /usr/bin/grep x f", 1, "", ""),
    ("benign", "git -C repo diff --quiet", 1, "", ""),
    ("benign", "git grep -n pricing", 1, "", ""),
    ("benign", "pgrep -f server.py", 1, "", ""),
    ("benign", "command -v pdftotext", 1, "", ""),
    ("benign", "grep -q x f 2>/dev/null", 1, "", ""),
    ("benign", "set -o pipefail; cat f | grep x", 1, "", ""),
    # looks like an answer, is none
    ("other", "python3 check.py && grep -q ok out.txt", 1, "", ""),
    ("other", "grep -q x f | python3 check.py", 1, "", ""),
    ("other", "set -e; python3 check.py; grep x f", 1, "", ""),
    ("other", "set -o pipefail; python3 check.py | grep x", 1, "", ""),
    ("other", "grep -q x f || python3 repair.py", 1, "", ""),
    ("other", "for f in *; do grep -q x $f || exit 1; done", 1, "", ""),
    ("other", "python3 -c 'import sys; sys.exit(1)' # grep", 1, "", ""),
    ("other", "echo grep; false", 1, "", ""),
    ("missing_path", "grep x missing.txt", 2, "", "grep: missing.txt: No such file or directory"),
    ("bad_arguments", "grep --nope x f", 2, "", "grep: unrecognized option '--nope'\nUsage: grep [OPTION]... PATTERNS [FILE]..."),
    ("missing_command", "rg x | grep y", 1, "", "bash: line 1: rg: command not found"),
    # paths
    ("missing_path", "cat ledger.txt", 1, "", "cat: ledger.txt: No such file or directory"),
    ("missing_path", "ls nope", 2, "", "ls: cannot access 'nope': No such file or directory"),
    ("missing_path", "python3 run.py", 1, "", TRACEBACK + "open('ledger')\nFileNotFoundError: [Errno 2] No such file or directory: 'ledger'"),
    ("missing_path", "git checkout nope", 1, "", "error: pathspec 'nope' did not match any file(s) known to git"),
    ("missing_path", "git log", 128, "", "fatal: not a git repository (or any of the parent directories): .git"),
    ("missing_path", "git bisect start HEAD v0.9", 128, "", "fatal: bad revision 'v0.9'"),
    ("missing_path", "bash nope.sh", 127, "", "bash: nope.sh: No such file or directory"),
    ("missing_path", "make dist", 2, "", "make: *** No rule to make target 'dist'.  Stop."),
    # commands
    ("missing_command", "pdftotext a.pdf", 127, "", "bash: line 1: pdftotext: command not found"),
    ("missing_command", "sh -c 'pdftotext a.pdf'", 127, "", "sh: 1: pdftotext: not found"),
    ("missing_command", "env node x.js", 127, "", "env: \u2018node\u2019: No such file or directory"),
    ("missing_command", "python3 run.py", 1, "", SPAWN + "FileNotFoundError: [Errno 2] No such file or directory: 'pdftotext'"),
    # rights
    ("permission", "cat /etc/shadow", 1, "", "cat: /etc/shadow: Permission denied"),
    ("permission", "./run.sh", 126, "", "bash: line 1: ./run.sh: Permission denied"),
    ("permission", "touch /usr/x", 1, "", "touch: cannot touch '/usr/x': Read-only file system"),
    ("permission", "chown root a", 1, "", "chown: changing ownership of 'a': Operation not permitted"),
    # syntax
    ("syntax", "python3 run.py", 1, "", '  File "run.py", line 2\n    def f(\n         ^\nSyntaxError: \'(\' was never closed'),
    ("syntax", "if true; then", 2, "", "bash: -c: line 2: syntax error: unexpected end of file"),
    ("syntax", "jq . a.json", 2, "", "jq: parse error: Expected separator between values at line 3, column 5"),
    ("syntax", "python3 -m json.tool a.json", 1, "", TRACEBACK + "json.load(f)\njson.decoder.JSONDecodeError: Expecting ',' delimiter: line 3"),
    ("syntax", "make", 2, "", "Makefile:2: *** missing separator.  Stop."),
    # time and network
    ("timeout", "timeout 2 python3 slow.py", 124, "", ""),
    ("timeout", "python3 run.py", 1, "", TRACEBACK + "run()\nsubprocess.TimeoutExpired: Command 'x' timed out after 2 seconds"),
    ("network", "curl http://127.0.0.1:9/", 7, "", "curl: (7) Failed to connect to 127.0.0.1 port 9: Connection refused"),
    ("network", "curl http://nope/", 6, "", "curl: (6) Could not resolve host: nope"),
    ("network", "curl -f http://127.0.0.1/", 22, "", "curl: (22) The requested URL returned error: 404"),
    ("network", "python3 get.py", 1, "", TRACEBACK + "urlopen()\nurllib.error.HTTPError: HTTP Error 429: Too Many Requests"),
    # tests
    ("assertion", "python3 -m unittest -q", 1, "", "FAIL: test_sum (test_ledger.T)\n" + TRACEBACK + "self.assertEqual(41, 42)\nAssertionError: 41 != 42\n\nFAILED (failures=1)"),
    ("assertion", "python3 -m unittest -q", 1, "", "ERROR: test_conflict_already_exists\n" + TRACEBACK + "open(p)\nPermissionError: [Errno 13] Permission denied: 'x'\n\nFAILED (errors=1)"),
    ("assertion", "pytest", 1, "FAILED tests/test_a.py::test_conflict - FileExistsError\n==== 1 failed, 3 passed in 0.12s ====\n", ""),
    ("assertion", "python3 -c 'assert 1 == 2'", 1, "", TRACEBACK + "assert 1 == 2\nAssertionError"),
    ("assertion", "make test", 2, "", "make: *** [Makefile:3: test] Error 1"),
    ("assertion", "sha256sum -c sums", 1, "a.bin: FAILED\n", "sha256sum: WARNING: 1 computed checksum did NOT match"),
    # conflicts
    ("conflict", "git merge topic", 1, "Auto-merging a.py\nCONFLICT (content): Merge conflict in a.py\n", ""),
    ("conflict", "mkdir out", 1, "", "mkdir: cannot create directory \u2018out\u2019: File exists"),
    ("conflict", "python3 -m http.server 8000", 1, "", TRACEBACK + "bind()\nOSError: [Errno 98] Address already in use"),
    ("conflict", "git commit -m x", 128, "", "fatal: Unable to create '/home/user/r/.git/index.lock': File exists."),
    ("conflict", "git checkout b", 1, "", "error: Your local changes to the following files would be overwritten by checkout"),
    ("conflict", "sqlite3 a.db 'insert'", 5, "", "Error: stepping, database is locked (5)"),
    # arguments
    ("bad_arguments", "head -z9 a", 1, "", "head: invalid option -- 'q'\nTry 'head --help' for more information."),
    ("bad_arguments", "cp a", 1, "", "cp: missing destination file operand after 'a'"),
    ("bad_arguments", "python3 run.py", 1, "", TRACEBACK + "row['betrag']\nKeyError: 'betrag'"),
    ("bad_arguments", "python3 run.py", 1, "", TRACEBACK + "raise ValueError('it already exists')\nValueError: it already exists"),
    ("bad_arguments", "git frob", 1, "", "git: 'frob' is not a git command. See 'git --help'."),
    ("bad_arguments", "cat books", 1, "", "cat: books: Is a directory"),
    ("missing_path", "tool.py --file x", 2, "", "usage: tool.py [-h]\ntool.py: error: can't open 'x': [Errno 2] No such file or directory: 'x'"),
    # resources
    ("resource_limit", "dd if=/dev/zero of=f", 1, "", "dd: error writing 'f': No space left on device"),
    ("resource_limit", "python3 big.py", 1, "", TRACEBACK + "x * 10**10\nMemoryError"),
    ("resource_limit", "./spawn", 254, "", "bash: fork: retry: Resource temporarily unavailable"),
    ("resource_limit", "bash run.sh", 137, "", "run.sh: line 1:   123 Killed                  python3 big.py"),
    # nothing is known
    ("other", "python3 run.py", 3, "done\n", ""),
    ("other", "python3 run.py", 1, "", TRACEBACK + "raise Odd\nodd.Oddity: 7"),
]  # fmt: skip


@pytest.mark.parametrize(("expected", "command", "exit_code", "stdout", "stderr"), COMMANDS)
def test_a_failed_command_is_classed_by_what_it_said(
    expected: FailureClass, command: str, exit_code: int, stdout: str, stderr: str
) -> None:
    assert failure_class("exec", arguments(command), "nonzero_exit", exit_code, stdout, stderr) == expected


@pytest.mark.parametrize(
    ("expected", "name", "outcome", "stderr"),
    [
        (None, "exec", "ok", "error: conflict"),
        ("timeout", "exec", "timeout", ""),
        ("resource_limit", "exec", "killed", ""),
        ("bad_arguments", "read", "invalid_arguments", "path: Field required."),
        ("bad_arguments", "shell", "unknown_tool", "There is no tool 'shell'."),
        ("permission", "write", "denied", "Error: permission denied: /usr"),
        ("missing_path", "read", "not_found", "Error: no such file: /home/user/x"),
        (
            "bad_arguments",
            "edit",
            "tool_error",
            "Error: the old text must occur exactly once in /x; it occurs nowhere.",
        ),
        ("bad_arguments", "read", "tool_error", "Error: is a directory: /home/user"),
        ("network", "web_fetch", "tool_error", "HTTP 409\n\nalready exists, permission denied"),
        ("network", "web_fetch", "tool_error", "Error: http://127.0.0.1:9/: [Errno 111] Connection refused"),
        ("other", "read", "tool_error", "Error: /x is not text (12 bytes)."),
    ],
)
def test_other_tools_are_classed_by_outcome_and_words(
    expected: FailureClass | None, name: str, outcome: Outcome, stderr: str
) -> None:
    assert failure_class(name, "{}", outcome, None, "", stderr) == expected


def test_words_on_stderr_count_before_words_on_stdout() -> None:
    both = failure_class("exec", arguments("x"), "nonzero_exit", 1, "Permission denied", "x: Connection refused")
    assert both == "network"


JUNK = st.text(max_size=40) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["command", "path", "url", "x"]), inner)
    ),
    max_leaves=6,
).map(json.dumps)


@given(JUNK, JUNK, st.text(max_size=40))
def test_whatever_a_model_writes_as_arguments_is_survived(first: str, second: str, said: str) -> None:
    assert failure_class("exec", first, "nonzero_exit", 1, said, "") is not None
    made = [call("exec", first, "bad_arguments", "invalid_arguments"), call("exec", second)]
    assert len(spans(*made)) == 1
    assert starts_in_background(first) in (True, False)


@pytest.mark.parametrize("text", ["[]", "null", "5", '"x"', "[" * 100_000, '{"command": 7}', ""])
def test_arguments_that_are_no_object_say_nothing(text: str) -> None:
    assert failure_class("exec", text, "nonzero_exit", 1, "", "") == "other"
    assert [s.how for s in spans(call("exec", text, "other"), call("read", '{"path": "/a"}'))] == ["gave_up"]


@pytest.mark.parametrize(
    ("expected", "text"),
    [
        (True, arguments("python3 server.py", background=True)),
        (True, arguments("python3 server.py & sleep 1")),
        (True, arguments("nohup python3 server.py >log 2>&1 &")),
        (False, arguments("a && b 2>&1 | c")),
        (False, arguments("grep 'a & b' f &> out")),
        (False, "not json"),
    ],
)
def test_background_work_is_noticed(expected: bool, text: str) -> None:
    assert starts_in_background(text) is expected


# ---- recovery spans ----


def call(
    name: str, text: str, failure: FailureClass | None = None, outcome: Outcome | None = None, turn: int = 1
) -> dict[str, Any]:
    found: Outcome = outcome or ("ok" if failure is None else "nonzero_exit")
    return {"name": name, "arguments": text, "failure_class": failure, "outcome": found, "user_turn": turn}


def run(command: str, failure: FailureClass | None = None, turn: int = 1) -> dict[str, Any]:
    return call("exec", arguments(command), failure, turn=turn)


def at(name: str, path: str, failure: FailureClass | None = None, turn: int = 1) -> dict[str, Any]:
    return call(name, json.dumps({"path": path}), failure, "not_found" if failure else "ok", turn)


def spans(*calls: dict[str, Any]) -> list[Any]:
    return recovery_spans([{**each, "index": index} for index, each in enumerate(calls)])


SESSIONS: list[tuple[str, list[dict[str, Any]], list[tuple[int, int | None, str]]]] = [
    ("nothing failed", [run("ls"), run("cat a.txt")], []),
    ("benign is no failure", [run("grep x f", "benign"), run("grep y f")], []),
    ("the same again", [run("curl http://127.0.0.1:80/a", "network"), run("curl http://127.0.0.1:80/a")], [(0, 1, "same_again")]),
    ("another path", [run("cat /home/user/b/x.txt", "missing_path"), run("cat /home/user/b/x.csv")], [(0, 1, "changed_arguments")]),
    ("a look in between", [run("cat b/x.txt", "missing_path"), run("ls b"), run("cat b/x.csv")], [(0, 2, "changed_arguments")]),
    ("the same subcommand", [run("git -C r bisect start HEAD v0", "missing_path"), run("git -C r tag --list"), run("git -C r bisect start HEAD v1")], [(0, 2, "changed_arguments")]),
    ("a directory gone to is no target", [run("cd /home/user/r && python3 a.py", "other"), run("cd /home/user/r && ls")], [(0, None, "gave_up")]),
    ("an interpreter is no program", [run("python3 a.py", "other"), run("python3 /home/user/b.sh")], [(0, None, "gave_up")]),
    ("the same module", [run("python3 -m unittest -q", "assertion"), run("sed -i s/1/2/ led.py"), run("python3 -m unittest")], [(0, 2, "changed_arguments")]),
    ("/dev/null joins nothing", [run("foo 2>/dev/null", "missing_command"), run("ls 2>/dev/null")], [(0, None, "gave_up")]),
    ("code in quotes names its files", [run("python3 -c \"print(open('/home/user/my books/a.csv').read()['x'])\"", "bad_arguments"), run("head -n 1 '/home/user/my books/a.csv'")], [(0, 1, "changed_arguments")]),
    ("attributes are no files", [run("python3 -c 'import os; os.path.nope(os.path.join(sys.argv[1]))'", "bad_arguments"), run("awk '{print os.path.join(x)}' z")], [(0, None, "gave_up")]),
    ("another tool", [at("read", "/home/user/a.pdf", "other"), run("strings /home/user/a.pdf")], [(0, 1, "other_tool")]),
    ("the same tool counts before another", [at("read", "/b/conf.yml", "missing_path"), run("ls /b/conf.yml"), at("read", "/b/conf.yaml")], [(0, 2, "changed_arguments")]),
    ("another file is another end", [at("read", "/b/notes.txt", "missing_path"), at("read", "/b/ledger.csv")], [(0, None, "gave_up")]),
    ("another failure is no recovery", [run("cat a.txt", "missing_path"), run("cat a.txt", "missing_path")], [(0, None, "gave_up"), (1, None, "gave_up")]),
    ("two failures, one end", [run("cat a", "missing_path"), run("cat b", "missing_path"), run("cat c.txt")], [(0, 2, "changed_arguments"), (1, 2, "changed_arguments")]),
    ("the user was asked", [run("cat a.txt", "missing_path"), run("cat a.txt", turn=2)], [(0, 1, "asked_user")]),
    ("two turns later is another matter", [run("cat a.txt", "missing_path"), run("cat a.txt", turn=3)], [(0, None, "gave_up")]),
    ("refused arguments", [call("read", "{path", "bad_arguments", "invalid_arguments"), at("read", "/a")], [(0, 1, "changed_arguments")]),
    ("an unknown tool", [call("shell", '{"cmd": "ls"}', "bad_arguments", "unknown_tool"), run("ls")], [(0, 1, "other_tool")]),
    ("given up at the end", [run("ls"), run("make", "other")], [(1, None, "gave_up")]),
]  # fmt: skip


@pytest.mark.parametrize(("calls", "expected"), [s[1:] for s in SESSIONS], ids=[s[0] for s in SESSIONS])
def test_a_span_reaches_to_the_call_that_achieved_the_same_end(
    calls: list[dict[str, Any]], expected: list[tuple[int, int | None, str]]
) -> None:
    found = spans(*calls)
    assert [(s.failed_call, s.recovered_call, s.how) for s in found] == expected
    assert [s.id for s in found] == [f"r{n}" for n in range(1, len(found) + 1)]

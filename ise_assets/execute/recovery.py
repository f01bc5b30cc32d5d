"""What a failed call is, and how the session got over it.

A failure's class comes from its outcome, exit code and words; an expected non-zero exit (grep that finds nothing, diff that finds a
difference) is benign. A recovery span reaches from a failed call to the first later one that achieved the same end. Arguments come
from a model and may be anything: what cannot be read says nothing, and is never an error here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from difflib import SequenceMatcher
from typing import Any, Literal

from ise_assets.execute.models import FailureClass, Outcome

How = Literal["same_again", "changed_arguments", "other_tool", "asked_user", "gave_up"]

_DECIDE_BY_EXIT = {
    "grep", "egrep", "fgrep", "zgrep", "rg", "diff", "cmp", "test", "[", "[[", "pgrep", "pidof", "which", "expr",
}  # fmt: skip
"""Programs whose exit code 1 is an answer."""
_FAIL_LOUDLY = {
    "cd", "echo", "printf", "true", ":", "export", "set", "pwd", "sleep", "ls", "cat", "mkdir", "cp", "mv", "touch", "sort",
    "head", "tail", "wc", "cut", "tr", "uniq", "tee",
}  # fmt: skip
"""Programs that do not fail without a word on stderr, so that silence means it was not they who failed."""
_NO_END_OF_THEIR_OWN = {"cd", "echo", "printf", "true", ":", "export", "set", "pwd", "sleep", "source", ".", "exit"}
_INTERPRETERS = {"python", "python3", "bash", "sh", "node", "perl", "env", "xargs"}
_WITH_SUBCOMMANDS = {"git", "make", "docker", "systemctl", "npm", "pip", "pip3", "cargo", "go", "apt", "apt-get"}
_COMPOUND = {"if", "then", "else", "elif", "fi", "for", "while", "until", "do", "done", "case", "esac", "{", "}"}

_BY_OUTCOME: dict[Outcome, FailureClass] = {
    "timeout": "timeout",
    "killed": "resource_limit",
    "invalid_arguments": "bad_arguments",
    "unknown_tool": "bad_arguments",
    "denied": "permission",
    "not_found": "missing_path",
}
_BY_EXCEPTION: dict[str, FailureClass] = {
    "FileNotFoundError": "missing_path",
    "NotADirectoryError": "missing_path",
    "PermissionError": "permission",
    "FileExistsError": "conflict",
    "SyntaxError": "syntax",
    "IndentationError": "syntax",
    "TabError": "syntax",
    "JSONDecodeError": "syntax",
    "TOMLDecodeError": "syntax",
    "ParseError": "syntax",
    "AssertionError": "assertion",
    "ConnectionRefusedError": "network",
    "ConnectionResetError": "network",
    "BrokenPipeError": "network",
    "RemoteDisconnected": "network",
    "URLError": "network",
    "HTTPError": "network",
    "gaierror": "network",
    "TimeoutError": "timeout",
    "TimeoutExpired": "timeout",
    "MemoryError": "resource_limit",
    "RecursionError": "resource_limit",
    "KeyError": "bad_arguments",
    "IndexError": "bad_arguments",
    "TypeError": "bad_arguments",
    "ValueError": "bad_arguments",
    "UnicodeDecodeError": "bad_arguments",
    "AttributeError": "bad_arguments",
    "NameError": "bad_arguments",
    "ImportError": "bad_arguments",
    "ModuleNotFoundError": "bad_arguments",
}
_EXCEPTION = re.compile(r"^(?:[\w.]+\.)?(\w+(?:Error|Expired|Disconnected)|gaierror)(?::|$)", re.M)
_TESTS_FAILED = re.compile(
    r"^FAILED \((failures|errors)=|^FAILED \S+::|^=+ .*\b\d+ (failed|errors?)\b|^\d+ failed\b|^not ok \d"
    r"|^make.*\*\*\*.*\b(test|check)\w*\] Error \d",
    re.M,
)
_BY_WORDS: tuple[tuple[FailureClass, re.Pattern[str]], ...] = (
    ("missing_command", re.compile(r"command not found|: \d+: \S+: not found$|^(env|xargs|nohup|timeout|make): .*No such file|\] Error 127$", re.M)),
    ("conflict", re.compile(r"CONFLICT|merge conflict|resolve (all|the) conflicts|already exists|already in use|already running|File exists|index\.lock|would be overwritten|is locked|UNIQUE constraint|non-fast-forward|\[rejected\]", re.I)),
    ("resource_limit", re.compile(r"No space left|Cannot allocate memory|Too many open files|Resource temporarily unavailable|File (size limit|too large)|Disk quota|Argument list too long|\bKilled\b")),
    ("permission", re.compile(r"Permission denied|Operation not permitted|Read-only file system|EACCES|access denied|must be (root|superuser)|is not allowed", re.I)),
    ("network", re.compile(r"Connection (refused|reset|timed out)|Could not resolve|Couldn't connect|Failed to connect|Network is unreachable|Name or service not known|HTTP Error \d|^HTTP(/[\d.]+)? [45]\d\d|requested URL returned error|Empty reply from server", re.I | re.M)),
    ("timeout", re.compile(r"\btimed out\b|\btimeout (expired|exceeded)", re.I)),
    ("assertion", re.compile(r"^FAIL(ED)?\b|\bFAIL:|\bassert(ion)? fail|\bmismatch|checksums? did NOT match", re.I | re.M)),
    ("syntax", re.compile(r"syntax error|unexpected (token|EOF|end of file)|parse error|missing separator|unterminated|Unmatched [([{]", re.I)),
    ("missing_path", re.compile(r"No such file or directory|does not exist|cannot access|no such (file|directory|table|column)|not a git repository|unknown revision|bad rev|did not match any|No rule to make target|Not a directory|Not a valid object", re.I)),
    ("bad_arguments", re.compile(r"usage:|(invalid|illegal|unrecognized|unknown|ambiguous|bad) (option|argument|choice|value|switch|command|key|field|number|line)|missing (\w+ ){0,3}(operand|argument)|extra operand|requires an? argument|No module named|is not a git command|Is a directory|must occur exactly once", re.I)),
)  # fmt: skip

_TOKEN = re.compile(
    r"""\[\[\s.*?\s\]\]|(?:[^\s'"\\|&;()<>]|\\.|'[^']*'|"(?:[^"\\]|\\.)*")+|\d*(?:<<<|<<-?|>>|[<>])&?\d*-?|&>>?|\|\||&&|[|&;()\n]""",
    re.S,
)
_QUOTED_PATH = re.compile(r"""(['"])((?:~|\.{1,2})?/[^'"\n]+|[\w -]+\.[A-Za-z0-9]{1,6})\1""")
_BARE_PATH = re.compile(
    r"(?:~|\.{1,2})?/?(?:[\w@+*?.-]+/)+[\w@+*?.-]*|(?<![\w./])[\w*-]+\.[a-z][a-z0-9]{0,5}(?![\w.(\[])"
)
_NOT_TARGETS = re.compile(r"^/(dev|usr|bin|proc|sys)(/|$)|^(/tmp|~|/home|/home/user)?/?$")
_URL = re.compile(r"https?://[^\s'\"|&;()<>]+")
_ALIKE = 0.75
_COMPARED_CHARS = 400


@dataclass(frozen=True)
class RecoverySpan:
    """From call `failed_call` to call `recovered_call` (indices; None when it was given up), and how."""

    id: str
    failed_call: int
    recovered_call: int | None
    how: How

    def row(self) -> dict[str, Any]:
        """As JSON."""
        return asdict(self)


def failure_class(
    name: str, arguments: str, outcome: Outcome, exit_code: int | None, stdout: str, stderr: str
) -> FailureClass | None:
    """The class of a call's failure; None for a success.

    An exception's type counts before other words, and a test run that failed is an assertion whatever the tests failed with.
    """
    if outcome == "ok":
        return None
    if outcome in _BY_OUTCOME:
        return _BY_OUTCOME[outcome]
    if name == "web_fetch" and stderr.startswith("HTTP "):
        return "network"
    if name == "exec" and exit_code == 1 and not stderr.strip() and _is_expected(_command(arguments)):
        return "benign"
    return (
        _by_exit_code(exit_code, _command(arguments), stderr)
        or _by_words(stderr)
        or _by_words(stdout[-4000:])
        or "other"
    )


def recovery_spans(calls: Sequence[dict[str, Any]]) -> list[RecoverySpan]:
    """Recovery spans of a session, one per failed call that was not benign.

    Args:
        calls: in order; each with index, user_turn, name, arguments (JSON text), outcome, failure_class.

    The same end is achieved by the first later successful call of the same tool which shares a target path, the command
    (`git bisect`, `sort`; not a bare interpreter) or most of its argument; else by one of another tool that shares a target path.
    Arguments that were refused say too little: there the next success of the tool counts, for an unknown tool the next success.
    Calls of the same user turn are looked at, and of the next, to which the user was asked.

    A heuristic on names: it takes a look at the same file for the same end, can take two unrelated commands of one program for one
    attempt, and misses recoveries that share no word with the failure.
    """
    spans: list[RecoverySpan] = []
    for position, failed in enumerate(calls):
        if failed["failure_class"] in (None, "benign"):
            continue
        recovered, how = _recovered(failed, calls[position + 1 :]) or (None, "gave_up")
        spans.append(RecoverySpan(f"r{len(spans) + 1}", failed["index"], recovered, how))
    return spans


def starts_in_background(arguments: str) -> bool:
    """Whether an exec call leaves something running: asked for in the arguments, or by a `&` of the shell."""
    return _body(arguments).get("background") is True or "&" in _TOKEN.findall(_command(arguments))


def _by_exit_code(exit_code: int | None, command: str, stderr: str) -> FailureClass | None:
    if exit_code == 127:
        wrapped = re.search(r"command not found|^(env|xargs|nohup|timeout): ", stderr, re.M)
        return "missing_path" if "No such file" in stderr and not wrapped else "missing_command"
    if exit_code == 126:
        return "permission"
    if exit_code == 137:
        return "resource_limit"
    if exit_code == 124 and re.search(r"\btimeout\b", command):
        return "timeout"
    return None


def _by_words(text: str) -> FailureClass | None:
    if _TESTS_FAILED.search(text):
        return "assertion"
    exceptions = _EXCEPTION.findall(text)
    if exceptions and exceptions[-1] in _BY_EXCEPTION:
        if exceptions[-1] == "FileNotFoundError" and "_execute_child" in text:
            return "missing_command"
        return _BY_EXCEPTION[exceptions[-1]]
    return next((found for found, pattern in _BY_WORDS if pattern.search(text)), None)


def _recovered(failed: dict[str, Any], later: Sequence[dict[str, Any]]) -> tuple[int, How] | None:
    targets, heads = _targets(failed["arguments"]), _heads(failed["arguments"])
    refused = failed["outcome"] in ("invalid_arguments", "unknown_tool")
    other_tool: tuple[int, How] | None = None
    for call in later:
        if call["user_turn"] > failed["user_turn"] + 1:
            break
        if call["outcome"] != "ok":
            continue
        asked = call["user_turn"] != failed["user_turn"]
        shared = bool(targets & _targets(call["arguments"]))
        if call["name"] == failed["name"]:
            if call["arguments"] == failed["arguments"]:
                return call["index"], "asked_user" if asked else "same_again"
            if refused or shared or heads & _heads(call["arguments"]) or _alike(failed, call):
                return call["index"], "asked_user" if asked else "changed_arguments"
        elif other_tool is None and (shared or failed["outcome"] == "unknown_tool"):
            other_tool = call["index"], "asked_user" if asked else "other_tool"
    return other_tool


def _alike(one: dict[str, Any], other: dict[str, Any]) -> bool:
    first, second = (_gist(call["arguments"])[:_COMPARED_CHARS] for call in (one, other))
    return bool(first and second) and SequenceMatcher(None, first, second, autojunk=False).ratio() >= _ALIKE


def _gist(arguments: str) -> str:
    """What a call is about: its command without what only leads there, its query or address, or the last part of its path."""
    body = _body(arguments)
    if command := _command(arguments):
        commands = [words for words in _simple_commands(command) if words[0] not in _NO_END_OF_THEIR_OWN]
        return re.sub(r" (\d )?(&?>>?|<) /dev/null", "", "; ".join(" ".join(words) for words in commands))
    if isinstance(path := body.get("path"), str):
        return path.rstrip("/").rsplit("/", 1)[-1]
    return next((str(body[key]) for key in ("query", "url", "id") if body.get(key)), "")


def _body(arguments: str) -> dict[str, Any]:
    try:
        body = json.loads(arguments)
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


def _command(arguments: str) -> str:
    return str(_body(arguments).get("command", ""))


def _is_expected(command: str) -> bool:
    """Whether an exit code 1 without a word on stderr can only be the answer of a program like grep.

    Conservative: whatever else could have failed silently, or is not understood (compound commands, subshells), says no.
    """
    tokens = _TOKEN.findall(command.strip().rstrip(";").strip())
    if not tokens or _COMPOUND & set(tokens) or {"(", ")"} & set(tokens):
        return False
    stops_early = re.search(r"\bset\s+-\w*e", command) is not None
    every_stage_counts = "pipefail" in command
    pipelines: list[list[list[str]]] = [[[]]]
    for token in tokens:
        if token == "||" or (token in (";", "\n", "&") and not stops_early):
            pipelines = [[[]]]
        elif token in ("&&", ";", "\n", "&"):
            pipelines.append([[]])
        elif token == "|":
            pipelines[-1].append([])
        else:
            pipelines[-1][-1].append(token)
    deciders = [
        [_program(stage) for stage in (pipeline if every_stage_counts else pipeline[-1:])] for pipeline in pipelines
    ]
    silent = [program for programs in deciders for program in programs if program not in _FAIL_LOUDLY]
    return deciders[-1][-1] in _DECIDE_BY_EXIT and all(program in _DECIDE_BY_EXIT for program in silent)


def _program(words: Sequence[str]) -> str:
    """The program that a simple command runs, by its plain name; `git diff` and `git grep` count as diff and grep."""
    rest = _without_prefix(words)
    if not rest:
        return ""
    if rest[0].startswith("[["):
        return "[["
    if rest[:2] == ["command", "-v"]:
        return "which"
    name = rest[0].rsplit("/", 1)[-1]
    if name == "git" and (subcommand := _subcommand(rest[1:])) in ("diff", "grep"):
        return subcommand
    return name


def _without_prefix(words: Sequence[str]) -> list[str]:
    rest = list(words)
    while rest and (rest[0] in ("!", "time", "nohup") or re.match(r"\w+=", rest[0])):
        rest.pop(0)
    return rest


def _subcommand(words: Sequence[str]) -> str:
    rest = iter(words)
    for word in rest:
        if word in ("-C", "-c"):
            next(rest, None)
        elif not word.startswith("-"):
            return word
    return ""


def _simple_commands(command: str) -> Iterator[list[str]]:
    words: list[str] = []
    for token in [*_TOKEN.findall(command), ";"]:
        if token in ("||", "&&", "|", "&", ";", "(", ")", "\n"):
            if rest := _without_prefix(words):
                yield rest
            words = []
        else:
            words.append(token)


def _heads(arguments: str) -> set[str]:
    """What the commands of an exec call are: `sort`, `git bisect`, `python3 -m unittest`; not what only leads there."""
    heads = set()
    for words in _simple_commands(_command(arguments)):
        name = words[0].rsplit("/", 1)[-1]
        if name in _WITH_SUBCOMMANDS:
            heads.add(f"{name} {_subcommand(words[1:])}")
        elif name in _INTERPRETERS:
            if words[1:2] == ["-m"]:
                heads.add(" ".join([name, *words[1:3]]))
        elif name not in _NO_END_OF_THEIR_OWN and name not in _COMPOUND:
            heads.add(name)
    return heads


def _targets(arguments: str) -> set[str]:
    """Last parts of the paths and addresses that a call is about; not the directories it only goes to."""
    body = _body(arguments)
    found: list[str] = [str(body[key]) for key in ("path", "url") if isinstance(body.get(key), str)]
    for words in _simple_commands(_command(arguments)):
        if words[0] == "cd":
            continue
        text = re.sub(
            r"""(^|\s)-C\s+('[^']*'|"[^"]*"|\S+)""", " ", " ".join(words[1:] if "/" not in words[0] else words)
        )
        found += _URL.findall(text)
        text = _URL.sub(" ", text)
        found += [match[1] for match in _QUOTED_PATH.findall(text)]
        found += _BARE_PATH.findall(_QUOTED_PATH.sub(" ", text))
    return {path.rstrip("/").rsplit("/", 1)[-1] for path in found if not _NOT_TARGETS.search(path)} - {""}

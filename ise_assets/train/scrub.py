"""Takes out of a trajectory what is nobody's business: secrets, hosts, people and places of the machine it was made on.

Secrets are found by the rules of `detect-secrets` (never by its verification, which would call the providers), by a few
rules for formats it lacks, and by the values of the process's own environment variables. The same value gets the same
placeholder wherever it stands in a trajectory, found there or not, so that the agent's reasoning stays coherent. What
the catalogue invented (reserved domains and numbers, the words of the intent and its scenarios) stays.
"""

from __future__ import annotations

import getpass
import json
import math
import os
import platform
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Literal

from ise_assets.intent.template import HOME as WORKSPACE_HOME
from ise_assets.settings import PROJECT, Settings

SCRUB_VERSION = 1
Kind = Literal["secret", "environment", "email", "phone", "user", "host", "path"]
PLACEHOLDER = re.compile(r"REDACTED_[A-Z]+_\d+|redacted-(?:user|host|path)-\d+|person\d+@redacted\.example")
_PLACEHOLDERS: dict[Kind, str] = {
    "secret": "REDACTED_SECRET_{n}",
    "environment": "REDACTED_ENVIRONMENT_{n}",
    "email": "person{n}@redacted.example",
    "phone": "REDACTED_PHONE_{n}",
    "user": "redacted-user-{n}",
    "host": "redacted-host-{n}",
    "path": "/redacted-path-{n}",
}
_SECRET_NAMES = ("KEY", "TOKEN", "SECRET", "PASSWORD", "PASSWD", "CREDENTIAL")
_MIN_LENGTH = 8
_NOT_SCRUBBED = {"role", "tool_call_id", "id", "type", "name"}
"""Keys of a message that hold no words of anybody."""


@dataclass(frozen=True)
class Redaction:
    """A value that was replaced, without the value: its kind, what stands for it, how often."""

    kind: Kind
    placeholder: str
    count: int


@dataclass(frozen=True)
class Machine:
    """What must not be told of the machine that made the data: values by kind."""

    secrets: Mapping[str, str]
    hosts: tuple[str, ...]
    users: tuple[str, ...]
    paths: tuple[str, ...]

    @staticmethod
    def here(settings: Settings | None = None, environment: Mapping[str, str] | None = None) -> Machine:
        """This process's machine. Names that every machine has (root, localhost ...) tell nothing and stay."""
        environment = os.environ if environment is None else environment
        users = {environment.get(name, "") for name in ("USER", "LOGNAME", "SUDO_USER", "USERNAME")}
        with suppress(OSError, KeyError):  # a uid without a name
            users.add(getpass.getuser())
        places = {Path.home(), Path.cwd(), PROJECT} | ({settings.home.absolute()} if settings else set())
        users |= {place.parts[2] for place in places if place.parts[:2] == ("/", "home") and len(place.parts) > 2}
        hosts = {platform.node(), environment.get("HOSTNAME", "")}
        return Machine(
            secrets=environment_secrets(environment),
            hosts=_telling(hosts),
            users=_telling(users),
            paths=tuple(
                sorted((str(p) for p in places if len(p.parts) > 2 and str(p) != WORKSPACE_HOME), key=len, reverse=True)
            ),
        )


_EVERYWHERE = {"root", "user", "users", "admin", "ubuntu", "debian", "nobody", "runner", "agent", "workspace"} | {
    "localhost",
    "localdomain",
    "home",
    "test",
    "default",
    "host",
}


def _telling(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(name for name in names if len(name) > 3 and name.casefold() not in _EVERYWHERE))


def environment_secrets(environment: Mapping[str, str] | None = None) -> dict[str, str]:
    """Variable name -> value of what is or looks like a secret.

    A value of 8 characters or more counts when its variable's name says so, or when it is one random-looking word; of a
    URL, the password counts.
    """
    environment = os.environ if environment is None else environment
    found = {}
    for name, value in environment.items():
        value = value.strip()
        if any(part in name.upper() for part in _SECRET_NAMES) or _looks_random(value):
            secret = value
        elif password := re.match(r"[a-z][\w+.-]*://[^/\s:@]*:([^/\s@]+)@", value):
            secret = password[1]
        else:
            continue
        if len(secret) >= _MIN_LENGTH:
            found[name] = secret
    return found


def _looks_random(value: str) -> bool:
    return re.fullmatch(r"[\w+=.-]{20,}", value) is not None and _mixed(value) and _entropy(value) >= 3.7


def _mixed(value: str) -> bool:
    return any(c.isdigit() for c in value) and any(c.isalpha() for c in value)


def _entropy(value: str) -> float:
    """Shannon entropy of the characters, bits a character."""
    return -sum(n / len(value) * math.log2(n / len(value)) for n in Counter(value).values())


class Scrubber:
    """Scrubs trajectories made on `machine`."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        # a home inside a path is found as the path: longer values first
        self._literals: tuple[tuple[Kind, str], ...] = (
            *(("environment", form) for value in machine.secrets.values() for form in _forms(value)),
            *(("path", path) for path in machine.paths),
            *(("host", host) for host in machine.hosts),
            *(("user", user) for user in machine.users),
        )

    def scrub(self, messages: list[dict[str, Any]], known: str = "") -> tuple[list[dict[str, Any]], list[Redaction]]:
        """`messages` without what must not be told, and what was replaced.

        Args:
            messages: OpenAI chat messages; they are not changed.
            known: text of the intent and its scenarios: names and numbers that stand in it are invented and stay.

        Scrubbing what is scrubbed changes nothing.
        """
        found: dict[str, Kind] = {}
        for kind, value in self.findings(_joined(messages), known):
            found.setdefault(value, kind)
        if not found:
            return messages, []
        return _replaced(messages, found)

    def strict_kinds(self, messages: list[dict[str, Any]]) -> Iterator[Kind]:
        """Kinds of what is left in `messages` that no catalogue can have invented: this machine's, and whole secrets."""
        text = _joined(messages)
        for kind, value in self._literals:
            if kind != "user" and value in text and self._counts(kind, value, text):
                yield kind
        for _ in _secrets(text, _lowered(text)):
            yield "secret"

    def findings(self, text: str, known: str = "") -> Iterator[tuple[Kind, str]]:
        """What must go from `text`: kind and value."""
        for kind, value in self._literals:
            invented = kind == "user" and value in known  # a person in a story may be called like the user
            if value in text and not invented and self._counts(kind, value, text):
                yield kind, value
        lowered = _lowered(text)
        for secret in _secrets(text, lowered):
            yield "secret", secret
        for secret in _named_secrets(text, lowered):
            if secret not in known:
                yield "secret", secret
        for kind, value in _people(text):
            if value not in known:
                yield kind, value

    @staticmethod
    def _counts(kind: Kind, value: str, text: str) -> bool:
        return kind == "environment" or _stands_alone(value, text)


def leaked(record: Any, secrets: Mapping[str, str]) -> set[str]:
    """Names of the variables whose value occurs anywhere in `record` (JSON-like), escaped in a JSON string or not."""
    if not secrets:
        return set()
    text = "\n".join(_strings(record))
    return {name for name, value in secrets.items() if any(form in text for form in _forms(value))}


def differs_beside_redactions(before: list[Any], after: list[Any], redactions: list[dict[str, Any]]) -> bool:
    """Whether `after` is anything else than `before` with every placeholder standing for one and the same text."""
    placeholders = sorted({entry["placeholder"] for entry in redactions}, key=len, reverse=True)
    splitter = re.compile("|".join(map(re.escape, placeholders)) or r"(?!)")
    stood_for: dict[str, set[str]] = {}
    for old, new in _pairs(before, after):
        if type(old) is not type(new):
            return True
        if not isinstance(new, str):
            if old != new:
                return True
            continue
        names, fixed = _parts(new, splitter)
        if not names:
            if old != new:
                return True
            continue
        match = re.fullmatch("(.+?)".join(map(re.escape, fixed)), old, re.DOTALL)
        if match is None:
            return True
        for name, value in zip(names, match.groups(), strict=True):
            stood_for.setdefault(name, set()).add(_unescaped(value))
    return any(len(values) > 1 for values in stood_for.values())


def _parts(text: str, splitter: re.Pattern[str]) -> tuple[list[str], list[str]]:
    """The placeholders of a text, and what stands around them: one text more."""
    names, fixed, end = [], [], 0
    for match in splitter.finditer(text):
        names.append(match[0])
        fixed.append(text[end : match.start()])
        end = match.end()
    return names, [*fixed, text[end:]]


def _pairs(before: Any, after: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(before, dict) and isinstance(after, dict) and list(before) == list(after):
        for key in before:
            yield from _pairs(before[key], after[key])
    elif isinstance(before, list) and isinstance(after, list) and len(before) == len(after):
        for old, new in zip(before, after, strict=True):
            yield from _pairs(old, new)
    else:
        yield before, after


def _unescaped(value: str) -> str:
    for _ in range(2):
        with suppress(ValueError):
            value = json.loads(f'"{value}"')
    return value


# ---- replacing ----


def _replaced(
    messages: list[dict[str, Any]], found: Mapping[str, Kind]
) -> tuple[list[dict[str, Any]], list[Redaction]]:
    forms = {form: value for value in found for form in _forms(value)}
    pattern = re.compile("|".join(_bounded(form, found[forms[form]]) for form in sorted(forms, key=len, reverse=True)))
    given: dict[str, str] = {}
    counts: Counter[str] = Counter()
    numbers: Counter[Kind] = Counter()

    def stand_in(match: re.Match[str]) -> str:
        value = forms[match[0]]
        if value not in given:
            kind = found[value]
            numbers[kind] += 1
            given[value] = _PLACEHOLDERS[kind].format(n=numbers[kind])
        counts[value] += 1
        return given[value]

    clean = [_mapped(message, lambda text: pattern.sub(stand_in, text)) for message in messages]
    return clean, [Redaction(found[value], given[value], count) for value, count in counts.items()]


def _mapped(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {key: item if key in _NOT_SCRUBBED else _mapped(item, change) for key, item in value.items()}
    if isinstance(value, list):
        return [_mapped(item, change) for item in value]
    return value


_AFTER_A_WORD = r"(?:(?<![A-Za-z0-9_])|(?<=\\[nrtbf]))"
"""No word goes on here: at a boundary, or after an escaped line break in the JSON string of a tool call."""


def _bounded(form: str, kind: Kind) -> str:
    """A pattern of `form`; short and wordlike values only where they stand alone."""
    bare = re.escape(form)
    if kind in ("secret", "environment") and len(form) >= 16:
        return bare
    before = _AFTER_A_WORD if form[0].isalnum() or form[0] == "_" else ""
    return before + bare + (r"(?![A-Za-z0-9_])" if form[-1].isalnum() else "")


def _stands_alone(value: str, text: str) -> bool:
    return re.search(_bounded(value, "user"), text) is not None


def _forms(value: str) -> set[str]:
    """As it is, and as it looks inside a JSON string, and inside one of those."""
    forms = {value}
    for _ in range(2):
        forms |= {json.dumps(f, ensure_ascii=a)[1:-1] for f in forms for a in (True, False)}
    return forms


def _joined(messages: Iterable[Mapping[str, Any]]) -> str:
    """All texts of a trajectory, apart from each other by lines that belong to none."""
    return "\n\0\n".join(text for message in messages for text in _texts(message))


def _texts(message: Mapping[str, Any]) -> Iterator[str]:
    """The texts of a message as they were meant: arguments of tool calls decoded where they are JSON."""
    for key, value in message.items():
        if key in _NOT_SCRUBBED:
            continue
        if key == "tool_calls":
            for call in value or ():
                arguments = call["function"]["arguments"]
                with suppress(ValueError):
                    arguments = json.loads(arguments)
                yield from _strings(arguments)
        else:
            yield from _strings(value)


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield str(key)
            yield from _strings(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _strings(item)
    elif value is not None:
        yield str(value)


# ---- secrets ----

_LEFT_OUT = {
    "Base64HighEntropyString",  # checksums and commit ids are what such sessions are made of
    "HexHighEntropyString",
    "IPPublicDetector",
    "KeywordDetector",  # asked apart
    "PrivateKeyDetector",  # finds the head of a key only
}
_TRIGGERS = {
    "ArtifactoryDetector": ("akc", "ap"),
    "AWSKeyDetector": ("akia", "asia", "abia", "acca", "a3t", "aws"),
    "AzureStorageKeyDetector": ("accountkey=",),
    "BasicAuthDetector": ("://",),
    "CloudantDetector": ("cloudant",),
    "GitHubTokenDetector": ("ghp_", "gho_", "ghu_", "ghs_", "ghr_"),
    "GitLabTokenDetector": ("gl", "gr1348941"),
    "IbmCloudIamDetector": ("ibm", "api", "key", "pwd", "pass", "token"),
    "IbmCosHmacDetector": ("secret",),
    "JwtTokenDetector": ("eyj",),
    "MailchimpDetector": ("-us",),
    "NpmDetector": ("_authtoken",),
    "OpenAIDetector": ("t3blbkfj",),
    "PypiTokenDetector": ("pypi-",),
    "SendGridDetector": ("sg.",),
    "SlackDetector": ("xox", "hooks.slack"),
    "SoftlayerDetector": ("softlayer", "sl_", "sl-", "slapi", "slkey"),
    "SquareOAuthDetector": ("sq0csp",),
    "StripeDetector": ("k_live_",),
}
"""What a line must hold, in small letters, for a rule to be tried on it; a rule without triggers is tried on everything."""

_LACKING = re.compile(
    r"""sk-ant-[\w-]{20,} | sk-(?:proj-|svcacct-)?[A-Za-z0-9_-]{24,} | sk_test_[0-9a-zA-Z]{24,} | whsec_[A-Za-z0-9]{24,}
    | AIza[0-9A-Za-z_-]{35} | ya29\.[\w-]{20,} | hf_[A-Za-z0-9]{30,} | github_pat_\w{30,} | npm_[A-Za-z0-9]{36}
    | xapp-\d-[A-Z0-9]+-\d+-[a-f0-9]{20,} | dop_v1_[a-f0-9]{40,} | shp(?:at|ss|ca)_[a-fA-F0-9]{32}
    | AGE-SECRET-KEY-1[A-Z0-9]{50,} | gsk_[A-Za-z0-9]{40,} | xai-[A-Za-z0-9]{40,} | lin_api_[A-Za-z0-9]{32,}""",
    re.VERBOSE,
)
_LACKING_TRIGGERS = (
    "sk-",
    "sk_test",
    "whsec_",
    "aiza",
    "ya29.",
    "hf_",
    "github_pat_",
    "npm_",
    "xapp-",
    "dop_v1_",
    "shp",
    "age-secret",
    "gsk_",
    "xai-",
    "lin_api_",
)
_BEARER = re.compile(
    r"(?i)\b(?:bearer|basic)\s+([A-Za-z0-9._~+/-]{16,}=*)|(?:^|\s)(?:-u|--user)[ =]['\"]?[\w.@-]+:([^\s'\"]{6,})"
)
_IN_URL = re.compile(r"://[^/\s:@\"']*:([^/\s@\"']{4,100})@")
_KEY_BLOCK = re.compile(
    r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----"
    r"(?:.{0,12000}?-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|(?:\s*[A-Za-z0-9+/=]{16,})*)"
    r"|PuTTY-User-Key-File-\d.*?(?:Private-MAC: *\w+|\Z)",
    re.DOTALL,
)
_ASSIGNED = re.compile(
    r"""(?i)(?:token|secret|passw(?:or)?d|passphrase|pwd|api_?-?key|access_?-?key|private_?-?key|credential)s?\w*["']?\]?
    \s*(?::=|=>|[:=])\s*(?:"([^"\n]{6,200})"|'([^'\n]{6,200})'|`([^`\n]{6,200})`|([^\s"'`,;&|<>(){}\[\]]{6,200}))""",
    re.VERBOSE,
)
_NAMED = ("token", "secret", "pass", "pwd", "key", "credential", "contras")
_EMPTY_WORDS = re.compile(
    r"(?i)change.?me|redacted|example|placeholder|dummy|^(?:your|my|the|some|a)[-_ ]|x{4,}|\*{3,}|\.{3}|^(?:none|null|true|false"
    r"|undefined|optional|required|string|password|secret|token)$"
)
_NAME_OR_PATH = re.compile(
    r"[A-Za-z_]+\w*(?:[.\[(/:][\w.\])(/:'\"-]*)+|[~./]?/[\w./-]*|[a-z]+(?:[_-][a-z]+)*|[A-Z]+(?:_[A-Z]+)*"
)


def _secrets(text: str, lowered: str) -> Iterator[str]:
    """Values whose own form says that they are secrets."""
    if "private key" in lowered or "putty-user-key" in lowered:
        yield from (match[0] for match in _KEY_BLOCK.finditer(text))
    if any(trigger in lowered for trigger in _LACKING_TRIGGERS):
        yield from (match[0] for match in _LACKING.finditer(text) if _mixed(match[0]))
    for rule in _rules():
        # a rule without triggers has one fixed form that no line break is part of
        lines = _lines_with(rule.triggers, text, lowered) if rule.triggers else [text]
        for line in lines:
            for value in rule.found(line):
                value = value.strip(" \t\r\n=\"':")
                if len(value) >= 4 and not PLACEHOLDER.search(value) and _filled(value):
                    yield value


def _lowered(text: str) -> str:
    """`text` in small letters, character by character: a position in it is the same position in `text`."""
    lowered = text.lower()
    return lowered if len(lowered) == len(text) else "".join(c if len(c.lower()) > 1 else c.lower() for c in text)


def _lines_with(triggers: Iterable[str], text: str, lowered: str) -> Iterator[str]:
    """The lines of `text` that hold one of `triggers`, each at most once per trigger; other lines cost nothing."""
    for trigger in triggers:
        at = lowered.find(trigger)
        while at >= 0:
            start, end = text.rfind("\n", 0, at) + 1, text.find("\n", at)
            yield text[start:] if end < 0 else text[start:end]
            at = lowered.find(trigger, end) if end >= 0 else -1


def _named_secrets(text: str, lowered: str) -> Iterator[str]:
    """Values that are secrets by the name they are given, or by where they stand."""
    if any(name in lowered for name in ("bearer", "basic", "-u", "--user")):
        for match in _BEARER.finditer(text):
            value = match[1] or match[2]
            if _mixed(value) and _filled(value) and not PLACEHOLDER.search(value):
                yield value
    if "://" in text:
        for match in _IN_URL.finditer(text):
            if _filled(match[1]) and not PLACEHOLDER.search(match[1]):
                yield match[1]
    for line in _lines_with(_NAMED, text, lowered):
        yield from _keyword_secrets(line)


@lru_cache(maxsize=20_000)
def _keyword_secrets(line: str) -> tuple[str, ...]:
    from detect_secrets.filters.heuristic import is_indirect_reference

    if len(line) > 8_000:  # a line of a minified file: the library's patterns would take too long on it
        candidates = [next(filter(None, match.groups())) for match in _ASSIGNED.finditer(line)]
    else:
        candidates = [
            *_keyword_detector().analyze_string(line),
            *(next(filter(None, match.groups())) for match in _ASSIGNED.finditer(line)),
        ]
    if not candidates or is_indirect_reference(line):
        return ()
    return tuple(dict.fromkeys(value for value in candidates if _plausible(value)))


def _plausible(value: str) -> bool:
    """Whether a value that is called a password may be one: no template, no name, no path, no word for an absent one."""
    from detect_secrets.filters.heuristic import is_not_alphanumeric_string, is_sequential_string

    if not 6 <= len(value) <= 200 or PLACEHOLDER.search(value) or not _filled(value) or any(c.isspace() for c in value):
        return False
    if is_sequential_string(value) or is_not_alphanumeric_string(value) or _NAME_OR_PATH.fullmatch(value):
        return False
    return _mixed(value) or bool(set(value) & set("!@#$%^&*?")) or (len(value) >= 16 and _entropy(value) >= 3.5)


def _filled(value: str) -> bool:
    from detect_secrets.filters.heuristic import is_prefixed_with_dollar_sign, is_templated_secret

    if is_templated_secret(value) or is_prefixed_with_dollar_sign(value):
        return False
    return not _EMPTY_WORDS.search(value)


@dataclass(frozen=True)
class _Rule:
    """A detector of the library: where it is worth a try, and what it finds in a line."""

    found: Callable[[str], Iterable[str]]
    triggers: tuple[str, ...]


@cache
def _rules() -> tuple[_Rule, ...]:
    """All of the library's detectors of single formats, none of which calls anybody."""
    from detect_secrets.core.plugins.util import get_mapping_from_secret_type_to_class

    known: dict[str, Any] = get_mapping_from_secret_type_to_class()
    classes = {cls.__name__: cls for cls in known.values()}
    return tuple(
        _Rule(_finder(classes[name]()), _TRIGGERS.get(name, ())) for name in sorted(classes) if name not in _LEFT_OUT
    )


def _finder(plugin: Any) -> Callable[[str], Iterable[str]]:
    if type(plugin).__name__ == "JwtTokenDetector":  # it looks into the token, too
        return lambda line: plugin.analyze_string(line)

    def found(line: str) -> Iterator[str]:
        for pattern in plugin.denylist:
            for match in pattern.finditer(line):
                # a group is the secret, or only its prefix (`ghp`): then the whole match is
                groups = [group for group in match.groups() if group]
                group = max(groups, key=len, default="")
                yield group if len(group) >= _MIN_LENGTH or "://" in match[0][:3] else match[0]

    return found


@cache
def _keyword_detector() -> Any:
    from detect_secrets.plugins.keyword import KeywordDetector

    return KeywordDetector()


# ---- people and places ----

_EMAIL = re.compile(r"(?<![\w.+-])[A-Za-z0-9][\w.+%-]*@(?:[A-Za-z0-9-]+\.)+[A-Za-z]{2,24}(?![\w-])")
_RESERVED = re.compile(
    r"(?i)(?:^|[@.])(?:example\.(?:com|net|org|edu)|(?:[\w-]+\.)*(?:example|test|invalid|localhost|local))$"
)
"""Domains that belong to nobody (RFC 2606, RFC 6761, RFC 6762)."""
_NO_DOMAINS = {
    "png",
    "jpg",
    "jpeg",
    "gif",
    "svg",
    "webp",
    "py",
    "js",
    "ts",
    "css",
    "md",
    "txt",
    "json",
    "yaml",
    "yml",
    "git",
}
_PHONE = re.compile(
    r"(?<![\w.+/-])(?:\+\d{1,3}[ .-]?(?:\(\d{1,4}\)[ .-]?)?\d{1,4}(?:[ .-]?\d{2,4}){2,4}"
    r"|\(\d{3}\) ?\d{3}-\d{4}|\d{3}([.-])\d{3}\1\d{4})(?![\w-]|\.\d)"
)
_INVENTED_PHONE = re.compile(
    r"(?:1?\d{3}|1)?55501\d\d|1?\d{3}555\d{4}"  # North America
    r"|(?:44|0)7700900\d{3}|(?:44|0)(?:20794|1134960|1144960|1154960|1164960|1174960|1184960|1214960|1314960|1414960|1514960)\d+"
    r"|(?:44|0)(?:1632960|8081570|9098790)\d{3}|(?:61|0)(?:491570\d{3}|255501\d{3}|355501\d{3})|(?:33|0)[1-57]99000000"
)
"""Numbers set aside for stories: NANP 555, Ofcom's and ACMA's ranges."""
_HOME = re.compile(r"(?:/home/|/Users/|[A-Za-z]:\\{1,2}Users\\{1,2})([A-Za-z][\w.-]*\w)")
_HOMES_OF_NOBODY = {
    "user",
    "users",
    "shared",
    "public",
    "runner",
    "ubuntu",
    "node",
    "linuxbrew",
    "you",
    "me",
    "username",
}
_INNER_HOST = re.compile(r"(?<![\w.@-])(?:[a-z0-9-]+\.)+(?:internal|corp|intranet|lan|ec2\.internal)(?![\w.-])")


def _people(text: str) -> Iterator[tuple[Kind, str]]:
    if "@" in text:
        for match in _EMAIL.finditer(text):
            local, _, domain = match[0].rpartition("@")
            kind = domain.rpartition(".")[2].lower()
            if not _RESERVED.search("@" + domain) and local != "git" and kind not in _NO_DOMAINS:
                yield "email", match[0]
    for match in _PHONE.finditer(text):
        if _is_phone(match[0], text, match.start()):
            yield "phone", match[0]
    if "/home/" in text or "Users" in text:
        for match in _HOME.finditer(text):
            if match[1].casefold() not in _HOMES_OF_NOBODY and not PLACEHOLDER.fullmatch(match[1]):
                yield "user", match[1]
    if any(name in text for name in (".internal", ".corp", ".intranet", ".lan")):
        yield from (("host", match[0]) for match in _INNER_HOST.finditer(text))


def _is_phone(number: str, text: str, start: int) -> bool:
    digits = re.sub(r"\D", "", number)
    if not 9 <= len(digits) <= 15 or _INVENTED_PHONE.fullmatch(digits):
        return False
    bare = number[1:].isdigit()
    # `+1764545400` at the head of a line is an added line of a diff, not a number to call
    return not (number.startswith("+") and bare and (len(digits) < 11 or start == 0 or text[start - 1] == "\n"))

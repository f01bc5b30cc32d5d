"""Keeps benchmarks out of training data: n-grams of their prompts, fixtures and rubrics, looked for in every record.

A user names files or folders (Claw-Eval's and Terminal-Bench's task folders, JSON lines of prompts, any text). Whatever
text stands in them is cut into 13-grams of words, or 8-grams of characters where it is Chinese; a prompt too short for
that counts as found when it stands there whole, or when half of its 8-grams do. N-grams that many tasks share are
boilerplate and do not count. User turns and tool outputs are looked at: what the agent writes follows from them.

Cost is linear in the records and in the benchmarks; memory is some 12 bytes per n-gram of the benchmarks (at most
`MAX_GRAMS`) plus one record.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tomllib
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import yaml

from ise_assets.intent.dedup import matrix_of
from ise_assets.intent.embedding import Encoder, Vectors
from ise_assets.intent.models import content_hash
from ise_assets.settings import Settings
from ise_assets.stage import StageRun
from ise_assets.warehouse import Warehouse, sql

WORDS, CHARACTERS = 13, 8
SHORT_TOKENS = 40
SHORT_SHARE = 0.5
WHOLE_TOKENS = 5
MAX_GRAMS = 10_000_000
MAX_FILE_BYTES = 4 << 20
_LEAST_DISTINCT = 5
_WINDOWS_AT_ONCE = 50_000
_BASE = np.uint64(0x9E3779B97F4A7C15)
_SHOWN_TOKENS = 40
_TOKENS_KNOWN = 500_000
_REVIEW_COSINE = 0.7
_REVIEW_PAIRS = 50
_REVIEW_PROMPTS = 2_000

Hashes = npt.NDArray[np.uint64]
Rule = Literal["13-gram", "8-gram of Chinese", "half of a short prompt", "whole prompt", "embedding neighbour"]
NEIGHBOUR: Rule = "embedding neighbour"
"""Not found, only near: listed for a person to look at, nothing is dropped for it."""

_CJK = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_TOKEN = re.compile(rf"[{_CJK}]|[^\W_{_CJK}]+")
_CHINESE = re.compile(rf"[{_CJK}]")
_PROMPT_KEYS = {
    "prompt",
    "instruction",
    "instructions",
    "query",
    "question",
    "input",
    "task_description",
    "user",
    "goal",
}
_PROMPT_FILES = re.compile(r"(?i)^(?:instruction|prompt|task|query)[\w-]*\.(?:md|txt)$")
_TASK_FILES = ("task.yaml", "task.yml", "task.toml", "instruction.md")
_HIDDEN = re.compile(r"^(?:\.|__pycache__$|node_modules$)")


class BenchmarkError(RuntimeError):
    """The benchmarks named cannot be read; the message says which and what to do."""


@dataclass(frozen=True)
class Item:
    """A text of a benchmark: `name` tells where it stands, `task` what it belongs to."""

    name: str
    task: str
    text: str
    prompt: bool


@dataclass(frozen=True)
class Hit:
    """Something of a benchmark in a message: `overlap` is 1, or the share of a short prompt's 8-grams.

    A neighbour has the cosine as its overlap and -1 as its message: the intent's utterance was compared.
    """

    message_index: int
    item: str
    rule: Rule
    overlap: float
    excerpt: str


@dataclass(frozen=True)
class Benchmarks:
    """What is looked for, as hashes; `items` names what they belong to, `left_out` the files that were not read."""

    items: tuple[Item, ...]
    left_out: tuple[str, ...]
    boilerplate: int
    grams: dict[int, tuple[Hashes, npt.NDArray[np.int32]]]
    """By n: sorted hashes, and whose they are."""
    short: tuple[Hashes, npt.NDArray[np.int32], dict[int, int]]
    """8-grams of short prompts (one row per gram and prompt, sorted), whose they are, how many each prompt has."""
    whole: dict[int, dict[int, int]]
    """By length: hash of a prompt shorter than 8 tokens -> item."""

    @property
    def tasks(self) -> int:
        """How many tasks the items belong to."""
        return len({item.task for item in self.items})

    def facts(self) -> dict[str, Any]:
        """What a record that was searched says of it: tasks, items and a hash of all texts."""
        digest = content_hash("benchmarks", sorted(item.text for item in self.items))
        return {"tasks": self.tasks, "items": len(self.items), "hash": digest}

    def search(self, messages: Sequence[dict[str, Any]]) -> list[Hit]:
        """What of the benchmarks stands in the user's turns and the tools' outputs; one hit per message and item."""
        hits: list[Hit] = []
        for index, message in enumerate(messages):
            if message.get("role") in ("user", "tool") and isinstance(content := message.get("content"), str):
                hits += self._search(index, content, message["role"] == "user")
        return hits

    def _search(self, index: int, text: str, user: bool) -> Iterator[Hit]:
        tokens = tokenise(text)
        hashes = token_hashes(tokens)
        seen: set[int] = set()

        def hit(item: int, rule: Rule, at: int, length: int, overlap: float = 1.0) -> Iterator[Hit]:
            if item not in seen:
                seen.add(item)
                start = max(0, at - (_SHOWN_TOKENS - length) // 2)
                excerpt = " ".join(tokens[start : start + _SHOWN_TOKENS])
                yield Hit(index, self.items[item].name, rule, round(overlap, 3), excerpt)

        rules: tuple[tuple[int, Rule], ...] = ((WORDS, "13-gram"), (CHARACTERS, "8-gram of Chinese"))
        for n, rule in rules:
            known, owners = self.grams[n]
            if len(known) and (n == WORDS or _CHINESE.search(text)):
                for at, row in _found(windows(hashes, n), known):
                    yield from hit(int(owners[row]), rule, at, n)
        known, owners, totals = self.short
        if len(known):
            shares: defaultdict[int, set[int]] = defaultdict(set)
            first: dict[int, int] = {}
            grams = windows(hashes, CHARACTERS)
            for at, row in _found(grams, known):
                while row < len(known) and known[row] == grams[at]:
                    shares[int(owners[row])].add(int(grams[at]))
                    first.setdefault(int(owners[row]), at)
                    row += 1
            for item, found in shares.items():
                if (share := len(found) / totals[item]) >= SHORT_SHARE:
                    yield from hit(item, "half of a short prompt", first[item], CHARACTERS, share)
        for length, prompts in self.whole.items():
            if length < WHOLE_TOKENS and not (user and len(tokens) == length):
                continue  # two words that happen to be a prompt are none, unless they are all that was said
            for at, gram in enumerate(windows(hashes, length).tolist()):
                if gram in prompts:
                    yield from hit(prompts[gram], "whole prompt", at, length)


def tokenise(text: str) -> list[str]:
    """Words in small letters, Chinese and Japanese characters one by one; white space and punctuation do not count."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", text)
    return _TOKEN.findall(text.casefold())


class _TokenHashes(dict[str, int]):
    """Hashes of the tokens seen so far; forgotten when they become too many."""

    def __missing__(self, token: str) -> int:
        if len(self) >= _TOKENS_KNOWN:
            self.clear()
        body = token.encode(errors="surrogatepass")
        found = self[token] = int.from_bytes(hashlib.blake2b(body, digest_size=8).digest(), "little")
        return found


_known_tokens = _TokenHashes()


def token_hashes(tokens: Sequence[str]) -> Hashes:
    """64-bit hashes, the same in every process."""
    return np.fromiter(map(_known_tokens.__getitem__, tokens), dtype=np.uint64, count=len(tokens))


def windows(hashes: Hashes, n: int) -> Hashes:
    """Polynomial hashes (mod 2^64) of all runs of `n` tokens: uint64 [m - n + 1]."""
    count = len(hashes) - n + 1
    if count <= 0:
        return np.zeros(0, dtype=np.uint64)
    rolled = np.zeros(count, dtype=np.uint64)
    for offset in range(n):
        rolled = rolled * _BASE + hashes[offset : offset + count]
    return rolled


def _found(grams: Hashes, known: Hashes) -> Iterator[tuple[int, int]]:
    """Positions in `grams` of what is in `known` (sorted), each with the first row there."""
    if not len(grams):
        return
    rows = np.searchsorted(known, grams)
    rows[rows == len(known)] = 0
    for at in np.flatnonzero(known[rows] == grams).tolist():
        yield at, int(rows[at])


def near_benchmarks(run: StageRun, domain: str, benchmarks: Benchmarks) -> list[tuple[str, Hit]]:
    """Sessions of the domain whose utterance lies near a prompt (cosine from 0.7, the 50 nearest), for review."""
    pool = run.warehouse.table(
        sql("train/select_session_vectors"), {"domain": domain, "model": run.settings.embedding_model}
    )
    prompts = [item for item in benchmarks.items if item.prompt][:_REVIEW_PROMPTS]
    if not pool.num_rows or not prompts:
        return []
    vectors, others = matrix_of(pool), _prompt_vectors(run.settings, prompts)
    near: list[tuple[float, int, int]] = []
    for start in range(0, len(vectors), _REVIEW_PROMPTS):
        product = vectors[start : start + _REVIEW_PROMPTS] @ others.T
        best = product.argmax(axis=1)
        cosines = product[np.arange(len(best)), best]
        over = np.flatnonzero(cosines >= _REVIEW_COSINE).tolist()
        near += [(float(cosines[i]), start + i, int(best[i])) for i in over]
    ids = pool.column("dialogue_id").to_pylist()
    return [
        (ids[row], Hit(-1, prompts[item].name, NEIGHBOUR, round(cosine, 3), prompts[item].text[:300]))
        for cosine, row, item in sorted(near, reverse=True)[:_REVIEW_PAIRS]
    ]


def _prompt_vectors(settings: Settings, prompts: Sequence[Item]) -> Vectors:
    """Unit vectors of the prompts, computed once for the same prompts and encoder."""
    encoder = Encoder(settings)
    digest = content_hash("prompts", settings.embedding_model, encoder.dtype, [item.text for item in prompts])
    path = settings.cache_dir / "benchmarks" / f"{digest}.npy"
    if path.is_file():
        return np.asarray(np.load(path, allow_pickle=False), dtype=np.float32)
    vectors = encoder.encode([item.text for item in prompts])
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.stem}.{os.getpid()}.part.npy")
    np.save(part, vectors)
    part.replace(path)
    return vectors


def write_report(warehouse: Warehouse, settings: Settings, benchmarks: Benchmarks) -> Path:
    """`reports/decontamination.json`: what was looked for, what was found in all domains, what lies near."""
    rows = warehouse.rows(sql("train/select_decontamination"))
    report = {
        "benchmarks": [str(path) for path in settings.benchmark_paths],
        "tasks": benchmarks.tasks,
        "items": len(benchmarks.items),
        "files_left_out": list(benchmarks.left_out),
        "ngrams": {f"{n}-gram": len(grams) for n, (grams, _) in benchmarks.grams.items()},
        "short_prompts": len(benchmarks.short[2]) + sum(map(len, benchmarks.whole.values())),
        "boilerplate_ngrams": benchmarks.boilerplate,
        "found": [row for row in rows if row["rule"] != NEIGHBOUR],
        "to_review": [row for row in rows if row["rule"] == NEIGHBOUR],
    }
    path = settings.reports_dir / "decontamination.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    part.write_text(json.dumps(report, ensure_ascii=False, indent=1), encoding="utf-8")
    part.replace(path)
    return path


# ---- what is looked for ----


def load_benchmarks(paths: Sequence[Path]) -> Benchmarks:
    """Everything that stands in those files and folders; read once for the same files.

    Raises:
        BenchmarkError: one is missing, none holds a text, or they are too large together.
    """
    files = [file for path in paths for file in _files(path)]
    signature = tuple((str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in files)
    return _load(signature)


@lru_cache(maxsize=1)
def _load(signature: tuple[tuple[str, int, int], ...]) -> Benchmarks:
    items: list[Item] = []
    left_out: list[str] = []
    for name, size, _ in signature:
        if size > MAX_FILE_BYTES:
            left_out.append(f"{name}: {size} bytes, more than {MAX_FILE_BYTES}")
            continue
        try:
            items += read_items(Path(name))
        except (ValueError, yaml.YAMLError, RecursionError) as error:
            left_out.append(f"{name}: {type(error).__name__}: {str(error)[:200]}")
    return index(items, left_out)


def _files(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
    elif path.is_dir():
        for inner in sorted(path.iterdir()):
            if not _HIDDEN.match(inner.name) and not inner.is_symlink():
                yield from _files(inner) if inner.is_dir() else [inner]
    else:
        raise BenchmarkError(f"ISE_BENCHMARKS names {path}, which is not there; correct the path or take it out")


def read_items(path: Path) -> Iterator[Item]:
    """The texts of one file: the strings of a YAML, JSON, JSON lines or TOML file, else the file itself.

    Raises:
        ValueError: it is no text, or not what its ending says.
    """
    data = path.read_bytes()
    if b"\0" in data[:8192]:
        raise ValueError("no text")
    text = data.decode("utf-8")
    task = str(next((f for f in path.parents if any((f / name).is_file() for name in _TASK_FILES)), path))
    match path.suffix.lower():
        case ".yaml" | ".yml":
            for document in yaml.load_all(text, Loader=yaml.CSafeLoader):
                yield from _leaves(document, str(path), task)
        case ".toml":
            yield from _leaves(tomllib.loads(text), str(path), task)
        case ".jsonl" | ".ndjson":
            for number, line in enumerate(text.split("\n"), start=1):
                if line.strip():
                    where = f"{path}:{number}"
                    yield from _leaves(_prompt_line(json.loads(line)), where, where)
        case ".json":
            body = json.loads(text)
            if isinstance(body, list) and task == str(path):
                for number, entry in enumerate(body, start=1):
                    yield from _leaves(_prompt_line(entry), f"{path}[{number}]", f"{path}[{number}]")
            else:
                yield from _leaves(body, str(path), task)
        case _:
            yield Item(str(path), task, text, bool(_PROMPT_FILES.match(path.name)))


def _prompt_line(entry: Any) -> Any:
    """A bare string in a list of prompts is a prompt."""
    return {"prompt": entry} if isinstance(entry, str) else entry


def _leaves(value: Any, where: str, task: str) -> Iterator[Item]:
    """Strings of a tree with the keys that lead to them."""
    todo: list[tuple[Any, tuple[str, ...]]] = [(value, ())]
    seen: set[int] = set()  # aliases of YAML may lead back
    while todo:
        node, keys = todo.pop()
        if isinstance(node, str):
            prompt = any(key.lower() in _PROMPT_KEYS for key in keys)
            yield Item(f"{where}#{'.'.join(keys)}" if keys else where, task, node, prompt)
        elif isinstance(node, dict | list) and id(node) not in seen:
            seen.add(id(node))
            pairs = node.items() if isinstance(node, dict) else enumerate(node)
            todo += [(inner, (*keys, str(key))) for key, inner in pairs]


@dataclass
class _Grams:
    """N-grams of one n, as they are gathered."""

    hashes: list[Hashes] = field(default_factory=list)
    owners: list[npt.NDArray[np.int32]] = field(default_factory=list)
    tasks: list[npt.NDArray[np.int32]] = field(default_factory=list)

    def add(self, grams: Hashes, item: int, task: int) -> int:
        self.hashes.append(grams)
        self.owners.append(np.full(len(grams), item, dtype=np.int32))
        self.tasks.append(np.full(len(grams), task, dtype=np.int32))
        return len(grams)

    def joined(self) -> tuple[Hashes, npt.NDArray[np.int32], npt.NDArray[np.int32]]:
        if not self.hashes:
            return np.zeros(0, dtype=np.uint64), np.zeros(0, dtype=np.int32), np.zeros(0, dtype=np.int32)
        hashes = np.concatenate(self.hashes)
        owners, tasks = np.concatenate(self.owners), np.concatenate(self.tasks)
        order = np.lexsort((owners, hashes))
        return hashes[order], owners[order], tasks[order]


def index(texts: Iterable[Item], left_out: Sequence[str] = ()) -> Benchmarks:
    """What `search` looks for.

    An n-gram is boilerplate when more than 4 tasks and more than 2 % of them have it, or when it has fewer than 5
    different tokens. The same text twice is one item: copies make no boilerplate.

    Raises:
        BenchmarkError: there is no text, or more than `MAX_GRAMS` n-grams.
    """
    items: list[Item] = []
    tasks: dict[str, int] = {}
    seen: set[bytes] = set()
    gathered = {WORDS: _Grams(), CHARACTERS: _Grams()}
    short, whole, total = _Grams(), defaultdict[int, dict[int, int]](dict), 0
    for item in texts:
        tokens = tokenise(item.text)
        digest = hashlib.sha256("\0".join(tokens).encode(errors="surrogatepass")).digest()
        if not tokens or digest in seen:
            continue
        seen.add(digest)
        hashes, number = token_hashes(tokens), len(items)
        items.append(item)
        task = tasks.setdefault(item.task, len(tasks))
        n = CHARACTERS if 2 * sum(map(bool, map(_CHINESE.match, tokens))) > len(tokens) else WORDS
        total += gathered[n].add(_telling_windows(hashes, n), number, task)
        if item.prompt and len(tokens) < CHARACTERS:
            whole[len(tokens)].setdefault(int(windows(hashes, len(tokens))[0]), number)
        elif item.prompt and len(tokens) <= SHORT_TOKENS and n == WORDS:
            total += short.add(_telling_windows(hashes, CHARACTERS), number, task)
        if total > MAX_GRAMS:
            raise BenchmarkError(f"the benchmarks hold more than {MAX_GRAMS:,} n-grams; name fewer or smaller files")
    if not items:
        raise BenchmarkError("ISE_BENCHMARKS names files without any text" + "".join(f"; {line}" for line in left_out))
    most = max(4, len(tasks) // 50)
    boilerplate, grams = 0, {}
    for n, found in gathered.items():
        hashes, owners, of_task = found.joined()
        common = _common(hashes, of_task, most)
        boilerplate += len(common)
        keep = ~np.isin(hashes, common)
        unique, first = np.unique(hashes[keep], return_index=True)
        grams[n] = (unique, owners[keep][first])
    hashes, owners, of_task = short.joined()
    common = _common(hashes, of_task, most)
    boilerplate += len(common)
    keep = ~np.isin(hashes, common)
    totals = Counter(owners[keep].tolist())
    return Benchmarks(
        tuple(items), tuple(left_out), boilerplate, grams, (hashes[keep], owners[keep], dict(totals)), dict(whole)
    )


def _telling_windows(hashes: Hashes, n: int) -> Hashes:
    """The different windows, without those that say the same few things over and over (`0 0 0 0 ...`)."""
    rolled = windows(hashes, n)
    telling = np.zeros(len(rolled), dtype=np.bool_)
    for start in range(0, len(rolled), _WINDOWS_AT_ONCE):
        part = hashes[start : start + _WINDOWS_AT_ONCE + n - 1]
        ordered = np.sort(np.lib.stride_tricks.sliding_window_view(part, n), axis=1)
        distinct = 1 + (ordered[:, 1:] != ordered[:, :-1]).sum(axis=1)
        telling[start : start + len(distinct)] = distinct >= _LEAST_DISTINCT
    return np.unique(rolled[telling])


def _common(hashes: Hashes, tasks: npt.NDArray[np.int32], most: int) -> Hashes:
    """Hashes that more than `most` tasks have."""
    if not len(hashes):
        return hashes
    order = np.lexsort((tasks, hashes))
    ordered, of_task = hashes[order], tasks[order]
    new = np.ones(len(ordered), dtype=np.bool_)
    new[1:] = (ordered[1:] != ordered[:-1]) | (of_task[1:] != of_task[:-1])
    unique, counts = np.unique(ordered[new], return_counts=True)
    return unique[counts > most]

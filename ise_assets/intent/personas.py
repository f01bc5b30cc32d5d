"""Persona lists: read with suspicion, reported row by row, taken into the pool once.

A list is JSONL, CSV or Parquet and comes from anywhere, so reading one never raises over its content: every bad row
becomes a `Problem` that says file, line, reason and remedy, and the good rows load. The pool only grows: an id is the
hash of a persona's content, so the same person in two lists is one, and deleting a list removes nobody.
"""

from __future__ import annotations

import csv
import hashlib
import json
import re
import stat
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ise_assets.intent.models import PERSONA_FIELDS, Persona, Register
from ise_assets.settings import PACKAGE

SHIPPED_LISTS = PACKAGE / "catalog" / "personas"
FORMATS: dict[str, str] = {".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".parquet": "parquet"}
SYNONYMS: dict[str, str] = {
    "full_name": "name",
    "occupation": "role",
    "job": "role",
    "job_title": "role",
    "profession": "role",
    "title": "role",
    "sector": "industry",
    "field": "industry",
    "skills": "expertise",
    "expertises": "expertise",
    "seniority": "experience_level",
    "level": "experience_level",
    "experience": "experience_level",
    "style": "communication_style",
    "tone": "communication_style",
    "context": "work_context",
    "situation": "work_context",
}
MAX_FILE_BYTES = 512 * 2**20
MAX_LINE_CHARS = 65_536
MAX_NAME_CHARS = 120
MAX_FIELD_CHARS = 600
MAX_EXPERTISE = 32

_CSV_RECORD_LINES = 50  # one CSV record may span so many lines; an unclosed quote swallows no more than that
_MAGIC = {b"PAR1": "Parquet", b"\x1f\x8b": "gzip", b"PK\x03\x04": "a zip or Excel file", b"%PDF": "PDF"}
_UNFINISHED = (".part", ".tmp", ".crdownload", ".swp")
_DIRECTION_MARKS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


class PersonaListError(ValueError):
    """A persona list cannot be read, or holds no good row; the message names the file and what to do."""


@dataclass(frozen=True)
class Problem:
    """One thing wrong with a list. `line` counts from 1 (Parquet: the row); 0 means the file as a whole."""

    file: str
    line: int
    reason: str
    remedy: str


@dataclass
class PersonaList:
    """What one file gave: personas in file order, a `Problem` per bad row, notes on mapped field names."""

    name: str
    sha256: str
    personas: list[Persona] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def rows_good(self) -> int:
        """Rows that loaded."""
        return len(self.personas)

    @property
    def rows_bad(self) -> int:
        """Rows that did not load; a problem of the whole file is no row."""
        return sum(problem.line > 0 for problem in self.problems)


@dataclass(frozen=True)
class _Row:
    """One row before validation: its values by our field names, or the reason why there are none."""

    line: int
    values: Mapping[str, Any] | None = None
    problem: tuple[str, str] | None = None


class Unusable(Exception):
    """The whole file, or its header, cannot be used; becomes one `Problem`."""

    def __init__(self, reason: str, remedy: str, line: int = 0) -> None:
        super().__init__(reason)
        self.reason, self.remedy, self.line = reason, remedy, line


def read_persona_list(path: Path) -> PersonaList:
    """Personas and problems of one list (JSONL, CSV or Parquet, told by the extension).

    Strings are trimmed, runs of white space become one space, Unicode is normalised (NFC). A row that lacks a field,
    has a wrong type, a control character or an overlong value, or repeats an earlier row or `id`, is left out and
    reported.

    Raises:
        PersonaListError: the file is not there or may not be read. Never for its content.
    """
    body, sha256, refusal = file_content(path)
    name = file_name(path)
    result = PersonaList(name=name, sha256=sha256)
    if refusal is not None:
        result.problems.append(Problem(name, 0, *refusal))
        return result
    try:
        _check_container(path, body)
        kind = FORMATS[path.suffix.lower()]
        reader = {"jsonl": _jsonl_rows, "csv": _csv_rows, "parquet": _parquet_rows}[kind]
        _collect(reader(body, result.notes), result)
    except Unusable as error:
        result.problems.append(Problem(name, error.line, error.reason, error.remedy))
    if not result.personas and not result.problems:
        result.problems.append(Problem(name, 0, "the file holds no row", "add one persona a row, or remove the file"))
    return result


def file_name(path: Path) -> str:
    return path.name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _collect(rows: Iterator[_Row], result: PersonaList) -> None:
    seen_content: dict[str, int] = {}
    seen_ids: dict[str, int] = {}
    for row in rows:
        reason, remedy, persona = "", "", None
        if row.values is None:
            reason, remedy = row.problem or ("the row cannot be read", "mend or remove the row")
        else:
            persona, reasons = _persona(row.values, result.name)
            reason, remedy = "; ".join(reasons), "mend these fields or remove the row"
            own_id = row.values.get("id")
            own_id = str(own_id).strip() if isinstance(own_id, str | int) else ""
            if persona is not None and persona.id in seen_content:
                reason = f"the same person as line {seen_content[persona.id]}"
                remedy = "remove one of the two rows"
                persona = None
            elif persona is not None and own_id and own_id in seen_ids:
                reason = f"duplicate id {_shown(own_id)}, first used in line {seen_ids[own_id]}"
                remedy = "give each row its own id, or leave ids out"
                persona = None
            elif persona is not None:
                seen_content[persona.id] = row.line
                if own_id:
                    seen_ids[own_id] = row.line
        if persona is None:
            result.problems.append(Problem(result.name, row.line, reason, remedy))
        else:
            result.personas.append(persona)


def persona_of(told: Mapping[str, Any], list_name: str) -> tuple[Persona | None, list[str]]:
    """The persona that an object of any field names tells of, or the reasons why it is none."""
    return _persona({ours: told[theirs] for theirs, ours in _field_names(map(str, told)).items()}, list_name)


def _persona(values: Mapping[str, Any], list_name: str) -> tuple[Persona | None, list[str]]:
    cleaned: dict[str, Any] = {}
    reasons: list[str] = []
    missing = [name for name in PERSONA_FIELDS if values.get(name) is None]
    if missing:
        reasons.append(f"missing {', '.join(missing)}")
    for name in PERSONA_FIELDS:
        value = values.get(name)
        if value is None:
            continue
        try:
            cleaned[name] = _expertise(value) if name == "expertise" else _text(name, value)
        except ValueError as error:
            reasons.append(str(error))
    if reasons:
        return None, reasons
    return Persona(**cleaned, persona_list=list_name), []


def _expertise(value: Any) -> list[str]:
    if isinstance(value, str):
        value = re.split(r"[;|]", value)
    if not isinstance(value, list | tuple):
        raise ValueError(f"expertise must be a list of texts, or one text separated by ; or |, got {_kind(value)}")
    if len(value) > MAX_EXPERTISE:
        raise ValueError(f"expertise has {len(value)} items, at most {MAX_EXPERTISE} are allowed")
    items = [_text("expertise", item) for item in value if not (isinstance(item, str) and not item.strip())]
    if not items:
        raise ValueError("expertise is empty")
    return list(dict.fromkeys(items))


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{name} must be text, got {_kind(value)}")
    for character in value:
        if "\ud800" <= character <= "\udfff":
            raise ValueError(f"{name} is not valid UTF-8")
        if character in _DIRECTION_MARKS or (unicodedata.category(character) == "Cc" and not character.isspace()):
            raise ValueError(f"{name} holds the control character U+{ord(character):04X}")
    text = unicodedata.normalize("NFC", " ".join(value.split()))
    limit = MAX_NAME_CHARS if name == "name" else MAX_FIELD_CHARS
    if not text:
        raise ValueError(f"{name} is empty")
    if len(text) > limit:
        raise ValueError(f"{name} has {len(text)} characters, at most {limit} are allowed")
    return text


def file_content(path: Path) -> tuple[bytes, str, tuple[str, str] | None]:
    """The file's bytes and SHA-256, or (reason, remedy) why it is not opened at all.

    A refused path gets the hash of its refusal, so that the sensor asks for it once and not at every tick.
    """
    refusal = None
    try:
        if path.is_symlink():
            target = path.resolve()
            if not target.is_relative_to(path.parent.resolve()):
                refusal = ("a symbolic link that leaves the folder", "copy the file itself into the folder")
            elif not target.exists():
                refusal = ("a symbolic link to nothing", "remove the link")
        if refusal is None:
            status = path.stat()
            if not stat.S_ISREG(status.st_mode):
                refusal = ("not a regular file", "remove it, or put a file in its place")
            elif status.st_size > MAX_FILE_BYTES:
                refusal = (f"larger than {MAX_FILE_BYTES // 2**20} MiB", "split it into several lists")
        if refusal is not None:
            return b"", hashlib.sha256(f"{file_name(path)}: {refusal[0]}".encode()).hexdigest(), refusal
        body = path.read_bytes()
    except (OSError, RuntimeError) as error:  # RuntimeError: a loop of symbolic links, before Python 3.13
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise PersonaListError(
            f"{path}: cannot be read ({reason}); check that it exists and its permissions"
        ) from error
    return body, hashlib.sha256(body).hexdigest(), None


def _check_container(path: Path, body: bytes) -> None:
    suffix = path.suffix.lower()
    if suffix not in FORMATS:
        found = f"the extension {suffix}" if suffix else "no extension"
        raise Unusable(f"{found} is not that of a persona list", f"save it as {', '.join(FORMATS)}, or remove it")
    if not body.strip():
        size = "0 bytes" if not body else "white space only"
        raise Unusable(f"the file is empty ({size})", "write it again, or remove it")
    magic = next((label for start, label in _MAGIC.items() if body.startswith(start)), None)
    if magic is not None and not (magic == "Parquet" and FORMATS[suffix] == "parquet"):
        raise Unusable(f"the content is {magic}, the extension says {suffix}", "give it the extension of its format")
    if FORMATS[suffix] != "parquet":
        head = body[:4096]
        if body.startswith((b"\xff\xfe", b"\xfe\xff")) or head.count(0) * 5 > len(head):
            raise Unusable("the encoding is not UTF-8 (it looks like UTF-16 or binary)", "save it again as UTF-8")


def _lines(body: bytes) -> list[str]:
    """Lines as text; bytes that are no UTF-8 become lone surrogates, by which each row finds and reports them."""
    return body.removeprefix(b"\xef\xbb\xbf").decode("utf-8", "surrogateescape").split("\n")


_NOT_UTF8 = ("the encoding is not UTF-8 (it may be Latin-1)", "save the list again as UTF-8")


def _line_problem(line: str) -> tuple[str, str] | None:
    if len(line) > MAX_LINE_CHARS:
        return f"the line has {len(line)} characters, at most {MAX_LINE_CHARS} are allowed", "shorten or remove the row"
    if re.search("[\udc80-\udcff]", line):
        return _NOT_UTF8
    if "\0" in line:
        return "the line holds NUL bytes", "remove them, or the row"
    return None


def _jsonl_rows(body: bytes, notes: list[str]) -> Iterator[_Row]:
    noted: set[str] = set()
    for number, value, problem in json_objects(body):
        if value is None:
            yield _Row(number, problem=problem)
            continue
        names = _field_names(value)
        for note in _mapping_notes(names):
            if note not in noted:
                noted.add(note)
                notes.append(note)
        yield _Row(number, {ours: value[theirs] for theirs, ours in names.items()})


def json_objects(body: bytes) -> Iterator[tuple[int, dict[str, Any] | None, tuple[str, str] | None]]:
    """(line, object, None) or (line, None, (reason, remedy)) for every line of JSON Lines that is not blank.

    Raises:
        Unusable: the file is one JSON array.
    """
    lines = _lines(body)
    if lines[0].lstrip().startswith("[") and _is_json_array(body):
        raise Unusable("a JSON array, not JSON Lines", "write one JSON object a line, with no brackets around", line=1)
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        if problem := _line_problem(line):
            yield number, None, problem
            continue
        try:
            value = json.loads(line)
        except RecursionError:
            yield number, None, ("nested too deeply", "write one flat JSON object a line")
            continue
        except ValueError as error:
            where = f"{error.msg} at column {error.colno}" if isinstance(error, json.JSONDecodeError) else str(error)
            yield number, None, (f"broken JSON: {where}", "write one valid JSON object a line")
            continue
        if not isinstance(value, dict):
            yield number, None, (f"a JSON object was expected, got {_kind(value)}", "write one object a line")
            continue
        yield number, value, None


def _is_json_array(body: bytes) -> bool:
    try:
        return isinstance(json.loads(body.decode("utf-8-sig")), list)
    except (ValueError, RecursionError):
        return False


def _csv_rows(body: bytes, notes: list[str]) -> Iterator[_Row]:
    # The csv module and not pandas: a problem names its line in the file, past blank lines and quoted newlines.
    records = _csv_records(_lines(body))
    header = next(records, None)
    if header is None or header.values is None:
        reason, remedy = header.problem if header is not None and header.problem else ("no header", "")
        raise Unusable(f"the header cannot be read: {reason}", remedy or "name the columns in line 1", line=1)
    columns = header.values["cells"]
    names = _field_names(columns)
    _require_columns(names, header.line)
    notes.extend(_mapping_notes(names))
    positions = {ours: columns.index(theirs) for theirs, ours in names.items()}
    for record in records:
        if record.values is None:
            yield record
            continue
        cells = record.values["cells"]
        if len(cells) != len(columns):
            reason = f"{len(cells)} columns where the header has {len(columns)}"
            yield _Row(record.line, problem=(reason, 'put values that hold commas into "quotes"'))
        else:
            yield _Row(record.line, {ours: cells[position] or None for ours, position in positions.items()})


def _csv_records(lines: Sequence[str]) -> Iterator[_Row]:
    """Records as `{"cells": [...]}` with their first line; after a broken one, reading goes on at the next line."""
    start = 0
    while start < len(lines):
        first = start + 1
        if not lines[start].strip():
            start += 1
            continue
        reader = csv.reader(_record_lines(lines, start), strict=True)
        try:
            cells = next(reader, [])
        except csv.Error as error:
            problem = _line_problem(lines[start]) or (f"broken CSV: {error}", 'close every quote; write " inside as ""')
            start += 1
            yield _Row(first, problem=problem)
            continue
        if reader.line_num == 0:
            start += 1
            yield _Row(first, problem=_line_problem(lines[first - 1]))
            continue
        start += reader.line_num
        yield _Row(first, {"cells": cells})


def _record_lines(lines: Sequence[str], start: int) -> Iterator[str]:
    for position in range(start, min(start + _CSV_RECORD_LINES, len(lines))):
        if _line_problem(lines[position]):
            return
        yield lines[position].removesuffix("\r") + "\n"


def _parquet_rows(body: bytes, notes: list[str]) -> Iterator[_Row]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    mend = "write the file again, or remove it"
    try:
        source = pq.ParquetFile(pa.BufferReader(body))
        columns = list(source.schema_arrow.names)
        names = _field_names(columns)
        _require_columns(names, 0)
        notes.extend(_mapping_notes(names))
        positions = {ours: columns.index(theirs) for theirs, ours in names.items()}
        line = 0
        for batch in source.iter_batches(batch_size=1024, use_threads=False):
            for index in range(batch.num_rows):
                line += 1
                try:
                    values = {ours: batch.column(position)[index].as_py() for ours, position in positions.items()}
                except (ValueError, OverflowError) as error:
                    reason = _NOT_UTF8[0] if isinstance(error, UnicodeDecodeError) else f"unreadable value: {error}"
                    yield _Row(line, problem=(reason, "mend or remove the row"))
                    continue
                yield _Row(line, values)
    except (pa.ArrowException, OSError, ValueError) as error:  # ValueError: names in the footer that are no UTF-8
        first_line = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise Unusable(f"not a readable Parquet file: {first_line[:200]}", mend) from error


def _field_names(theirs: Iterable[str]) -> dict[str, str]:
    """Their field name -> ours, for the fields we know; an exact name beats a synonym, the first beats the second."""
    names = list(dict.fromkeys(theirs))
    folded = {name: re.sub(r"[\s-]+", "_", name.strip().lower()) for name in names}
    taken: dict[str, str] = {}
    for name in names:
        if folded[name] in (*PERSONA_FIELDS, "id"):
            taken.setdefault(folded[name], name)
    for name in names:
        if folded[name] in SYNONYMS:
            taken.setdefault(SYNONYMS[folded[name]], name)
    return {name: ours for ours, name in taken.items()}


def _mapping_notes(names: Mapping[str, str]) -> list[str]:
    return [f"{_shown(theirs)} was read as {ours}" for theirs, ours in names.items() if theirs != ours]


def _require_columns(names: Mapping[str, str], line: int) -> None:
    missing = [name for name in PERSONA_FIELDS if name not in names.values()]
    if missing:
        raise Unusable(
            f"the columns {', '.join(missing)} are missing", f"name the columns {', '.join(PERSONA_FIELDS)}", line=line
        )


def _shown(text: str) -> str:
    return ascii(text) if len(text) <= 60 else ascii(text[:57]) + "..."


def _kind(value: Any) -> str:
    kinds = {bool: "true/false", int: "a number", float: "a number", str: "text", list: "a list", dict: "an object"}
    return "null" if value is None else kinds.get(type(value), type(value).__name__)


_KEYWORDS: dict[Register, str] = {
    "terse": r"terse|short|brief|clipped|curt|blunt|laconic|minimal|few words|fewest words|one[- ]lin(?:e|er|ers)"
    r"|to the point|telegra\w+|drops articles|fragments|bullet points?|abbreviat\w+|no greetings?|no small talk"
    r"|skips small talk|lower ?case|concise|impatient|no[- ]nonsense|succinct|spare",
    "plain": r"plain|plain-spoken|direct|matter-of-fact|clear|straightforward|straight to the task|simple|neutral"
    r"|practical|ordinary words|step by step|calm|factual|sober|even-tempered|unfussy|specific|down-to-earth",
    "chatty": r"chatty|warm|wordy|talkative|rambl\w+|enthusiastic|friendly|jok(?:es?|ing)|emojis?|exclamation\w*"
    r"|thinks aloud|stor(?:y|ies|yteller)|asides|digress\w*|cheerful|bubbly|informal|casual|verbose|gossip\w*"
    r"|excitable|conversational|easy-going|explains context|long sentences|long-winded|nicknames|small talk|humou?r\w*",
    "formal": r"formal|polite|courteous|full sentences|complete sentences|thanks everyone|official|respectful"
    r"|deferential|diplomatic|ceremonious|legalistic|proper grammar|scholarly|punctilious|measured|letter|titles"
    r"|no contractions|careful|academic|salutations?|reserved",
}
_WORDS = {
    register: re.compile(rf"(?<!not )(?<!never )(?<!without )(?<![\w-])(?:{words})(?![\w])", re.IGNORECASE)
    for register, words in _KEYWORDS.items()
}


def register_of(communication_style: str) -> Register:
    """The register that a free-text style means: that with most keywords, the earlier named one where two are even.

    A style without any keyword gets plain or chatty by a stable hash of its text, so that it is the same in every run.
    """
    style = " ".join(communication_style.split())
    found = {register: list(words.finditer(style)) for register, words in _WORDS.items()}
    ranked = [(-len(hits), hits[0].start(), register) for register, hits in found.items() if hits]
    if ranked:
        return min(ranked)[2]
    digest = hashlib.sha256(style.lower().encode("utf-8", "replace")).digest()
    return ("plain", "chatty")[digest[0] % 2]


def list_files(folder: Path) -> list[Path]:
    """What lies in `folder` and claims to be a persona list, sorted by name; nothing where there is no folder.

    Left out: dot files, unfinished copies (`.part`, `.tmp`, ...), READMEs, and subfolders.
    """
    if not folder.is_dir():
        return []
    return sorted(path for path in folder.iterdir() if claims_to_be_a_list(path))


def claims_to_be_a_list(path: Path) -> bool:
    """Whether a file of this name, in the watched folder, is read as a persona list."""
    name = path.name.lower()
    if name.startswith(".") or name.endswith(("~", *_UNFINISHED)) or name.split(".")[0] == "readme":
        return False
    return path.suffix.lower() in FORMATS or not path.is_dir()

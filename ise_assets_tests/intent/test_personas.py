"""Persona lists: what loads, what is reported, and that the pool only grows."""

from __future__ import annotations

import csv
import io
import json
import os
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ise_assets.checks import every_row_taken
from ise_assets.intent import personas as room
from ise_assets.intent.models import PERSONA_FIELDS, REGISTERS
from ise_assets.intent.persona_pool import load_personas, pending_lists, problem_report, take_in
from ise_assets.intent.personas import (
    MAX_FIELD_CHARS,
    MAX_NAME_CHARS,
    SHIPPED_LISTS,
    PersonaListError,
    Problem,
    list_files,
    read_persona_list,
    register_of,
)
from ise_assets.intent.voices import speaks_for_itself
from ise_assets.settings import load_settings
from ise_assets.stage import StageRun
from ise_assets.warehouse import Warehouse


def row(**changes: Any) -> dict[str, Any]:
    """A good row with `changes`; a value of `...` drops the field."""
    whole = {
        "name": "Una Kettleworth",
        "role": "ferry purser",
        "industry": "shipping",
        "expertise": ["cash reports", "first aid"],
        "experience_level": "senior",
        "communication_style": "plain and direct",
        "work_context": "Counts the till of a night ferry before it docks at six.",
    }
    return {key: value for key, value in {**whole, **changes}.items() if value is not ...}


def jsonl(path: Path, *rows: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join((one if isinstance(one, str) else json.dumps(one)) + "\n" for one in rows))
    return path


def csv_text(*rows: dict[str, Any]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    for one in rows:
        writer.writerow({k: ";".join(v) if isinstance(v, list) else v for k, v in one.items()})
    return text.getvalue()


@pytest.fixture
def stage(tmp_path: Path) -> StageRun:
    settings = load_settings(home=tmp_path / "home")
    return StageRun(warehouse=Warehouse.of(settings), settings=settings, run_id="run-1")


def pool(run: StageRun) -> list[dict[str, Any]]:
    return run.warehouse.rows("SELECT * EXCLUDE (written_at) FROM persona_pool ORDER BY id")


SHIPPED = [persona for path in list_files(SHIPPED_LISTS) for persona in read_persona_list(path).personas]


def test_shipped_lists_hold_more_people_than_ise_without_a_problem() -> None:
    lists = [read_persona_list(path) for path in list_files(SHIPPED_LISTS)]
    assert 8 <= len(lists) <= 12
    assert [one.problems for one in lists] == [[]] * len(lists)
    assert len(SHIPPED) == len({persona.id for persona in SHIPPED}) >= 965


def test_shipped_people_differ() -> None:
    def distinct(name: str) -> int:
        return len({getattr(persona, name).casefold() for persona in SHIPPED})

    assert distinct("name") == distinct("work_context") == len(SHIPPED)
    assert distinct("role") >= 542
    assert distinct("industry") >= 47
    assert distinct("communication_style") >= 120
    assert distinct("experience_level") == 6
    assert all(2 <= len(persona.expertise) <= 4 for persona in SHIPPED)
    openings = Counter(" ".join(persona.work_context.split()[:2]) for persona in SHIPPED)
    assert max(openings.values()) <= len(SHIPPED) / 60, openings.most_common(3)


def test_no_two_shipped_people_have_half_of_their_situation_in_common() -> None:
    seen: dict[str, set[str]] = {}
    for persona in SHIPPED:
        words = set(re.findall(r"\w{4,}", persona.work_context.casefold()))
        for other, theirs in seen.items():
            assert len(words & theirs) < max(4, min(len(words), len(theirs)) / 2), (persona.work_context, other)
        seen[persona.work_context] = words


def test_shipped_people_tell_their_situation_themselves() -> None:
    assert [persona.work_context for persona in SHIPPED if not speaks_for_itself(persona.work_context)] == []


def test_shipped_registers_are_balanced() -> None:
    registers = Counter(register_of(persona.communication_style) for persona in SHIPPED)
    assert set(registers) == set(REGISTERS)
    assert all(0.2 <= count / len(SHIPPED) <= 0.3 for count in registers.values()), registers


@pytest.mark.parametrize(
    ("style", "register"),
    [
        ("terse, drops articles", "terse"),
        ("one-liners, no greeting", "terse"),
        ("warm and wordy, explains context first", "chatty"),
        ("informal, loves small talk", "chatty"),
        ("not formal, plain words", "plain"),
        ("Formal, full sentences, thanks everyone", "formal"),
        ("formal but kind", "formal"),
        ("direct but friendly", "plain"),
        ("FRIENDLY BUT DIRECT", "chatty"),
    ],
)
def test_register_follows_the_words_of_the_style(style: str, register: str) -> None:
    assert register_of(style) == register


@given(st.text())
def test_any_style_has_one_stable_register(style: str) -> None:
    assert register_of(style) in REGISTERS
    assert register_of(style) == register_of(f"  {style} ")


def test_a_style_without_a_keyword_falls_back_to_plain_or_chatty() -> None:
    found = {register_of(f"zzz {number}") for number in range(40)}
    assert found == {"plain", "chatty"}


def test_the_three_formats_give_the_same_people(tmp_path: Path) -> None:
    rows = [row(), row(name="Piet Zandvoort", expertise=["ropes"])]
    lines = jsonl(tmp_path / "a.jsonl", *rows)
    table = tmp_path / "a.csv"
    table.write_text(csv_text(*rows))
    parquet = tmp_path / "a.parquet"
    pq.write_table(pa.Table.from_pylist(rows), parquet)
    read = [read_persona_list(path) for path in (lines, table, parquet)]
    assert [one.problems for one in read] == [[], [], []]
    assert [[p.id for p in one.personas] for one in read] == [[p.id for p in read[0].personas]] * 3
    assert read[0].personas[0].expertise == ("cash reports", "first aid")
    assert read[1].personas[0].persona_list == "a.csv"


def test_a_byte_order_mark_windows_line_ends_and_an_upper_case_extension_are_fine(tmp_path: Path) -> None:
    path = tmp_path / "a.CSV"
    path.write_bytes(b"\xef\xbb\xbf" + csv_text(row()).replace("\n", "\r\n").encode())
    assert (len(read_persona_list(path).personas), read_persona_list(path).problems) == (1, [])


def test_synonyms_are_mapped_and_noted(tmp_path: Path) -> None:
    theirs = {
        "Name": "Una Kettleworth",
        "Occupation": "ferry purser",
        "sector": "shipping",
        "skills": "cash reports | first aid",
        "Seniority": "senior",
        "style": "plain",
        "Context": "Counts the till.",
        "shoe size": "41",
    }
    for path in (jsonl(tmp_path / "a.jsonl", theirs, {**theirs, "Name": "Ola"}), tmp_path / "a.csv"):
        if path.suffix == ".csv":
            path.write_text(csv_text(theirs))
        read = read_persona_list(path)
        assert read.problems == []
        assert read.personas[0].role == "ferry purser"
        assert read.personas[0].expertise == ("cash reports", "first aid")
        assert read.notes.count("'Occupation' was read as role") == 1


def test_an_exact_field_beats_its_synonym(tmp_path: Path) -> None:
    read = read_persona_list(jsonl(tmp_path / "a.jsonl", {"title": "Dr.", **row()}))
    assert read.personas[0].role == "ferry purser"


def test_strings_are_trimmed_and_normalised(tmp_path: Path) -> None:
    read = read_persona_list(
        jsonl(tmp_path / "a.jsonl", row(name="  Zoe\u0301 \n Marsh ", expertise=[" a ", "a", "b"]))
    )
    assert read.personas[0].name == "Zoé Marsh"
    assert read.personas[0].expertise == ("a", "b")


BAD_ROWS: list[tuple[str, Any, str]] = [
    ("missing field", row(role=..., industry=None), "missing role, industry"),
    ("number for text", row(role=5), "role must be text, got a number"),
    ("list for text", row(name=["Una"]), "name must be text, got a list"),
    ("truth for expertise", row(expertise=True), "expertise must be a list of texts"),
    ("mixed expertise", row(expertise=["a", 3]), "expertise must be text, got a number"),
    ("no expertise", row(expertise=[]), "expertise is empty"),
    ("too much expertise", row(expertise=[str(n) for n in range(99)]), "expertise has 99 items"),
    ("blank", row(industry="   "), "industry is empty"),
    ("long name", row(name="x" * (MAX_NAME_CHARS + 1)), "name has 121 characters, at most 120"),
    ("long field", row(work_context="x" * (MAX_FIELD_CHARS + 1)), "work_context has 601 characters"),
    ("escape character", row(name="Una\u001b[31m"), "control character U+001B"),
    ("escaped NUL", row(name="U\0na"), "control character U+0000"),
    ("direction override", row(name="Una\u202e"), "control character U+202E"),
    ("lone surrogate", row(name="Una\ud800"), "name is not valid UTF-8"),
    ("raw NUL", '{"name": "U\0na"}', "NUL bytes"),
    ("broken JSON", '{"name": "Una",', "broken JSON"),
    ("half a line", json.dumps(row())[:40], "broken JSON"),
    ("array", "[1, 2]", "a JSON object was expected, got a list"),
    ("null", "null", "a JSON object was expected, got null"),
    ("deep nesting", "[" * 60_000, "nested too deeply"),
    ("huge number", '{"name": ' + "9" * 5_000 + "}", "broken JSON"),
    ("huge line", json.dumps(row(work_context="x" * 70_000)), "at most 65536 are allowed"),
    ("same person", row(), "the same person as line 1"),
]


@pytest.mark.parametrize(("bad", "reason"), [case[1:] for case in BAD_ROWS], ids=[case[0] for case in BAD_ROWS])
def test_a_bad_row_is_reported_by_line_and_the_others_load(tmp_path: Path, bad: Any, reason: str) -> None:
    read = read_persona_list(jsonl(tmp_path / "a.jsonl", row(), "", bad, row(name="Piet Zandvoort")))
    assert [persona.name for persona in read.personas] == ["Una Kettleworth", "Piet Zandvoort"]
    [problem] = read.problems
    assert (problem.file, problem.line) == ("a.jsonl", 3)
    assert reason in problem.reason
    assert problem.remedy
    assert read.rows_bad == 1


def test_a_row_with_several_faults_is_one_problem_that_names_all(tmp_path: Path) -> None:
    [problem] = read_persona_list(jsonl(tmp_path / "a.jsonl", row(role=5, name="", industry=...))).problems
    assert all(part in problem.reason for part in ("missing industry", "role must be text", "name is empty"))


def test_duplicate_ids_of_the_user_are_reported(tmp_path: Path) -> None:
    rows = [row(id="p-1"), row(id="p-1", name="Piet"), row(id=7, name="Ola"), row(id="7", name="Kai"), row(name="Bo")]
    read = read_persona_list(jsonl(tmp_path / "a.jsonl", *rows))
    assert [persona.name for persona in read.personas] == ["Una Kettleworth", "Ola", "Bo"]
    assert [(p.line, p.reason) for p in read.problems] == [
        (2, "duplicate id 'p-1', first used in line 1"),
        (4, "duplicate id '7', first used in line 3"),
    ]


def test_a_latin_1_row_is_reported_in_jsonl_and_csv(tmp_path: Path) -> None:
    good, bad = json.dumps(row()).encode(), json.dumps(row(name="Zoé"), ensure_ascii=False).encode("latin-1")
    lines = tmp_path / "a.jsonl"
    lines.write_bytes(bad + b"\n" + good + b"\n")
    table = tmp_path / "a.csv"
    table.write_bytes(csv_text(row(name="Zoé"), row()).encode("latin-1"))
    for path, line in ((lines, 1), (table, 2)):
        read = read_persona_list(path)
        assert len(read.personas) == 1
        assert [(p.line, "Latin-1" in p.reason) for p in read.problems] == [(line, True)]


GOOD_LINE = json.dumps(row()).encode() + b"\n"
BAD_FILES: list[tuple[str, str, bytes, str]] = [
    ("0 bytes", "a.jsonl", b"", "0 bytes"),
    ("white space", "a.csv", b" \n\n", "white space only"),
    ("UTF-16", "a.jsonl", GOOD_LINE.decode().encode("utf-16"), "UTF-16"),
    ("UTF-16 without a mark", "a.csv", GOOD_LINE.decode().encode("utf-16-le"), "UTF-16"),
    ("wrong extension", "a.txt", GOOD_LINE, "the extension .txt is not that of a persona list"),
    ("no extension", "people", GOOD_LINE, "no extension"),
    ("zip as CSV", "a.csv", b"PK\x03\x04....", "Excel"),
    ("Parquet as JSONL", "a.jsonl", b"PAR1....", "the content is Parquet"),
    ("JSONL as Parquet", "a.parquet", GOOD_LINE, "not a readable Parquet file"),
    ("cut Parquet", "a.parquet", b"PAR1" + bytes(200) + b"PAR1", "not a readable Parquet file"),
    ("JSON array", "a.jsonl", b"[" + GOOD_LINE.strip() + b",\n" + GOOD_LINE + b"]", "a JSON array, not JSON Lines"),
    ("CSV without columns", "a.csv", b"name,role\nUna,purser\n", "the columns industry, expertise"),
    ("CSV with a header only", "a.csv", ",".join(PERSONA_FIELDS).encode() + b"\n", "holds no row"),
    ("CSV with a broken header", "a.csv", b'"name,role\nUna,purser\n', "the header cannot be read"),
]


@pytest.mark.parametrize(("name", "body", "reason"), [c[1:] for c in BAD_FILES], ids=[c[0] for c in BAD_FILES])
def test_a_bad_file_is_one_problem_and_never_an_exception(tmp_path: Path, name: str, body: bytes, reason: str) -> None:
    (tmp_path / name).write_bytes(body)
    read = read_persona_list(tmp_path / name)
    assert read.personas == []
    [problem] = read.problems
    assert problem.file == name
    assert reason in problem.reason
    assert problem.remedy
    assert read.rows_bad <= 1


def test_csv_problems_name_the_line_past_quoted_line_breaks(tmp_path: Path) -> None:
    head = ",".join(PERSONA_FIELDS)
    rest = "purser,shipping,a;b,senior,plain,Counts."
    path = tmp_path / "a.csv"
    path.write_text(
        f'{head}\n"Una\nKettleworth",{rest}\n\nPiet,too,few\nOla,{rest}\n"Kai,{rest}\nBo,{rest}\nJo,,{rest[7:]}\n'
    )
    read = read_persona_list(path)
    assert [persona.name for persona in read.personas] == ["Una Kettleworth", "Ola", "Bo"]
    assert [problem.line for problem in read.problems] == [5, 7, 9]
    assert "3 columns where the header has 7" in read.problems[0].reason
    assert "broken CSV" in read.problems[1].reason
    assert read.problems[2].reason == "missing role"


def test_parquet_rows_and_columns_are_reported(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.Table.from_pylist([row(), row(role=None)]), path)
    read = read_persona_list(path)
    assert len(read.personas) == 1
    assert [(p.line, p.reason) for p in read.problems] == [(2, "missing role")]

    pq.write_table(pa.table({"name": ["Una"], "role": [3]}), path)
    assert "the columns industry" in read_persona_list(path).problems[0].reason

    pq.write_table(pa.Table.from_pylist([row(role=3)]), path)
    assert "role must be text, got a number" in read_persona_list(path).problems[0].reason

    not_text = pa.array([b"\xff\xfe"], pa.binary()).view(pa.string())
    columns = {key: pa.array([value]) for key, value in row(name=...).items()}
    pq.write_table(pa.table({"name": not_text, **columns}), path)
    assert "not UTF-8" in read_persona_list(path).problems[0].reason


def test_damaged_parquet_never_raises(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    pq.write_table(pa.Table.from_pylist([row(name=f"Una {n}") for n in range(50)]), path)
    whole = path.read_bytes()
    for at in range(4, len(whole) - 8, 41):
        path.write_bytes(whole[:at] + b"\xa5\x00\xff" + whole[at + 3 :])
        read = read_persona_list(path)
        assert len(read.personas) == 50 or read.problems


def test_links_that_leave_the_folder_and_odd_files_are_refused_unopened(tmp_path: Path) -> None:
    outside = jsonl(tmp_path / "outside.jsonl", row())
    folder = tmp_path / "lists"
    jsonl(folder / "good.jsonl", row())
    (folder / "inside.jsonl").symlink_to("good.jsonl")
    (folder / "leaves.jsonl").symlink_to(outside)
    (folder / "nothing.jsonl").symlink_to("nowhere.jsonl")
    (folder / "folder.jsonl").mkdir()
    os.mkfifo(folder / "pipe.jsonl")
    reasons = {p.name: [q.reason for q in read_persona_list(p).problems] for p in list_files(folder)}
    assert reasons == {
        "folder.jsonl": ["not a regular file"],
        "good.jsonl": [],
        "inside.jsonl": [],
        "leaves.jsonl": ["a symbolic link that leaves the folder"],
        "nothing.jsonl": ["a symbolic link to nothing"],
        "pipe.jsonl": ["not a regular file"],
    }


def test_an_oversized_file_is_refused_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "MAX_FILE_BYTES", 10)
    assert "larger than" in read_persona_list(jsonl(tmp_path / "a.jsonl", row())).problems[0].reason


def test_an_unreadable_file_raises_and_names_the_path(tmp_path: Path) -> None:
    with pytest.raises(PersonaListError, match=r"gone\.jsonl: cannot be read \(No such file"):
        read_persona_list(tmp_path / "gone.jsonl")
    (tmp_path / "loop.jsonl").symlink_to("loop.jsonl")
    with pytest.raises(PersonaListError, match="cannot be read"):
        read_persona_list(tmp_path / "loop.jsonl")


def test_a_file_name_that_is_no_utf_8_can_be_recorded(stage: StageRun) -> None:
    stage.settings.personas_dir.mkdir(parents=True)
    path = os.fsencode(stage.settings.personas_dir) + b"/caf\xe9.jsonl"
    with open(path, "wb") as handle:
        handle.write(GOOD_LINE)
    assert take_in(stage)["personas"] == len(SHIPPED) + 1


# The hostile values are drawn a row at a time; whatever they are, a row loads or is reported, and is never both.
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=8,
)
_ROW = st.dictionaries(st.sampled_from([*PERSONA_FIELDS, "id", "occupation", "x"]), _JSON) | _JSON
_HALF_GOOD = st.builds(
    lambda changes: row(**changes), st.dictionaries(st.sampled_from(PERSONA_FIELDS), _JSON, max_size=2)
)


def _accounted(path: Path, rows: int) -> None:
    read = read_persona_list(path)
    assert len(read.personas) + read.rows_bad == rows or any(problem.line in (0, 1) for problem in read.problems)
    for persona in read.personas:
        persona.model_dump_json().encode()
    for problem in read.problems:
        assert problem.reason
        assert problem.remedy
    problem_report(read.problems).encode()


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lists")


@given(rows=st.lists(_ROW | _HALF_GOOD, min_size=1, max_size=6))
def test_every_hostile_json_row_loads_or_is_reported(scratch: Path, rows: list[Any]) -> None:
    _accounted(jsonl(scratch / "rows.jsonl", *map(json.dumps, rows)), len(rows))


@given(
    body=st.binary(max_size=400) | st.text(st.sampled_from('ab,;|"\n\r\t \0é{}[]:'), max_size=200).map(str.encode),
    name=st.sampled_from(["bytes.jsonl", "bytes.csv", "bytes.parquet"]),
    headed=st.booleans(),
)
def test_no_bytes_make_reading_raise(scratch: Path, body: bytes, name: str, headed: bool) -> None:
    head = ",".join(PERSONA_FIELDS).encode() + b"\n" if headed else b""
    (scratch / name).write_bytes(head + body)
    read = read_persona_list(scratch / name)
    assert read.personas or read.problems


def test_the_folder_listing_skips_what_is_no_list(tmp_path: Path) -> None:
    for name in (
        "b.csv",
        "a.jsonl",
        ".hidden.jsonl",
        "c.jsonl.part",
        "d.csv.tmp",
        "README.md",
        "readme",
        "e.txt",
        "f~",
    ):
        (tmp_path / name).write_text("x")
    (tmp_path / "done").mkdir()
    assert [path.name for path in list_files(tmp_path)] == ["a.jsonl", "b.csv", "e.txt"]
    assert list_files(tmp_path / "missing") == []


def test_taking_in_the_shipped_lists_fills_the_pool_once(stage: StageRun) -> None:
    first = take_in(stage)
    assert (first["personas"], first["new_personas"], first["problems"]) == (len(SHIPPED), len(SHIPPED), 0)
    assert first["new_lists"] == first["lists"] == len(list_files(SHIPPED_LISTS))
    assert sum(first["by_industry"].values()) == sum(first["by_register"].values()) == len(SHIPPED)
    json.dumps(first)
    before = pool(stage)
    again = take_in(StageRun(stage.warehouse, stage.settings, run_id="run-2"))
    assert (again["personas"], again["new_personas"], again["new_lists"]) == (len(SHIPPED), 0, 0)
    assert pool(stage) == before


def test_a_new_list_only_adds_and_a_deleted_one_removes_nobody(stage: StageRun) -> None:
    take_in(stage)
    before = {one["id"]: one for one in pool(stage)}
    path = jsonl(stage.settings.personas_dir / "mine.jsonl", row(), SHIPPED[0].model_dump(mode="json"), row(role=1))
    summary = take_in(stage)
    assert (summary["new_personas"], summary["new_lists"], summary["problems"]) == (1, 1, 1)
    assert "| mine.jsonl | 3 | role must be text, got a number |" in summary["problem_report"]
    after = {one["id"]: one for one in pool(stage)}
    assert {key: after[key] for key in before} == before
    [recorded] = stage.warehouse.rows("SELECT * FROM persona_lists WHERE persona_list = 'mine.jsonl'")
    assert (recorded["rows_good"], recorded["rows_bad"]) == (2, 1)
    assert json.loads(recorded["problems"])[0]["line"] == 3
    path.unlink()
    assert take_in(stage)["personas"] == len(SHIPPED) + 1


def test_an_edited_list_adds_its_new_people_and_is_recorded_again(stage: StageRun) -> None:
    path = stage.settings.personas_dir / "mine.jsonl"
    jsonl(path, row())
    take_in(stage)
    jsonl(path, row(name="Piet"))
    assert take_in(stage)["new_personas"] == 1
    assert stage.warehouse.scalar("SELECT count(*) FROM persona_lists WHERE persona_list = 'mine.jsonl'") == 2
    assert stage.warehouse.scalar("SELECT count(*) FROM persona_pool") == len(SHIPPED) + 2


def test_a_row_left_out_is_told_until_the_list_is_mended(stage: StageRun) -> None:
    path = stage.settings.personas_dir / "mine.jsonl"
    jsonl(path, row(), row(role=1), row(name=""))
    take_in(stage)
    told = every_row_taken(stage.warehouse)
    assert not told.passed
    assert told.description.startswith(
        "2 rows were left out, the first: mine.jsonl, line 2: role must be text, got a number. Remedy: "
    )
    assert told.metadata["lists"] == ["mine.jsonl"]
    jsonl(path, row(), row(role="cook"))
    take_in(stage)
    assert every_row_taken(stage.warehouse).passed


def test_of_a_person_in_two_lists_the_first_list_wins(stage: StageRun) -> None:
    jsonl(stage.settings.personas_dir / "b.jsonl", row(), row(name="Bo"))
    jsonl(stage.settings.personas_dir / "a.jsonl", row())
    take_in(stage)
    found = stage.warehouse.rows("SELECT persona_list FROM persona_pool WHERE name = 'Una Kettleworth'")
    assert found == [{"persona_list": "a.jsonl"}]


@pytest.mark.parametrize("filled", [False, True])
def test_a_list_without_a_good_row_fails_and_leaves_everything_as_it_was(stage: StageRun, filled: bool) -> None:
    if filled:
        take_in(stage)
    people, lists = pool(stage), stage.warehouse.rows("FROM persona_lists")
    jsonl(stage.settings.personas_dir / "a.jsonl", row())
    bad = jsonl(stage.settings.personas_dir / "bad.jsonl", "{", row(role=2))
    for _ in range(2):
        with pytest.raises(
            PersonaListError, match=r"(?s)no good row in bad\.jsonl.*Remove or mend.*bad\.jsonl, line 1"
        ):
            take_in(stage)
        assert (pool(stage), stage.warehouse.rows("FROM persona_lists")) == (people, lists)
    bad.unlink()
    assert take_in(stage)["personas"] == len(SHIPPED) + 1


def test_files_named_by_the_caller_are_read_in_addition(stage: StageRun, tmp_path: Path) -> None:
    watched = jsonl(stage.settings.personas_dir / "watched.jsonl", row())
    elsewhere = jsonl(tmp_path / "elsewhere.jsonl", row(name="Piet"))
    summary = take_in(stage, only=[elsewhere, watched])
    assert (summary["personas"], summary["lists"]) == (len(SHIPPED) + 2, len(list_files(SHIPPED_LISTS)) + 2)


def test_pending_lists_are_those_whose_content_was_never_taken_in(stage: StageRun) -> None:
    folder = stage.settings.personas_dir
    assert pending_lists(folder, stage.warehouse) == []
    path = jsonl(folder / "mine.jsonl", row())
    assert pending_lists(folder, stage.warehouse) == [(path, read_persona_list(path).sha256)]
    take_in(stage)
    assert pending_lists(folder, stage.warehouse) == []
    jsonl(folder / "copy.jsonl", row())
    assert pending_lists(folder, stage.warehouse) == []
    jsonl(path, row(name="Piet"))
    (folder / "empty.csv").touch()
    assert [p.name for p, _ in pending_lists(folder, stage.warehouse)] == ["empty.csv", "mine.jsonl"]


def test_personas_come_back_as_they_were_written(stage: StageRun) -> None:
    take_in(stage)
    loaded = load_personas(stage.warehouse)
    assert loaded == sorted(SHIPPED, key=lambda persona: persona.id)
    some = [loaded[5].id, loaded[2].id, "not-there"]
    assert load_personas(stage.warehouse, some) == [loaded[2], loaded[5]]
    assert load_personas(stage.warehouse, []) == []


def test_the_problem_report_cannot_be_broken_by_file_names_and_is_short() -> None:
    problems = [Problem("a|b\n<script>.csv", number, "why", "mend") for number in range(70)]
    report = problem_report(problems)
    assert report.count("\n| a") == 50
    assert "<script>" not in report.replace("\\<", "")
    assert "a\\|b" in report
    assert "and 20 more" in report


def test_progress_is_told_for_each_list(stage: StageRun) -> None:
    seen: list[tuple[int, int, str]] = []
    report: Callable[[int, int, str], None] = lambda *told: seen.append(told)  # noqa: E731
    take_in(StageRun(stage.warehouse, stage.settings, "run-1", progress=report))
    assert seen[-1][0] == seen[-1][1] == len(seen)


def test_some_of_each_shipped_list_can_be_taken_and_the_rest_later_only_adds(tmp_path: Path) -> None:
    def run(most: int) -> StageRun:
        settings = load_settings(home=tmp_path, shipped_personas_per_list=most)
        return StageRun(Warehouse.of(settings), settings, run_id=f"run-{most}")

    own = [row(name=f"Una {number}") for number in range(5)]
    jsonl(tmp_path / "personas" / "mine.jsonl", *own)
    few = run(2)
    assert take_in(few)["personas"] == 2 * len(list_files(SHIPPED_LISTS)) + len(own)  # one's own lists are taken whole
    before = {one["id"]: one for one in pool(few)}
    assert take_in(run(21))["personas"] == 210 + len(own)
    assert take_in(run(0))["personas"] == len(SHIPPED) + len(own)
    after = {one["id"]: one for one in pool(few)}
    assert {identity: after[identity] for identity in before} == before
    assert take_in(few)["new_personas"] == 0

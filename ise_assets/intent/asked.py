"""Intents that others wrote: ISE's `intents.jsonl`, or lines with a `query` or `question`; run without a seed and unverified.

Files lie in the folder `intents` of ISE_HOME. A line is

- ISE's: `natural_language_intent`, with `metadata.persona` (all of a persona's fields), `domains`, `complexity`;
- or `{"query": ...}`, `{"question": ..., "answer": ...}`, with a `domain` if it has one. `answer` is not looked at.

Such an intent has one subgoal, its words, and no acceptance check: nobody can say whether it was done. Its sessions have
`accepted` null, and become training records only with `ISE_SFT_UNVERIFIED`. The scripted teacher cannot play them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ise_assets.intent.models import DOMAINS, TIERS, Intent, Persona, content_hash
from ise_assets.intent.personas import (
    PersonaList,
    Problem,
    Unusable,
    file_content,
    file_name,
    json_objects,
    list_files,
    persona_of,
)

ASKED_VERSION = 1
IMPORTED = "imported"
"""The writer of such an intent, and the name its one subgoal has for a scenario."""
DEFAULT_DOMAIN = "intelligence-core"
MAX_WORDS_CHARS = 8_000
SOMEBODY = Persona(
    name="Somebody",
    role="person with a question",
    industry="not told",
    expertise=("not told",),
    experience_level="not told",
    communication_style="plain",
    work_context="Asks for one thing and wants it done.",
    persona_list=IMPORTED,
)
"""Who asks where a file does not say who does."""
_TEXT_FIELDS = ("natural_language_intent", "query", "question", "utterance", "instruction")


@dataclass
class AskedFile:
    """What one file gave: intents with who asks them, in file order, and a `Problem` per bad line."""

    name: str
    sha256: str
    intents: list[tuple[Persona, Intent]] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    anonymous: int = 0

    @property
    def rows_good(self) -> int:
        """Lines that loaded."""
        return len(self.intents)

    def as_persona_list(self) -> PersonaList:
        """The people of the file, each once."""
        people = {persona.id: persona for persona, _ in self.intents}
        notes = [f"{self.anonymous} of {len(self.intents)} intents do not say who asks"] if self.anonymous else []
        return PersonaList(self.name, self.sha256, list(people.values()), list(self.problems), notes)


def read_asked(path: Path) -> AskedFile:
    """Intents and problems of one JSONL file.

    Raises:
        PersonaListError: the file is not there or may not be read. Never for its content.
    """
    body, sha256, refusal = file_content(path)
    found = AskedFile(file_name(path), sha256)
    if refusal is None and path.suffix.lower() not in (".jsonl", ".ndjson"):
        refusal = (f"the extension {path.suffix or 'none'} is not that of JSON Lines", "save it as .jsonl")
    if refusal is not None:
        found.problems.append(Problem(found.name, 0, *refusal))
        return found
    seen: dict[str, int] = {}
    try:
        for line, value, problem in json_objects(body):
            try:
                if value is None:
                    raise _Bad(*(problem or ("the line cannot be read", "mend or remove it")))
                persona, intent = _intent(value, found.name)
                if intent.id in seen:
                    raise _Bad(f"the same as line {seen[intent.id]}", "remove one of the two")
            except _Bad as bad:
                found.problems.append(Problem(found.name, line, bad.reason, bad.remedy))
                continue
            seen[intent.id] = line
            found.anonymous += persona is SOMEBODY
            found.intents.append((persona, intent))
    except Unusable as error:
        found.problems.append(Problem(found.name, error.line, error.reason, error.remedy))
    if not found.intents and not found.problems:
        found.problems.append(
            Problem(found.name, 0, "the file holds no intent", "write one a line, or remove the file")
        )
    return found


def asked_intents(folder: Path, domain: str) -> Iterator[Intent]:
    """Intents of `domain` in all files of the folder, each once."""
    seen: set[str] = set()
    for path in list_files(folder):
        for _, intent in read_asked(path).intents:
            if intent.domain == domain and intent.id not in seen:
                seen.add(intent.id)
                yield intent


class _Bad(Exception):
    def __init__(self, reason: str, remedy: str) -> None:
        super().__init__(reason)
        self.reason, self.remedy = reason, remedy


def _intent(value: Mapping[str, Any], file: str) -> tuple[Persona, Intent]:
    field_name = next((name for name in _TEXT_FIELDS if value.get(name) is not None), None)
    if field_name is None:
        raise _Bad(f"none of the fields {', '.join(_TEXT_FIELDS)}", "name what is asked in one of them")
    text = _words(field_name, value[field_name])
    persona = _asking(value, file)
    domains = _domains(value)
    tier = next((t for t in TIERS if t == str(value.get("complexity", "")).strip().lower()), "medium")
    identity = content_hash(IMPORTED, ASKED_VERSION, persona.id, text)
    subgoal = {
        "key": "0.ask",
        "task": IMPORTED,
        "task_index": 0,
        "id": "ask",
        "wants": text,
        "says": [text],
        "withheld": {},
        "facts": {},
    }
    return persona, Intent(
        id=identity,
        persona_id=persona.id,
        persona_list=file,
        domain=domains[0],
        domains=domains,
        tasks=(),
        complexity=tier,
        utterance=text,
        seed=(),
        subgoals=(subgoal,),
        acceptance=(),
        scenario_hashes={},
        writer_model=IMPORTED,
        spec_hash=content_hash("intent_pool", IMPORTED, ASKED_VERSION, identity),
    )


def _words(name: str, value: Any) -> str:
    if not isinstance(value, str):
        raise _Bad(f"{name} must be text", "write what is asked as one text")
    text = value.strip()
    if not text:
        raise _Bad(f"{name} is empty", "write what is asked, or remove the line")
    if len(text) > MAX_WORDS_CHARS:
        raise _Bad(f"{name} has {len(text)} characters, at most {MAX_WORDS_CHARS} are allowed", "shorten or remove it")
    if bad := re.search("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", text):
        raise _Bad(f"{name} holds the control character U+{ord(bad[0]):04X}", "remove it")
    return text


def _asking(value: Mapping[str, Any], file: str) -> Persona:
    metadata = value.get("metadata")
    told = metadata.get("persona") if isinstance(metadata, Mapping) else value.get("persona")
    if told is None:
        return SOMEBODY
    if not isinstance(told, Mapping):
        raise _Bad("the persona is no object", "give all fields of a persona, or none")
    persona, reasons = persona_of(told, file)
    if persona is None:
        raise _Bad(f"persona: {'; '.join(reasons)}", "mend these fields, or leave the persona out")
    return persona


def _domains(value: Mapping[str, Any]) -> tuple[str, ...]:
    told = value.get("domains", value.get("domain"))
    names = (
        [told] if isinstance(told, str) else [n for n in told if isinstance(n, str)] if isinstance(told, list) else []
    )
    folded = [re.sub(r"[\s_]+", "-", name.strip().lower()) for name in names]
    if unknown := [name for name in folded if name not in DOMAINS]:
        raise _Bad(f"{ascii(unknown[0])[:60]} is no domain", f"name one of {', '.join(DOMAINS)}, or none")
    return tuple(dict.fromkeys(folded)) or (DEFAULT_DOMAIN,)

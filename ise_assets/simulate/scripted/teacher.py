"""The scripted teacher's two parts: an agent that plays a scenario's solution with real slips, and a user who wants it.

Both are stateless: where they stand follows from the messages alone, so a resumed session goes on as if nothing had been. What is
random was decided by the session's identity: which way is taken, which slips are made, which words are used.
"""

from __future__ import annotations

import json
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ise_assets.intent.models import Intent, Persona, Register, Slip, Step, Task, TaskInstance, content_hash
from ise_assets.intent.personas import register_of
from ise_assets.intent.template import context_of, render
from ise_assets.simulate.models import VERIFICATION, UserTurn

SLIP_SHARE = 0.35
OTHER_WAY_SHARE = 0.5
_ONLY_ARGUMENT = {"memory_search": "query", "memory_get": "path", "web_fetch": "url", "web_search": "query"}


@dataclass(frozen=True)
class Beat:
    """One message of the scripted agent: a tool call, or words that end its turn. `index` says whose context renders it."""

    index: int
    step: Step


@dataclass(frozen=True)
class Part:
    """One scenario of a session: its task, instance and what its templates see."""

    task: Task
    instance: TaskInstance
    context: dict[str, Any]


def scripts_for(
    intent: Intent, tasks: Mapping[str, Task], persona: Persona, rollout_index: int
) -> tuple[UserScript, AgentScript]:
    """The user's and the agent's script of one session: a pure function of intent and rollout."""
    parts = [
        Part(task, instance, context_of(task, instance.params, instance.root, instance.ports))
        for instance in intent.seed
        for task in [tasks[instance.scenario_hash]]
    ]
    salt = f"{intent.id} {rollout_index}"
    register = register_of(persona.communication_style)
    beats, slips = _beats(parts, salt)
    return UserScript(intent, register, salt), AgentScript(parts, beats, salt, slips)


def has_slip(intent: Intent, tasks: Mapping[str, Task], persona: Persona, rollout_index: int) -> bool:
    """Whether the scripted agent of that session makes a slip."""
    _, agent = scripts_for(intent, tasks, persona, rollout_index)
    return agent.slips > 0


def way_of(task: Task, rng: random.Random) -> dict[str, list[Step]]:
    """A solution per subgoal: the reference one, or one of the other ways where it has its own."""
    way = {name: list(steps) for name, steps in task.solution.items()}
    if rng.random() < OTHER_WAY_SHARE:
        way |= {name: list(steps) for name, steps in rng.choice(task.other_ways).items()}
    return way


def with_slip(steps: Sequence[Step], slip: Slip) -> list[Step]:
    """A subgoal's solution with the slip before step `slip.before`, its recovery, and what is left to do."""
    failing = slip.step.model_copy(update={"exit_code": slip.fails_with.exit_code or 0})
    return [*steps[: slip.before], failing, *slip.recovery, *steps[slip.before + slip.replaces :]]


def tool_call(step: Step, context: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The tool's name and arguments of a step, rendered."""
    kind = step.kind
    value = getattr(step, kind)
    if kind == "exec":
        arguments: dict[str, Any] = {"command": value}
        if step.workdir:
            arguments["workdir"] = step.workdir
        if step.timeout:
            arguments["timeout"] = step.timeout
        if step.background:
            arguments["background"] = True
    elif isinstance(value, str):
        arguments = {_ONLY_ARGUMENT[kind]: value}
    else:
        arguments = value.model_dump(exclude_none=True)
    return kind, render(arguments, context)


def captures(step: Step, result: str) -> dict[str, str]:
    """What `reads` finds in a tool's result; a value that is not there is `(not found)`, and the checks will tell."""
    found = {}
    for name, pattern in step.reads.items():
        match = re.search(pattern, result, re.MULTILINE)
        found[name] = "(not found)" if match is None else match.group(1 if match.re.groups else 0).strip()
    return found


class AgentScript:
    """Plays the beats in order, one a message."""

    def __init__(self, parts: Sequence[Part], beats: Sequence[Beat], salt: str, slips: int = 0) -> None:
        self.slips = slips
        self._parts = parts
        self._beats = beats
        self._salt = salt

    def reply(self, messages: list[dict[str, Any]]) -> dict[str, Any]:
        """The next assistant message (OpenAI format) after `messages`."""
        got: dict[int, dict[str, str]] = {}
        position = -1
        for message in messages:
            if message["role"] == "assistant":
                position += 1
            elif message["role"] == "tool" and 0 <= position < len(self._beats):
                beat = self._beats[position]
                got.setdefault(beat.index, {}).update(captures(beat.step, str(message["content"])))
        position += 1
        if position >= len(self._beats):
            return {
                "role": "assistant",
                "content": "Everything you asked for has been dealt with; nothing is open on my side.",
            }
        beat = self._beats[position]
        context = {**self._parts[beat.index].context, "got": got.get(beat.index, {})}
        return self._message(beat.step, position, context)

    def _message(self, step: Step, position: int, context: Mapping[str, Any]) -> dict[str, Any]:
        if step.say is not None:
            return {"role": "assistant", "content": str(render(step.say, context)).strip()}
        if step.ask is not None:
            return {"role": "assistant", "content": str(render(step.ask.question, context)).strip()}
        notes = [step.note] if isinstance(step.note, str) else list(step.note or [])
        note = notes[int(content_hash(self._salt, position), 16) % len(notes)] if notes else ""
        name, arguments = tool_call(step, context)
        call = {
            "id": f"call_{content_hash(self._salt, position)[:12]}",
            "type": "function",
            "function": {"name": name, "arguments": json.dumps(arguments, ensure_ascii=False)},
        }
        return {"role": "assistant", "content": str(render(note, context)), "tool_calls": [call]}


class UserScript:
    """Asks for the subgoals in order, answers what it knows, asks for a last check, and ends."""

    def __init__(self, intent: Intent, register: Register, salt: str) -> None:
        self._intent = intent
        self._register = register
        self._salt = salt

    def reply(self, messages: list[dict[str, Any]]) -> dict[str, Any]:
        """The next turn as a JSON `UserTurn` (an OpenAI assistant message) after the role-flipped `messages`."""
        own = [UserTurn.model_validate_json(m["content"]) for m in messages if m["role"] == "assistant"]
        turn = self._next(own, str(messages[-1]["content"]))
        return {"role": "assistant", "content": turn.model_dump_json()}

    def _next(self, own: Sequence[UserTurn], seen: str) -> UserTurn:
        answer, _, workspace = seen.partition("\n\n[workspace]\n")
        if own[-1].subgoal == VERIFICATION:
            return UserTurn(message="", subgoal=VERIFICATION, done=True, reason="the final check has been answered")
        keys = [str(subgoal["key"]) for subgoal in self._intent.subgoals]
        current = self._intent.subgoals[keys.index(own[-1].subgoal)]
        told = [turn.message for turn in own if turn.subgoal == current["key"]]
        if answer.rstrip().endswith("?"):
            untold = [says for says in current["withheld"].values() if not any(says in text for text in told)]
            if untold:
                # nobody types the same sentence twice; a repetition would be sent back as a fault
                again = sum(turn.message.endswith(untold[0]) for turn in own)
                words = f"{'As before. ' * again}{untold[0]}"
                return UserTurn(message=words, subgoal=current["key"], satisfied=False, reason="the agent asked for it")
        number = keys.index(current["key"]) + 1
        rng = random.Random(f"user {self._salt} {number}")
        reaction = self._reaction(rng, workspace.partition("\n\n[notes]")[0])
        if number == len(keys):
            request = rng.choice(_VERIFY[self._register])
            return UserTurn(
                message=f"{reaction} {request}".strip(), subgoal=VERIFICATION, reason="everything was asked for"
            )
        following = self._intent.subgoals[number]
        link = rng.choice(_NEXT[self._register]) if following["task_index"] != current["task_index"] else ""
        words = " ".join(part for part in (reaction, link, following["says"][0]) if part)
        return UserTurn(message=words, subgoal=following["key"], reason="the last thing is done, this one is next")

    def _reaction(self, rng: random.Random, workspace: str) -> str:
        changed = re.findall(r"^- (added|modified|deleted) \S*?([^/\s]+) \(", workspace, re.MULTILINE)
        failed = re.search(r"exit status of the last ones: .*?\b[1-9]", workspace)
        names = [name for change, name in changed if change != "deleted" and not name.startswith(".")]
        if names:
            return rng.choice(_SAW[self._register]).format(file=names[-1])
        return rng.choice((_BUMPY if failed else _HEARD)[self._register])


_SAW: dict[Register, tuple[str, ...]] = {
    "terse": ("see {file}, ok.", "{file} is there.", "ok, got {file}.", "{file} looks right."),
    "plain": (
        "I see {file} now, good.",
        "{file} is there, thanks.",
        "Good, {file} looks right.",
        "Thanks, I can see {file}.",
    ),
    "chatty": (
        "Oh nice, {file} just turned up on my side!",
        "Lovely, I peeked into {file} and that is what I meant.",
        "Yay, {file} is there, one thing less to worry about.",
    ),
    "formal": (
        "Thank you. I have seen {file} and it is in order.",
        "I note that {file} is in place.",
        "{file} has arrived as expected, thank you.",
    ),
}
_HEARD: dict[Register, tuple[str, ...]] = {
    "terse": ("ok.", "noted.", "good.", "fine."),
    "plain": ("Good to know.", "Thanks, that helps.", "All right.", "Understood, thanks."),
    "chatty": ("Ah, that explains a lot!", "Okay, good to know, thank you!", "Ha, I suspected as much."),
    "formal": ("Thank you for the clear account.", "That answers my question.", "Understood, thank you."),
}
_BUMPY: dict[Register, tuple[str, ...]] = {
    "terse": ("bumpy but ok.", "ok, got there.", "fine in the end."),
    "plain": ("That took a detour, but fine.", "Good that you found a way round.", "All right, it worked out."),
    "chatty": ("Phew, that did not go smoothly, well done though!", "Ha, it fought back, didn't it? Thanks!"),
    "formal": (
        "Thank you; I saw that a command failed and appreciate that it was resolved.",
        "I am glad the obstacle was overcome.",
    ),
}
_NEXT: dict[Register, tuple[str, ...]] = {
    "terse": ("next:", "now:", "then:"),
    "plain": ("Next one:", "On to the next thing.", "Now something else:"),
    "chatty": ("Okay, different topic!", "Next on my little list:", "Now for something completely different:"),
    "formal": ("The next item is this.", "Turning to the next matter.", "May we continue with the following."),
}
_VERIFY: dict[Register, tuple[str, ...]] = {
    "terse": ("check it all once more, show me.", "last: verify everything.", "run the checks again, then done."),
    "plain": (
        "Before we stop, please check everything once more and tell me what you see.",
        "That is all of it. Please verify the results one last time.",
        "Last thing: go over the results again and confirm that they hold.",
    ),
    "chatty": (
        "I think that is everything! Could you do one last round and make sure it all really holds?",
        "Before I tell the others it is done, please check the lot once more, I am a worrier.",
    ),
    "formal": (
        "Before we conclude, kindly verify all results once more and report what you find.",
        "Finally, I would ask you to confirm by a last check that everything is as required.",
    ),
}


def _beats(parts: Sequence[Part], salt: str) -> tuple[list[Beat], int]:
    beats: list[Beat] = []
    made = 0
    for index, part in enumerate(parts):
        rng = random.Random(f"agent {salt} {index}")
        way = way_of(part.task, rng)
        slips = {
            slip.at: slip for slip in rng.sample(part.task.slips, len(part.task.slips)) if rng.random() < SLIP_SHARE
        }
        for subgoal in part.task.subgoals:
            steps = way[subgoal.id]
            if subgoal.id in slips and steps == part.task.solution[subgoal.id]:
                steps = with_slip(steps, slips[subgoal.id])
                made += 1
            beats += [Beat(index, step) for step in steps]
    for index, part in enumerate(parts):
        beats += [Beat(index, step) for step in part.task.verify if step.say is None]
    closing = Step(say="I went over everything once more: " + "; ".join(p.task.title[0].lower() + p.task.title[1:] for p in parts)
                   + ". The results hold as reported.")  # fmt: skip
    return [*beats, Beat(0, closing)], made

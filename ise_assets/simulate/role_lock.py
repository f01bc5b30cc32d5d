"""Perspective lock: does a user's turn speak like a user, or has the simulator slipped into the assistant's voice?

Rules over the wording, each with its reason, because the reason goes back to the model when the turn is asked for
again. They look for what only the one who does the work says: offers of help, reports of own work, questions for the
user's wishes. A user's own report ("I changed the config yesterday") and request ("let me know when it's done") pass.
"""

from __future__ import annotations

import re

_DONE = (
    r"(?:updated|created|added|fixed|written|saved|changed|moved|renamed|deleted|removed|installed|configured|implemented"
    r"|completed|generated|verified|checked|run|ran|executed|read|edited|searched|found|analy[sz]ed|reviewed|restored"
    r"|committed|merged|converted|cleaned(?: up)?|set up|prepared|corrected|replaced|tested|inspected)"
)
_WORK = (
    r"(?:check(?:ing)?(?! with)|run(?:ning)?|look(?:ing)? (?:at|into|for)|take a (?:quick )?look|search|open|edit"
    r"|creat\w*|updat\w*|fix|writ\w*|read(?:ing)?|inspect\w*|verify\w*|execut\w*|investigat\w*|analy[sz]\w*|list(?:ing)?"
    r"|examin\w*|implement|proceed|install)"
)
_TOOL = r"(?:exec|read|write|edit|process|web_fetch|web_search|message_send|memory_search|memory_get)"
_WISH = r"you(?:'d| would)? (?:really )?(?:like|want|prefer|have any|are ready)"

_RULES: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "agrees to do the work, which is the assistant's part",
        (
            r"^\W*(?:sure(?: thing)?|certainly|of course|absolutely|no problem|happy to help)[,.!]?\s+"
            r"(?:i(?:'ll| will| can|'d be)|let me|here(?:'s| is| are)|i'm happy)\b",
            rf"^\W*(?:got it|understood|okay|ok)[,.!]?\s+(?:i(?:'ll| will| can)|let me) (?:now )?{_WORK}",
        ),
    ),
    (
        "offers help",
        (
            r"\bi(?:'m| am|'d be| would be)? ?(?:here|happy|glad|more than happy|able) to (?:help|assist)",
            r"\bi can (?:help|assist)(?: you)?\b",
            r"\bhow (?:can|may) i (?:help|assist)",
            r"\b(?:glad (?:i|to) (?:could |have )?help(?:ed)?|happy to help)",
            r"\banything else (?:i can|you(?:'d| would) like|you need|you want)",
            r"\bfeel free to (?:ask|reach|let)|\bdon't hesitate to (?:ask|reach)|\bat your service|\byou're welcome",
        ),
    ),
    (
        "asks the user what they would like",
        (
            rf"\blet me know (?:if|what|how|which|when|whether)\b[^.?!\n]{{0,60}}\b{_WISH}",
            r"\bwould you like (?:me )?to|\bdo you want me to|\bwhat would you like|\bhow would you like",
            r"\bshall i (?:go|proceed|continue|also|start|now)|\bshould i (?:go ahead|proceed|continue)",
            r"\bwhat do you (?:need|want) (?:me|help|done)|\bwhat (?:is|'s) your (?:task|request|goal)\b",
            rf"\bcould you (?:please )?(?:provide|clarify|share|specify)\b[^.?!\n]{{0,60}}\b{_WISH}",
            r"\b(?:provide|share|tell me|specify|clarify|confirm)\b[^.?!\n]{0,60}"
            r"\bso (?:that )?i can (?:proceed|help|assist|continue|start|get started|begin)",
            r"\bplease (?:provide|share|tell me|specify|clarify) (?:\w+ ){0,4}your (?:task|request|goal)",
        ),
    ),
    (
        "speaks as a machine",
        (
            r"\bas an? (?:ai|artificial|language model|assistant|llm|virtual)\b",
            r"\bi(?:'m| am) (?:just )?an? (?:ai|language model|assistant|virtual assistant)\b",
        ),
    ),
    (
        "reports the assistant's work as its own",
        (
            rf"\bi(?:'ve| have) (?:now |just |also |already )*{_DONE}\b[^.?!\n]{{0,120}}"
            r"\b(?:for you|as (?:you )?(?:requested|asked)|per your|you (?:asked|wanted|requested))",
            r"\bi(?:'ve| have) (?:now |also )*successfully \w+(?:ed|ten|un|t)\b",
            r"\b(?:i|we)(?:'ve| have) (?:completed|finished) (?:the|all|your) (?:request|task|step|change)",
            r"\b(?:the|your) (?:task|request) (?:is|has been) (?:now )?(?:complete|completed|done)\b",
            r"\bhere(?:'s| is| are) (?:the|a|your) (?:summary|breakdown|result|updated|complete|final|output)",
            r"^\W*(?:done|all done|all set)[!.:]\s+(?:the|your|i|i've|everything)\b(?! (?:looks|seems|works|is what))",
        ),
    ),
    (
        "announces work that the assistant would do",
        (
            r"(?:^|[.!?]\s+|okay[,!] )(?:(?:first|now|next|then),? )?(?:let me|i'll|i will|i'm going to|i am going to)"
            rf"(?: now| first| just| quickly| also| go ahead and| start by)* {_WORK} (?!it (?:myself|later|tomorrow))",
        ),
    ),
    (
        "describes tool calls",
        (
            r"<tool_call>|\btool_calls?\b",
            rf"\"(?:name|function)\"\s*:\s*\"{_TOOL}\"",
            rf"\b(?:calling|using|invoking|called|used|invoked) (?:the )?`?{_TOOL}`? (?:tool|function)\b",
            rf"^\s*{_TOOL}\(",
        ),
    ),
    (
        "shows commands or their output as its own doing",
        (
            r"```(?:bash|sh|shell|console|python|json|diff)\b|```\s*\n?\s*\$ ",
            r"(?:^|\n)\s*\$ [a-z]\S* .*\n(?!\s*$)",
            r"\bi (?:ran|executed) (?:the (?:following )?command|`[^`]+`)[^.?!\n]{0,80}"
            r"(?:\band (?:it|the output|the result)|:\s)",
        ),
    ),
    ("is written as a log of both sides", (r"(?:^|\n)\s*(?:assistant|agent|user|human)\s*:\s",)),
)
_COMPILED = {reason: tuple(re.compile(pattern, re.IGNORECASE) for pattern in patterns) for reason, patterns in _RULES}
_VERBATIM = frozenset({"describes tool calls"})  # JSON is all quotation marks
_QUOTED = re.compile(r"[\"“][^\"”\n]{0,400}[\"”]")
_APOSTROPHES = str.maketrans({"’": "'", "‘": "'"})


def drift_reasons(message: str) -> list[str]:
    """Why `message` is not a user's; an empty list when it is.

    What stands in quotation marks is somebody else's words (a user may quote the assistant) and is not looked at,
    unless the whole message is one quotation.
    """
    text = message.translate(_APOSTROPHES)
    unquoted = _QUOTED.sub('""', text)
    if len(unquoted.strip('" \n')) < len(text) // 4:
        unquoted = text
    return [
        reason
        for reason, patterns in _COMPILED.items()
        if any(pattern.search(text if reason in _VERBATIM else unquoted) for pattern in patterns)
    ]

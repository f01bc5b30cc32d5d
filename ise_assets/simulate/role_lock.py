"""Perspective lock: does a user's turn speak like a user, or has the simulator slipped into the assistant's voice?

Rules over the wording, each with its reason, because the reason goes back to the model when the turn is asked for
again. They are a floor: they know the phrases that models are known for, and little of what is put in new words (docs/sessions.md has
the figures). They look for what only the one who does the work says: offers of help, reports of own work, questions for the
user's wishes. A user's own report ("I changed the config yesterday") and request ("let me know when it's done") pass.
"""

from __future__ import annotations

import re

_DONE = (
    r"(?:updated|created|added|fixed|written|wrote|saved|changed|moved|renamed|deleted|removed|installed|configured|implemented"
    r"|completed|finished|generated|verified|checked|run|ran|executed|read|edited|searched|found|analy[sz]ed|reviewed|restored"
    r"|committed|merged|converted|cleaned(?: up)?|tidied(?: up)?|set up|prepared|corrected|replaced|tested|inspected|examined"
    r"|archived|sorted|gone through|went through|processed|extracted|compiled|drafted|compared|organi[sz]ed|located|built|sent"
    r"|put|applied|adjusted|translated|calculated|recalculated|counted|formatted|attached|uploaded|downloaded|reset|rebuilt)"
)
_WORK = (
    r"(?:check(?:ing)?(?! with)|(?:re)?run(?:ning)?|look(?:ing)? (?:at|into|for|through)|take a (?:quick |closer )?look|search\w*|open\w*"
    r"|edit\w*|(?:re)?creat\w*|updat\w*|fix\w*|(?:re)?writ\w*|read(?:ing)?|inspect\w*|verify\w*|execut\w*|investigat\w*|analy[sz]\w*"
    r"|list(?:ing)?|examin\w*|implement\w*|proceed\w*|install\w*|patch\w*|renam\w*|add(?:ing)?|mov(?:e|ing)|delet\w*|remov\w*"
    r"|(?:re)?start\w*(?! with)|sort\w*|convert\w*|clean\w*|tidy\w*|merg\w*|restor\w*|replac\w*|extract\w*|compar\w*|generat\w*"
    r"|prepar\w*|scan\w*|grep\w*|count\w*|copy\w*|begin\w*|continu\w*|compil\w*|repair\w*|adjust\w*|revert\w*|backup|back up"
    r"|get (?:started|right on|on it)|try (?:again|another|a different)|go (?:ahead|through|over)|work on|set (?:it |this |that )?up)"
)
_TOOL = r"(?:exec|read|write|edit|process|web_fetch|web_search|message_send|memory_search|memory_get)"
_WISH = r"you(?:'d| would)? (?:really )?(?:like|want|prefer|have any|are ready)"
_NOT_SELF = r"(?![^.?!\n]{0,80}\b(?:myself|my own|by hand|later|tonight|tomorrow|next week|on (?:mon|tues|wednes|thurs|fri|satur|sun)day)\b)"
_ITS_OWN = (  # what a user calls the assistant's, too
    r"(?:answers?|commands?|summary|scripts?|messages?|suggestions?|versions?|changes?|fix(?:es)?|output|reply|replies|work|advice"
    r"|explanation|last|first|second|opinion|help|notes?|checks?|numbers?|figures?|result|results|proposal|draft|way|side|end|mistake|own"
    r"|time|best|job|turn|question|name|access|report|table)"
)
_YOURS = rf"your (?!{_ITS_OWN}\b)\w+"

_RULES: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        "agrees to do the work, which is the assistant's part",
        (
            r"^\W*(?:sure(?: thing)?|certainly|of course|absolutely|no (?:problem|worries)(?: at all)?|gladly|happy to help)[,.!]?\s+"
            r"(?:to (?:get started|begin)|i(?:'ll| will| can|'d (?:be|love))|let me|here(?:'s| is| are)|i'm happy"
            r"|(?:what|which|where|how many|could you)\b|\w+ing\b)",
            rf"^\W*(?:got it|understood|okay|ok|will do|great(?: idea| question)?|perfect|awesome)\b[,.!]?\s+"
            rf"(?:i(?:'ll| will| can)|let me|will) (?:\w+ ){{0,2}}?{_WORK}{_NOT_SELF}",
            r"^\W*(?:great|good|excellent) (?:question|idea)\b.*\b(?:i'll|i will|the (?:difference|answer|reason))",
            r"^\W*(?:on it|right away|will do)\b|\bfor you right away\b|\b(?:i'll|let me) get right on\b",
        ),
    ),
    (
        "offers help",
        (
            r"\b(?:here|happy|glad|able|love|delighted|pleasure) to (?:\w+ ){0,1}(?:help|assist|fix|be of)\b(?! (?:us|them|her|him)\b)",
            r"\bi can (?:\w+ )?(?:help|assist)\b(?! (?:them|her|him)\b)",
            r"\bhow (?:can|may|could) i (?:help|assist|make your|be of)|\bwhat (?:can|may) i do for you",
            r"\b(?:glad (?:i|to|that i) (?:could |have )?(?:help(?:ed)?|be)|of (?:further |any |more )?(?:service|assistance) to you)",
            r"\bcould be of assistance|\b(?:additional|further|any) assistance\b",
            r"\banything else (?:i can|you(?:'d| would)? (?:like|need|want)|from me|for you|today)|^\W*(?:all )?done[,.!] anything else",
            r"\bfeel free to (?:ask|reach|let)|\b(?:do not|don't) hesitate to|\bat your service|\byou're welcome",
            r"\bi can (?:also |certainly |easily )?\w+[^.?!\n]{0,60} if (?:you(?:'d| would)? (?:like|want|prefer|wish)|needed|that helps)",
            r"\bif you(?:'d| would)? (?:like|want|prefer|wish),? i (?:can|could|will|'ll)|\bi can do (?:either|both|that|this) for you",
            r"\b(?:thank you|thanks) for your patience\b|\bat your disposal\b|\bi(?:'m| am) all ears\b|\bi hope (?:this|that) helps\b",
            r"\b(?:make it happen|tell me what you need|take care of for you)\b|\bi can \w+ [^.?!\n]{0,40}, just say so\b|\bwhat (?:shall|should) we tackle\b",
            r"\bi (?:would |'d )?(?:strongly )?recommend (?:that you|you|keeping|using|changing)\b|\bi support \w+(?:,| and)\b",
            r"\bi (?:do not|don't) have access to your\b|\bi am unable to access\b|\bjust tell me which\b[^.?!\n]{0,40}\bi'll\b",
            r"^\W*yes,? i can (?:do|help)",
        ),
    ),
    (
        "asks the user what they would like",
        (
            rf"\blet me know (?:if|what|how|which|when|whether)\b[^.?!\n]{{0,60}}\b(?:{_WISH}|you need|you wish)",
            r"\b(?:would|do) you (?:like|want|prefer|rather|wish)(?: that| for)? (?:me|i)\b|\bwhat (?:would|do) you (?:like|want) (?:me|to do)",
            r"\bhow (?:would|do) you (?:like|want|prefer)|\b(?:what|how|where|which \w+) you(?:'d| would)? (?:like|want|prefer) me to",
            r"\bwhat would you like\b|\bwould you like (?:to|it|them|another|more|me)\b",
            r"\b(?:shall|should) i (?:go|proceed|continue|also|start|now|delete|remove|overwrite|keep|repair|fix|add|create|run|move|rename"
            r"|include|try|restore|convert|apply|use)\b(?![^?\n]{0,60}\bmyself\b)",
            r"\bwhat do you (?:need|want) (?:me|help|done)|\bwhat (?:is|'s) your (?:task|request|goal)\b",
            r"\bwhich (?:\w+ ){0,2}(?:do|would) you (?:prefer|want|like|rather)|\b(?:want|need) me to\b[^?\n]{0,80}\?",
            r"\bwhich \w+ should (?:the|i) (?!\w+ (?:be|have been)\b)|\bhow many \w+ are we talking about",
            rf"\bcould you (?:please )?(?:provide|clarify|share|specify|tell me|give me|confirm)\b[^.?!\n]{{0,60}}"
            rf"\b(?:{_WISH}|so (?:that )?i (?:can|may))",
            r"\bso (?:that )?i (?:can|may) (?:proceed|help|assist|continue|start|get started|begin|complete|finish)\b",
            r"\bto (?:proceed|continue|complete|get started|begin|fulfil|process)[^.?!\n]{0,40}\bi(?:'ll| will)? need\b",
            r"\bbefore i (?:continue|proceed|begin|start) with your\b|\bto get started, could you",
            r"\bplease (?:provide|share|tell me|specify|clarify) (?:\w+ ){0,4}your (?:task|request|goal)",
            r"\bdo you agree that i should\b|\bmore about what you(?:'re| are) trying to\b|\bplease (?:upload|attach) the \w+ and i\b",
            r"^\W*(?:do you )?want (?:a|an|me|it as) [^?\n]{0,30}\?|\bwanna (?:hear|see|know)\b|\bwhich \w+ should i (?:look|search|use|take|start)",
            r"\bwhat (?:\w+ )?format do you (?:need|want)|\bgive me the \w+ \w+ and i'll\b|\bindicate whether the \w+ (?:\w+ )?meets your\b",
            r"\bkindly (?:supply|provide)\b[^.?!\n]{0,80}\b(?:by me|so that|in order)\b|\bhow many people should i plan\b",
            r"\bplease choose (?:the )?one|\bkindly let me know whether you\b|\bawait your (?:further )?(?:instructions|reply|decision)",
            r"\bto (?:which|what) \w+ would you like me\b|\bcan (?:finally )?start working on your\b|\bgot everything i need from you",
        ),
    ),
    (
        "speaks as a machine",
        (
            r"\bas (?:an?|your) (?:ai|artificial|language model|assistant|llm|virtual)\b",
            r"\bi(?:'m| am) (?:just )?(?:an?|your) (?:ai|language model|assistant|virtual assistant)\b",
        ),
    ),
    (
        "speaks about the user, as a narrator",
        (
            r"\bthe (?:simulated )?user (?:is|was|now|looks|wants|would|asks|has|will|says|nods)\b|\bas the user\b|^\W*user'?s turn",
            r"^\s*[\[(*](?:the |she |he |they |user |looks |nods |smiles |sighs |pauses )",
        ),
    ),
    (
        "reports the assistant's work as its own",
        (
            rf"\bi(?:'ve| have)? (?:now |just |also |already |went ahead and |gone ahead and )*{_DONE}\b[^?\n]{{0,160}}"
            r"\b(?:for you|on your behalf|as (?:you )?(?:requested|asked|instructed|directed)|per your|pursuant to your"
            r"|you (?:asked|wanted|requested|gave me))",
            rf"\bi(?:'ve| have)? (?:now |just |also |already )*{_DONE}\b[^.?!\n]{{0,60}}\b{_YOURS}",
            rf"\bi (?:went|have gone) ahead and {_DONE}|\btaken the liberty of\b|\bi just finished \w+ing\b",
            r"\bi(?:'ve| have) (?:now |also )*successfully \w+(?:ed|ten|un|t)\b|\bi successfully \w+ed\b",
            r"\b(?:i|we)(?:'ve| have) (?:completed|finished) (?:the|all|your) (?:request|task|step|change|amendment|work)",
            r"\b(?:the|your) (?:task|request) (?:is|has been) (?:now )?(?:successfully )?(?:complete|completed|done|processed)\b",
            rf"\b{_YOURS} (?:is|are|was|were|has been|have been) (?:now |all )?(?:ready|done|complete|prepared|carried out|set up|{_DONE})\b",
            rf"\bi(?:'ve| have| got|'m| am)?\b[^.?!\n]{{0,80}}\b(?:got|dug|found|identified|entered|swapped|drafted|putting|problems in|inspection of)\b"
            rf"[^.?!\n]{{0,40}}\b{_YOURS}|\b(?:upon|after) (?:an? )?inspection of {_YOURS}|\bentered in {_YOURS}",
            r"\bin accordance with your\b|\bi am pleased to inform you\b|\b(?:that's|it's) (?:all )?done for you\b|^\W*(?:done|all set)[.,!] (?:\d|files)",
            r"\bi apologi[sz]e for\b|\bi regret the error\b|\bmy (?:previous|last) (?:reply|answer|message)\b|\bmixed up the \w+ lists\b"
            r"|\bsorry,? my (?:script|command)",
            r"\bso i (?:created|made|added|wrote|removed)\b[^.?!\n]{0,60}\b(?:in its place|for now|instead)|\bi first \w+ed [^.?!\n]{0,60}\band then \w+ed\b",
            r"\bafter (?:re)?running [^.?!\n]{0,40}\bi can confirm\b|\bthanks for confirming\b|\bcreated \S+ (?:w/|with) your\b",
            r"\bthe command (?:completed|finished|ran) (?:successfully|with)\b|\byour query\b",
            r"\b(?:report|document|script|summary|request|totals|list|file) (?:has|have|was|were) (?:now )?(?:been )?(?:successfully )?"
            r"(?:generated|prepared|processed|recalculated)\b|\bsteps were (?:performed|taken|carried out) for you",
            r"\byou requested (?:has|have|is|are)\b|\b(?:in response to|pursuant to|following) your (?:request|enquiry|inquiry|instruction)",
            r"^\W*as (?:you )?(?:requested|instructed)[,:]|\b(?:updated|done|saved|created|changed|fixed|checked)\b[^.?!\n]{0,40}"
            r"\bas (?:you )?(?:requested|asked|wanted|instructed|directed)\b",
            r"\bhere(?:'s| is| are) (?:the (?:key )?(?:summary|breakdown|result|updated|complete|final|output|findings)|a summary"
            r"|your|what i (?:found|did|changed)|a (?:\w+ )?script)|\bhere you go\b|\bkey findings\b|\bcorrected \w+ follows\b",
            r"^\W*(?:done|all done|all set|ta-da)[!.:]\s+(?:the|your|i|i've|everything)\b(?! (?:looks|seems|works|is what))",
            r"\beverything is (?:now )?set up (?:as|for) you\b|\blooks like my command\b|\bmy command (?:failed|worked)\b",
            r"\bi (?:was|am|were) (?:not able|unable) to (?:find|locate|open|access|complete)\b[^.?!\n]{0,60}\byou (?:mentioned|provided|gave"
            r"|requested|described)",
        ),
    ),
    (
        "announces work that the assistant would do",
        (
            r"(?:^|[.!?,:;]\s+|\b(?:and|then|okay|ok|so|perfect|oops) )(?:(?:first|now|next|then|okay),? )?"
            r"(?:let me|allow me to|i'll|i will|i shall|i'm going to|i am going to|going to|gonna)"
            rf"(?: now| first| just| quickly| also| go ahead and| start by| proceed to)* {_WORK}\b{_NOT_SELF}",
            rf"\b(?:i'll|i will|i shall|let me|will) \w+[^.?!\n]{{0,60}}\bfor you\b{_NOT_SELF}",
            r"(?:^|[.!?,]\s+)(?:now )?(?:deleting|running|fixing|checking|updating|starting|creating|renaming|moving|installing|searching"
            r"|writing|converting|restarting|cleaning|looking)\b[^.?!\n]{0,60}(?:\bnow\b|\bto see (?:what|if|whether)|[!]\s*$|\bfor you\b)",
            r"^\W*(?:starting|beginning) (?:the|with)\b|[.!] starting the \w+\W*$",
            r"^\W*(?:roger|noted|ok|okay|got it|yes|sure)[,.!]* will \w+|^\W*working on it\b|\bretrying\b|[.,] fixing\W*$|\bsending \w+ \w+ over now\b",
            r"(?:(?:^|[.!?]\s+)i(?:'m| am)|\bi(?:'m| am) now) (?:comparing|moving|trying|checking|running|copying|renaming|restoring|searching|reading|writing|converting)\b"
            r"(?![^.?!\n]{0,40}\b(?:to understand|myself|it now)\b)|\bi plan to \w+ the\b|\bgive me (?:two|a few) secs?\b",
            r"\bone (?:sec|second|moment) while i\b|\bgive me a (?:moment|second|sec)\b|\b(?:get back|revert) to you\b",
        ),
    ),
    (
        "describes tool calls",
        (
            r"<tool_call>|\btool_calls?\b",
            rf"\"(?:name|function)\"\s*:\s*\"{_TOOL}\"",
            rf"\b(?:calling|using|invoking|called|used|invoked) (?:the )?`?{_TOOL}`? (?:tool|function)\b",
            rf"^\s*{_TOOL}\s*[({{]",
        ),
    ),
    (
        "shows commands or their output as its own doing",
        (
            r"```(?:bash|sh|shell|console|python|json|diff)\b|```\s*\n?\s*\$ ",
            r"(?:^|\n)[ \t]*\$ [a-z]\S* .*\n(?!\s*$)",
            r"\bi (?:ran|executed) (?:the (?:following )?command|`[^`]+`)[^.?!\n]{0,80}"
            r"(?:\band (?:it|the output|the result|obtained)|:\s)",
            r"\bbased on the output\b",
        ),
    ),
    ("is written as a log of both sides", (r"(?:^|\n)[ \t]*(?:assistant|agent|user|human)[ \t]*:\s",)),
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

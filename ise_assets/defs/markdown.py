"""Text from data inside markdown: it is shown as it is, and can be neither heading, link, picture nor HTML."""

from __future__ import annotations

import re

_SPEAKER = re.compile(r"\*\*(user|agent):\*\* ")
_SPECIAL = re.compile(r"([\\`*_\[\]<>#!|~&])")
_BLOCK_START = re.compile(r"^( {0,3})(?:([-+=])|(\d{1,9})([.)]))")


def transcript(text: str) -> str:
    """A session from `transcript_markdown`: speakers stay bold and calls stay code, what they said becomes plain text.

    Four blanks make code only after a blank line, so only there they exempt a line.
    """
    lines: list[str] = []
    may_be_code = True
    for line in text.splitlines():
        code = may_be_code and line.startswith("    ")
        may_be_code = code or not line.strip()
        lines.append(line if code else _spoken(line))
    return "\n".join(lines)


def plain(line: str) -> str:
    """One line with everything that markdown would read as its own escaped."""
    escaped = _SPECIAL.sub(r"\\\1", line).replace("://", "\\://")
    return _BLOCK_START.sub(lambda m: f"{m[1]}\\{m[2]}" if m[2] else f"{m[1]}{m[3]}\\{m[4]}", escaped)


def _spoken(line: str) -> str:
    speaker = _SPEAKER.match(line)
    return speaker[0] + plain(line[speaker.end() :]) if speaker else plain(line)

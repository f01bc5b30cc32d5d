"""A session is shown as it was said, and nothing in it becomes markup."""

from typing import Any

import pytest

from ise_assets.defs.markdown import transcript
from ise_assets.simulate.models import transcript_markdown

HOSTILE = [
    "![x](http://tracker/p.png)",
    "<img src=x onerror=alert(1)>",
    "# heading",
    "- item\n\n    ![in a list](http://tracker/p.png)",
    "1. item\n\n        <b>deep</b>",
    "text\n    <script>no code after a line of text</script>",
    "```\n<b>open fence",
    "[name]: http://tracker",
    "title\n===",
]


def session(said: str) -> list[dict[str, Any]]:
    call = {"function": {"name": "exec", "arguments": '{"command": "ls *"}'}}
    return [
        {"role": "user", "content": said},
        {"role": "assistant", "content": said, "tool_calls": [call]},
        {"role": "tool", "content": "a_b\n\n<b>kept as it came</b>"},
    ]


@pytest.mark.parametrize("said", HOSTILE)
def test_nothing_said_becomes_markup(said: str) -> None:
    shown = transcript(transcript_markdown(session(said)))
    outside_code = [line for line in shown.splitlines() if not line.startswith("    ")]
    for line in outside_code:
        bare = line.removeprefix("**user:** ").removeprefix("**agent:** ")
        assert not any(bare.lstrip().startswith(mark) for mark in ("#", "- ", "1. ", "===", "```", "["))
        assert "![" not in bare
        assert "<" not in bare.replace("\\<", "")


def test_speakers_and_calls_stay_as_they_were() -> None:
    shown = transcript(transcript_markdown(session("tidy a_b, please!")))
    assert "**user:** tidy a\\_b, please\\!" in shown
    assert '    exec {"command": "ls *"}' in shown
    assert "    <b>kept as it came</b>" in shown

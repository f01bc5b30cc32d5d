"""A repository with a price list, two hooks, and an uncommitted paste that both hooks refuse."""

import json
import os
import random
import subprocess

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
s, path = p["subject"], p["subject"]["file"]


def git(*arguments):
    return subprocess.run(["git", *arguments], check=True, capture_output=True, text=True).stdout.strip()


def put(path, text, mode=0o644):
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path, "w", encoding="utf-8", newline="") as handle:
        handle.write(text)
    os.chmod(path, mode)


codes = [f"{s['key']}{n}" for n in rng.sample(range(10, 99), p["rows"] + p["fresh"])]
adjectives, sizes = ["small", "large", "double", "plain", "fine", "old", "spare"], ["A", "B", "C", "D", "E"]
old, fresh = sorted(codes[: p["rows"]]), codes[p["rows"] :]


def row(code, day):
    return [code, f"{rng.choice(adjectives)} {rng.choice(sizes)}", str(rng.randint(150, 9900)), day]


kept = {code: row(code, f"2025-{rng.randint(3, 11):02d}-01") for code in old}
head = "code;name;cents;valid_from\n"
put(path, head + "".join(";".join(kept[code]) + "\n" for code in old))
put(
    "HANDBOOK.md",
    f"""# How we keep {path}

- One line for each code; of two lines with the same code the one with the later valid_from stays.
- Sorted by code. Lines end in a plain newline, never in a carriage return.
- The last line of a commit message is the reference of the change, like `Ref: {s["ref"]}-123`.
""",
)
put(
    "checks/list_check.py",
    f'''"""What is wrong with the list?"""
import sys

with open("{path}", encoding="utf-8", newline="") as handle:
    lines = handle.read().split("\\n")
wrong = ["line %d ends in a carriage return" % n for n, line in enumerate(lines, 1) if line.endswith("\\r")]
codes = [line.split(";")[0] for line in lines[1:] if line]
wrong += ["%s is there %d times" % (code, codes.count(code)) for code in sorted(set(codes)) if codes.count(code) > 1]
if codes != sorted(codes):
    wrong.append("the codes are not sorted")
for text in wrong:
    print("{path}: " + text)
sys.exit(1 if wrong else 0)
''',
)
put(".githooks/pre-commit", "#!/bin/sh\nexec python3 checks/list_check.py\n", 0o755)
put(
    ".githooks/commit-msg",
    f"""#!/bin/sh
last=$(grep -v '^#' "$1" | grep -v '^$' | tail -n 1)
case $last in
"Ref: {s["ref"]}-"[0-9]*) exit 0 ;;
esac
echo "commit-msg: the last line must be a reference like 'Ref: {s["ref"]}-123'" >&2
exit 1
""",
    0o755,
)
git("init", "-q", "-b", "main")
git("add", "-A")
git("commit", "-q", "-m", "Set up the list", "-m", f"Ref: {s['ref']}-101")
git("config", "core.hooksPath", ".githooks")
before, again = dict(kept), rng.sample(old, 3)
pasted = [row(code, "2026-03-01") for code in fresh]
one, two = row(again[0], "2026-02-15"), row(again[1], "2026-01-01")
if abs(int(one[2]) - int(before[one[0]][2])) == abs(int(two[2]) - int(before[two[0]][2])):
    two[2] = str(int(two[2]) + 7)  # one change is the largest
pasted += [one, two, row(again[2], "2024-05-01")]
rng.shuffle(pasted)
pasted.sort(key=lambda new: new[0] == max(fresh))  # the highest fresh code last, a lower one before it
pasted.insert(0, pasted.pop())
for new in pasted:
    if new[0] not in kept or new[3] > kept[new[0]][3]:
        kept[new[0]] = new
lines = [";".join(new) + ("\r\n" if number % 2 else "\n") for number, new in enumerate(pasted)]
with open(path, "a", encoding="utf-8", newline="") as handle:
    handle.write("".join(lines))
put("scratch.txt", "ask about the rest\n")
changes = sorted((abs(int(kept[code][2]) - int(before[code][2])), code) for code in old)
wanted = head + "".join(";".join(kept[code]) + "\n" for code in sorted(kept))
print(
    json.dumps(
        {
            "head": git("rev-parse", "HEAD"),
            "wanted": wanted,
            "count": len(kept),
            "by": changes[-1][0],
            "most": changes[-1][1],
        }
    )
)

"""Texts with something planted in them that must go, and texts that look like it and must stay. All of it is invented
here, at random from a fixed seed: nothing in this file is or was a credential."""

from __future__ import annotations

import base64
import json
import random
import string
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ise_assets.train.scrub import Machine

_ALNUM = string.ascii_letters + string.digits
_HEX = "0123456789abcdef"
_UPPER = string.ascii_uppercase + string.digits

ENVIRONMENT = {
    "OPENAI_API_KEY": "zq-4hT9rPw2-env-Lm3xKf8b",
    "DATABASE_URL": "postgres://svc:Blau5trasse-17@db:5432/prod",
    "BUILD_NUMBER": "20260611",
    "GREETING": "good morning everybody",
    "SESSION": "q8Zt3LxV0pRk7Wn2Yb5Hd1Gs",
    "USER": "mgreiner",
    "HOSTNAME": "kestrel-build-07",
}


def machine() -> Machine:
    """The machine that the planted places and people belong to."""
    return Machine(
        secrets={"OPENAI_API_KEY": ENVIRONMENT["OPENAI_API_KEY"], "DATABASE_URL": "Blau5trasse-17"}
        | {"SESSION": ENVIRONMENT["SESSION"]},
        hosts=("kestrel-build-07",),
        users=("mgreiner",),
        paths=("/home/mgreiner/src/pipeline", "/home/mgreiner"),
    )


@dataclass(frozen=True)
class Planted:
    """`secret` stands in `text`."""

    kind: str
    secret: str
    text: str


def _of(rng: random.Random, alphabet: str, length: int) -> str:
    while True:
        found = "".join(rng.choice(alphabet) for _ in range(length))
        if any(c.isdigit() for c in found) and any(c.isalpha() for c in found):
            return found


def _jwt(rng: random.Random) -> str:
    def part(value: Mapping[str, object]) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    signature = base64.urlsafe_b64encode(rng.randbytes(32)).decode().rstrip("=")
    return (
        f"{part({'alg': 'HS256', 'typ': 'JWT'})}.{part({'sub': rng.randrange(10**9), 'iat': 1764545400})}.{signature}"
    )


def _key(rng: random.Random, kind: str) -> str:
    body = base64.b64encode(rng.randbytes(600)).decode()
    lines = "\n".join(body[i : i + 64] for i in range(0, len(body), 64))
    return f"-----BEGIN {kind}PRIVATE KEY-----\n{lines}\n-----END {kind}PRIVATE KEY-----"


FORMATS: dict[str, Callable[[random.Random], str]] = {
    "aws": lambda r: "AKIA" + _of(r, _UPPER, 16),
    "github": lambda r: "ghp_" + _of(r, _ALNUM, 36),
    "github fine-grained": lambda r: "github_pat_" + _of(r, _ALNUM, 22) + "_" + _of(r, _ALNUM, 59),
    "gitlab": lambda r: "glpat-" + _of(r, _ALNUM, 20),
    "slack": lambda r: f"xoxb-{r.randrange(10**11, 10**12)}-{r.randrange(10**11, 10**12)}-{_of(r, _ALNUM, 24).lower()}",
    "stripe": lambda r: "sk_live_" + _of(r, _ALNUM, 24),
    "openai": lambda r: "sk-proj-" + _of(r, _ALNUM, 20) + "T3BlbkFJ" + _of(r, _ALNUM, 20),
    "anthropic": lambda r: "sk-ant-api03-" + _of(r, _ALNUM, 90),
    "google": lambda r: "AIza" + _of(r, _ALNUM, 35),
    "hugging face": lambda r: "hf_" + _of(r, _ALNUM, 34),
    "sendgrid": lambda r: f"SG.{_of(r, _ALNUM, 22)}.{_of(r, _ALNUM, 43)}",
    "npm": lambda r: "npm_" + _of(r, _ALNUM, 36),
    "pypi": lambda r: "pypi-AgEIcHlwaS5vcmc" + _of(r, _ALNUM, 80),
    "twilio": lambda r: "SK" + _of(r, _HEX, 32),
    "mailchimp": lambda r: _of(r, _HEX, 32) + "-us12",
    "telegram": lambda r: f"{r.randrange(10**8, 10**10)}:{_of(r, _ALNUM, 35)}",
    "discord": lambda r: f"M{_of(r, _ALNUM, 23)}.{_of(r, _ALNUM, 6)}.{_of(r, _ALNUM, 27)}",
    "jwt": _jwt,
    "rsa key": lambda r: _key(r, "RSA "),
    "openssh key": lambda r: _key(r, "OPENSSH "),
}
_PLACES = (
    "{s}",
    "the answer was {s}, it says",
    "export TOKEN={s}\n",
    '{{"credentials": {{"value": "{s}"}}}}',
    "curl -s -H 'X-Auth: {s}' http://127.0.0.1:8123/items",
)
_NAMED = (
    "DB_PASSWORD={s}\n",
    'password = "{s}"\n',
    "password: {s}\n",
    '{{"api_key": "{s}", "retries": 3}}',
    "  client_secret: '{s}'\n",
    "mysql --user=app --password={s} shop",
    "access_token={s}&page=2",
    "[default]\naws_secret_access_key = {s}\n",
    'const dbPassword = "{s}";',
    "Authorization: Bearer {s}\n",
    "curl -u deploy:{s} https://repo.example.org/x",
    "REDIS_URL=redis://:{s}@cache:6379/0",
    "git clone https://bot:{s}@git.example.org/team/app.git",
)


def planted(seed: int = 7) -> list[Planted]:
    """More than 200 texts, each with one thing that must go."""
    rng = random.Random(seed)
    found: list[Planted] = []

    def put(kind: str, secret: str, place: str) -> None:
        found.append(Planted(kind, secret, place.format(s=secret)))

    for name, make in FORMATS.items():
        for place in _PLACES:
            put(f"secret: {name}", make(rng), place)
    for place in _NAMED:
        for make in (
            lambda: _of(rng, _ALNUM, 20),
            lambda: _of(rng, _ALNUM, 40),
            lambda: f"{rng.choice(('Winter', 'Kobold', 'Traktor'))}{rng.randrange(1000, 9999)}!",
        ):
            put("secret: by its name", make(), place)
    for secret in machine().secrets.values():
        for place in _PLACES:
            put("environment", secret, place)
    for address in ("m.greiner@kestrelworks.io", "Jana_Novak+ops@mail.stadtwerke-nord.de", "li.wei@uni-hk.edu.hk"):
        for place in ("{s}", "From: Someone <{s}>\n", "git config user.email '{s}'", '{{"to": ["{s}"]}}', "a,{s},b\n"):
            put("email", address, place)
    for number in ("+49 30 90182640", "+44 161 715 4233", "(212) 736-5000", "415-863-4300", "+81 3-3211-2511"):
        for place in ("{s}", "call {s} today", "tel: {s}\n", '{{"phone": "{s}"}}'):
            put("phone", number, place)
    for place in ("on kestrel-build-07 now", "ssh kestrel-build-07", "Linux kestrel-build-07 6.1.0 x86_64"):
        put("host", "kestrel-build-07", place.replace("kestrel-build-07", "{s}"))
    for host in ("ip-10-2-33-4.eu-west-1.compute.internal", "vault.prod.corp"):
        put("host", host, "connect to {s}: refused")
    for path in ("/home/mgreiner/src/pipeline", "/home/mgreiner"):
        for place in ("{s}/data/ise.duckdb", "cd {s} && ls", 'File "{s}/a.py", line 3', '{{"cwd": "{s}"}}'):
            put("path", path, place)
    for name, place in (
        ("mgreiner", "drwx------ 2 {s} staff 4096 Jun 11 notes"),
        ("mgreiner", "whoami\n{s}\n"),
        ("jstolz", "/home/{s}/.ssh/config"),
        ("jstolz", "/Users/{s}/Library"),
        ("jstolz", "C:\\Users\\{s}\\AppData"),
    ):
        put("user", name, place)
    return found


def innocent(seed: int = 8) -> list[str]:
    """More than 200 texts of the kind that sessions are full of; nothing of them may go."""
    rng = random.Random(seed)
    texts: list[str] = []
    for _ in range(20):
        commit, digest = _of(rng, _HEX, 40), _of(rng, _HEX, 64)
        day = f"2025-{rng.randrange(1, 13):02d}-{rng.randrange(1, 29):02d}"
        texts += [
            f"commit {commit}\nAuthor: Vera <vera@example.org>\nDate:   {day} 10:00:00 +0100",
            f"{digest}  /home/user/archive/{day}.tar.gz",
            f'{{"id": "{uuid.UUID(int=rng.getrandbits(128))}", "etag": "{commit[:12]}"}}',
            f"+{1_764_000_000 + rng.randrange(10**6)}\n-{1_764_000_000 + rng.randrange(10**6)}\n@@ -1,4 +1,4 @@",
            f"pip 26.{rng.randrange(9)}.{rng.randrange(9)} 192.168.{rng.randrange(255)}.{rng.randrange(255)}:8080 {day}T10:00:00+02:00",
            f"data:image/png;base64,{base64.b64encode(rng.randbytes(60)).decode()}",
            f"-rw-r--r-- 1 user user {rng.randrange(10**7)} Jun 11 10:0{rng.randrange(9)} /home/user/work/list-{rng.randrange(99)}.csv",
            f"invoice {rng.randrange(10**9)};{rng.randrange(10**6)},{rng.randrange(100):02d};{day}",
        ]
    texts += [
        "def login(user: str, password: str) -> Token: ...",
        "password = getpass.getpass('Password: ')",
        "token = os.environ['API_TOKEN']",
        "api_key: ${API_KEY}",
        "DB_PASSWORD=changeme",
        "client_secret: <your-client-secret>",
        'secret_key = settings["SECRET_KEY"]',
        "PASSWORD_MIN_LENGTH = 12",
        "the token count of this prompt is 4096 tokens",
        "passwd: password updated successfully",
        "Enter passphrase for key '/home/user/.ssh/id_ed25519':",
        "sort -k2,2 -u names.txt",
        "export TOKEN=$(cat token.txt)",
        "max_tokens=2048, temperature=0.2",
        "tokenizer: tiktoken/cl100k_base",
        "pwd\n/home/user/projects/web",
        "The secret of a good stew is time.",
        "monkey: see, monkey: do",
        "primary key (order_id), foreign key (customer_id)",
        "authors: [anna, bert]",
        "Message to clerk@example.com and anna@mail.example",
        "call 555-0142 or (212) 555-0187 or +44 7700 900123 or +1 202-555-0110",
        "user@workspace:~$ ls",
        "git remote add origin git@git.example.org:team/app.git",
        "icon@2x.png and main@1.2.js",
        "ls /home/user /home/user/Downloads",
        "root@localhost",
        "http://user.example:8080/path?x=1:2@3",
        "ssh -i key.pem ubuntu@bastion.example",
        "hash: 5f4dcc3b5aa765d61d8327deb882cf99",
        "Bearer of good news",
        "curl -u user http://127.0.0.1:8000/",
        "AP style guide, AKC registered",
        "task-us-12 and bus-us3",
        "sk-learn and sk-image",
        "2025-11-30 23:30 to 2025-12-01 00:30",
        "ISBN 978-3-16-148410-0",
        '10.1.2.3 - - [11/Jun/2026:10:00:00 +0000] "GET /api/items?page=3 HTTP/1.1" 200 5123',
        "Kestrel builds are done; build 07 is green",
        "https://example.com/reset?token=",
    ]
    return texts

"""Writes an agreed environment file and those of four hosts, which spell things differently and differ in some keys."""

import json
import os
import random
from pathlib import Path

p = json.loads(os.environ["PARAMS"])
rng = random.Random(p["seed"])
hosts = p["kind"]["hosts"]


def secret():
    return "".join(rng.choices("abcdefghjkmnpqrstuvwxyz23456789", k=14))


agreed = {
    "PORT": str(rng.randint(8000, 8999)), "TIMEZONE": rng.choice(["Europe/Vienna", "Europe/Oslo", "UTC"]), "DB_PASSWORD": secret(),
    "PRINTER": f"queue {rng.randint(1, 9)}", "RETRIES": str(rng.randint(2, 9)), "API_TOKEN": secret(), "LOG_LEVEL": rng.choice(["info", "warning"]),
    "BACKUP_DIR": "/srv/backup daily", "MAIL_FROM": "desk@example.org", "SESSION_KEY": secret(), "CACHE_MB": str(rng.choice([64, 128, 256])),
}  # fmt: skip
strays = ["OLD_PORT", "DEBUG", "TMP_FIX", "PROXY", "TEST_USER"]
own = {host: dict(agreed) for host in hosts}
worst = rng.choice(hosts)
found = {}
for n in range(p["drifts"] + 3):
    host = worst if n < 4 else rng.choice([one for one in hosts if one != worst])
    if n >= 4 and sum(one == host for one, _ in found) >= 3:
        continue
    how = rng.choice(["missing", "extra", "other", "other"])
    key = rng.choice(strays if how == "extra" else list(agreed))
    if (host, key) in found:
        key = next(one for one in (strays if how == "extra" else list(agreed)) if (host, one) not in found)
    found[host, key] = how
    if how == "missing":
        del own[host][key]
    else:
        own[host][key] = secret() if how == "extra" or key.endswith(("PASSWORD", "TOKEN", "KEY")) else own[host][key] + "1"


def line(key, value, plain):
    if plain:
        return f'{key}="{value}"' if " " in value else f"{key}={value}"
    shown = f'"{value}"' if " " in value or rng.random() < 0.4 else f"'{value}'" if rng.random() < 0.3 else value
    return f"{rng.choice(['', '', 'export '])}{key}={shown}{rng.choice(['', '', '  # see wiki'])}"


Path("hosts").mkdir()
Path("agreed.env").write_text("# agreed in spring\n" + "\n".join(line(k, v, True) for k, v in agreed.items()) + "\n", "utf-8")
for host in hosts:
    rows = [line(k, v, False) for k, v in own[host].items()]
    rng.shuffle(rows)
    rows.insert(rng.randrange(len(rows)), "# changed by hand")
    if host == hosts[1]:
        rows[0] = rows[0] if rows[0].startswith(("#", "export")) else "export " + rows[0]
    Path("hosts", f"{host}.env").write_text("\n".join(rows) + "\n", "utf-8")
values = sorted({v for settings in (agreed, *own.values()) for v in settings.values() if len(v) > 9})
rows = sorted([host, key, how] for (host, key), how in found.items())
print(json.dumps({"rows": rows, "count": len(rows), "worst": worst, "values": values}))

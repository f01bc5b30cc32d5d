"""The module defines exactly what lives, unchanged, and every script prints what it did."""

import ast
import json
import os
import subprocess

p, truth = json.loads(os.environ["PARAMS"]), json.loads(os.environ["TRUTH"])
text = open(f"{p['module']}.py", encoding="utf-8").read()
tree = ast.parse(text)
found = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
assert set(found) == set(truth["keep"]), f"it defines {sorted(found)}"
for name, source in truth["keep"].items():
    assert ast.dump(found[name]) == ast.dump(ast.parse(source).body[0]), f"{name} was changed"
for script, output in truth["output"].items():
    done = subprocess.run(["python3", "-B", script], capture_output=True, text=True, timeout=30)
    assert done.stdout == output, f"{script}: {done.stdout[:100]}{done.stderr[-160:]}"

"""SmolLM2-135M-Instruct behind llama.cpp's OpenAI-compatible server, in a process of its own; prints its address."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event

from ise_assets.settings import PROJECT
from ise_assets_tests.train.consumers import need
from ise_assets_tests.train.small_models import gguf, template

CONTEXT, ANSWER = 6_144, 160
"""Tokens of a slot's context, and of an answer at most."""
SLOTS = 2


@contextmanager
def small_model() -> Iterator[str]:
    """The server's address (`http://127.0.0.1:PORT`), as long as the context lasts."""
    command = [sys.executable, "-m", "ise_assets_tests.simulate.small_server"]
    process = subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert process.stdout is not None
    try:
        yield next(line.split()[1] for line in process.stdout if line.startswith("listening "))
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def main() -> None:
    """Serve until killed."""
    need("xllamacpp")
    import xllamacpp

    params = xllamacpp.CommonParams()
    params.model.path = str(gguf())
    params.hostnames = ["127.0.0.1"]
    params.port = 0
    params.n_ctx, params.n_parallel, params.n_predict = CONTEXT * SLOTS, SLOTS, ANSWER
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = 2
    params.use_jinja = True
    params.chat_template = template("chatml-tools")
    params.cache_ram_mib = 0
    server = xllamacpp.Server(params)
    print("listening", server.listening_address, flush=True)
    Event().wait()


if __name__ == "__main__":
    main()

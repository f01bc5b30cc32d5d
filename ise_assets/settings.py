"""Every knob, read from the environment (`ISE_*`) or a `.env` file, validated once, before any work."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

PACKAGE = Path(__file__).parent
PROJECT = PACKAGE.parent
SCRIPTED_MODEL = "scripted/teacher"
SCRIPTED_PROVIDER = SCRIPTED_MODEL.split("/")[0]
_HOST = re.compile(r"[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]*[a-z0-9_])?)*")
BACKENDS = ("auto", "bubblewrap", "docker", "remote")


class SettingsError(ValueError):
    """A setting is wrong; the message names it, what came, and what is allowed."""


class Settings(BaseSettings):
    """The project's configuration. Field names are the environment variables' without `ISE_`."""

    model_config = SettingsConfigDict(env_prefix="ISE_", env_file=".env", extra="ignore", frozen=True)

    home: Path = Field(default=Path("data"), description="Where the warehouse, journals, reports and exports live.")
    warehouse: str = Field(
        default="",
        description="Path of the DuckDB file (empty: HOME/ise.duckdb), or `ducklake:postgres:host=... dbname=... user=...`.",
    )
    warehouse_data: str = Field(
        default="", description="Folder of a lake's Parquet files, the same on all machines; empty means HOME/lake."
    )
    seed: int = Field(default=20260611, description="Seed of the sampler: the same seed gives the same intents.")
    intents_per_persona: int = Field(default=1, ge=1, le=100_000, description="Intents drawn for each persona.")
    shipped_personas: bool = Field(default=True, description="Take in the shipped persona lists, besides your own.")
    shipped_personas_per_list: int = Field(
        default=0, ge=0, description="Take only the first so many personas of each shipped list; 0 means all."
    )
    rollouts: int = Field(default=1, ge=1, le=64, description="Live sessions per intent.")
    rollouts_accepted: int = Field(
        default=0, ge=0, description="Accepted sessions of an intent after which no further one is begun; 0: all are."
    )

    intent_model: str = Field(default=SCRIPTED_MODEL, description="litellm model that writes utterances.")
    user_model: str = Field(default=SCRIPTED_MODEL, description="litellm model that plays the user.")
    agent_model: str = Field(default=SCRIPTED_MODEL, description="litellm model that plays the agent.")
    agent_command: str = Field(
        default="",
        description="Program that is the agent, in the place of ours (docs/sessions.md); `{message}` in it is what the user says.",
    )
    agent_command_folders: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(), description="Folders of this machine (`/opt/agent,...`) that such a program may read."
    )
    model_timeout_s: float = Field(default=120.0, gt=0, description="Seconds one model call may take.")
    intent_rewrites: int = Field(
        default=2,
        ge=0,
        description="Times an unusable utterance is asked for again; then the scripted writer stands in.",
    )
    max_concurrent_writers: int = Field(default=16, ge=1, le=1024, description="Utterances asked for at once.")
    max_writer_calls_per_minute: int = Field(
        default=0,
        ge=0,
        description="Utterances asked for in a minute, under a provider's rate limit; 0 means no limit.",
    )
    model_retries: int = Field(default=4, ge=0, description="Retries of a failed model call (Retry-After honoured).")
    allow_paid_automation: bool = Field(
        default=False, description="Let automation (not only people) start runs that call paid models."
    )

    max_concurrent_sessions: int = Field(default=4, ge=1, le=4096, description="Live sessions at once per run.")
    max_user_turns: int = Field(default=24, ge=1, description="User turns after which a session ends (turn_limit).")
    max_tool_calls: int = Field(default=300, ge=1, description="Tool calls after which a session ends.")
    max_session_minutes: float = Field(default=30.0, gt=0, description="Wall time after which a session ends.")
    max_session_tokens: int = Field(
        default=0, ge=0, description="Tokens, sent and received, after which a session ends; 0 means no limit."
    )
    max_session_cost_usd: float = Field(
        default=0.0, ge=0, description="US dollars after which a session ends; 0 means no limit."
    )
    max_context_tokens: int = Field(
        default=0,
        ge=0,
        description="Tokens (estimated) from which an agent's request leaves out the largest tool results; 0: when the model refuses.",
    )
    max_cost_usd: float = Field(
        default=0.0, ge=0, description="US dollars one run may spend on models; then it stops, and the next goes on."
    )
    model_prices: Annotated[dict[str, tuple[float, float]], NoDecode] = Field(
        default={},
        description="Prices litellm does not know, US dollars per million tokens sent and received: `MODEL=0.5:1.5,...`.",
    )
    response_cache: str = Field(
        default="",
        description="File in which models' answers are kept, to do the same sessions again for nothing; empty: none.",
    )
    max_concurrent_model_calls: int = Field(
        default=0, ge=0, description="Model calls at once per run, however many sessions there are; 0 means no limit."
    )
    max_concurrent_tool_calls: int = Field(
        default=64, ge=1, description="Tool calls at once per run, however many sessions there are."
    )
    max_minutes_per_run: float = Field(default=0.0, ge=0, description="Time budget of one run; 0 means none.")
    max_attempts: int = Field(default=3, ge=1, description="Tries of a failed session, over all runs.")
    max_regenerations: int = Field(default=2, ge=0, description="Times a drifting user turn is asked for again.")

    workspace_backend: str = Field(
        default="auto",
        description="auto (bubblewrap where it runs, else docker), bubblewrap, docker, or remote (a workspace host).",
    )
    workspace_host: str = Field(
        default="", description="`host:port` of the workspace host that the backend remote asks for workspaces."
    )
    workspace_token: SecretStr = Field(
        default=SecretStr(""), description="Secret that a workspace host and those who ask it share."
    )
    max_hosted_workspaces: int = Field(
        default=32, ge=1, description="Workspaces that a workspace host has at once; who asks for more waits."
    )
    docker_image: str = Field(default="ise-workspace:latest", description="Image of the docker backend's workspaces.")
    docker_runtime: str = Field(
        default="", description="Engine's runtime for them (runsc, kata ...); its own if empty."
    )
    workspace_memory_mib: int = Field(default=1024, ge=128, description="Memory limit of one workspace, MiB.")
    workspace_disk_mib: int = Field(default=256, ge=16, description="Size of each writable tmpfs of a workspace, MiB.")
    tool_timeout_s: int = Field(default=60, ge=1, description="Default seconds a tool call may take.")
    tool_output_chars: int = Field(default=8_000, ge=500, description="Characters of output a tool result may hold.")
    web_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        default=(),
        description="Hosts (`a.example,b.example`) that web_fetch may reach through the host; none: workspaces only.",
    )

    embedding_model: str = Field(default="sentence-transformers/all-mpnet-base-v2", description="Sentence encoder.")
    embedding_dtype: Literal["auto", "float32", "bfloat16"] = Field(
        default="auto", description="auto: bfloat16 where the CPU has it, float32 else and for published figures."
    )
    duplicate_threshold: float = Field(default=0.92, gt=0, le=1, description="Cosine from which two intents are one.")
    vendi_floor: float = Field(default=1.5, ge=0, description="Vendi Score under which a domain's report fails.")
    vendi_pool_floor: float = Field(
        default=20.0,
        ge=0,
        description="Vendi Score at n = 200 under which the pool's report fails, once it has 200 intents.",
    )

    view_url: str = Field(default="http://127.0.0.1:3030", description="Where `ise view` is, for links in the web UI.")

    split_percent: Annotated[tuple[int, int, int], NoDecode] = Field(
        default=(90, 5, 5), description="Percent of personas in train, validation, test (`90,5,5`)."
    )
    heldout_scenario_percent: int = Field(
        default=3, ge=0, le=50, description="Percent of scenarios whose sessions are never trained on (test_scenarios)."
    )
    leak_threshold: float = Field(
        default=0.9, gt=0, le=1, description="Cosine of utterances from which a train record leaks a held-out one."
    )
    sft_accepted: bool = Field(default=True, description="Export only sessions whose acceptance checks all held.")
    sft_unverified: bool = Field(
        default=False, description="Export sessions of imported intents, too, which no acceptance check has judged."
    )
    sft_reproduced: bool = Field(default=True, description="Export only sessions whose replay gave the same.")
    sft_recoveries: Literal["keep", "only", "drop"] = Field(
        default="keep", description="Sessions with failures: keep, only those recovered from, or drop."
    )
    sft_pass_rate: Annotated[tuple[float, float], NoDecode] = Field(
        default=(0.0, 1.0), description="Band of an intent's pass rate over its rollouts (`0,1`)."
    )
    sft_best_of: int = Field(default=0, ge=0, description="Rollouts kept per intent, the best first; 0 keeps all.")
    sft_origin: Literal["auto", "scripted", "real", "mixed"] = Field(
        default="auto", description="Whose sessions: auto is real agents' where there are any, else scripted ones."
    )
    sft_cap_persona: int = Field(default=0, ge=0, description="Records per persona and split; 0 means no cap.")
    sft_cap_scenario: int = Field(default=0, ge=0, description="Records per scenario and split; 0 means no cap.")
    sft_cap_tool: int = Field(default=0, ge=0, description="Records per tool called and split; 0 means no cap.")
    sft_min_tokens: int = Field(default=0, ge=0, description="Shorter records are dropped.")
    sft_max_tokens: int = Field(default=0, ge=0, description="Longer records are dropped; 0 means no limit.")
    sft_train_failed_calls: bool = Field(
        default=True, description="Train on calls that failed and were recovered from; else the recovery alone."
    )
    sft_train_after_unlabelled: bool = Field(
        default=True, description="Train on what the agent wrote right after an error that was labelled ok."
    )
    sft_tokenizer: str = Field(
        default="tiktoken/cl100k_base", description="What counts tokens: this one, or the path of a tokenizer.json."
    )
    benchmarks: str = Field(
        default="", description="Files and folders of benchmarks that no record may hold, separated by commas."
    )

    @field_validator("warehouse")
    @classmethod
    def _warehouse(cls, value: str) -> str:
        lake, catalog = "ducklake:", "ducklake:postgres:"
        if value.startswith(lake) and not (value.startswith(catalog) and value.removeprefix(catalog).strip()):
            raise ValueError(
                "a lake is written ducklake:postgres:<connection string>, like ducklake:postgres:host=db dbname=lake user=ise"
            )
        return value

    @field_validator("web_hosts", mode="before")
    @classmethod
    def _hosts(cls, value: object) -> object:
        if isinstance(value, str):
            value = tuple(sorted({part.strip().lower() for part in value.split(",") if part.strip()}))
        if isinstance(value, tuple) and (bad := [host for host in value if not _HOST.fullmatch(host)]):
            raise ValueError(f"names of hosts, without scheme, port or path, with commas between; got {', '.join(bad)}")
        return value

    @field_validator("agent_command_folders", mode="before")
    @classmethod
    def _folders(cls, value: object) -> object:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("model_prices", mode="before")
    @classmethod
    def _prices(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        prices = {}
        for part in filter(None, (part.strip() for part in value.split(","))):
            try:
                model, figures = part.rsplit("=", 1)
                sent, received = (float(figure) for figure in figures.split(":"))
            except ValueError as error:
                raise ValueError(f"MODEL=SENT:RECEIVED, like hosted_vllm/x=0.5:1.5; got {part!r}") from error
            prices[model] = (sent, received)
        return prices

    @field_validator("split_percent", mode="before")
    @classmethod
    def _percent(cls, value: object) -> object:
        if isinstance(value, str):
            value = tuple(int(part) for part in value.split(","))
        if isinstance(value, tuple) and (len(value) != 3 or sum(value) != 100 or min(value) < 0):
            raise ValueError(f"three whole numbers that sum to 100, like 90,5,5; got {value}")
        return value

    @field_validator("sft_pass_rate", mode="before")
    @classmethod
    def _band(cls, value: object) -> object:
        if isinstance(value, str):
            value = tuple(float(part) for part in value.split(","))
        if isinstance(value, tuple) and (len(value) != 2 or not 0 <= value[0] <= value[1] <= 1):
            raise ValueError(f"two numbers from 0 to 1, the lower first, like 0.2,0.8; got {value}")
        return value

    @field_validator("workspace_backend")
    @classmethod
    def _backend(cls, value: str) -> str:
        if value not in BACKENDS:
            raise ValueError(f"unknown workspace backend {value!r}; valid: {', '.join(BACKENDS)}")
        return value

    @property
    def lake_data(self) -> Path:
        """Where the Parquet files lie when the warehouse is a lake."""
        return Path(self.warehouse_data) if self.warehouse_data else self.home / "lake"

    @property
    def is_lake(self) -> bool:
        """Whether the warehouse is a DuckLake rather than a file."""
        return self.warehouse.startswith("ducklake:")

    def places(self) -> dict[str, str]:
        """The variables that name places, absolute, for a process that runs in another folder."""
        found = {"ISE_HOME": str(self.home.absolute())}
        if self.warehouse:
            found["ISE_WAREHOUSE"] = self.warehouse if self.is_lake else str(Path(self.warehouse).absolute())
        if self.warehouse_data:
            found["ISE_WAREHOUSE_DATA"] = str(Path(self.warehouse_data).absolute())
        return found

    @property
    def personas_dir(self) -> Path:
        """The watched folder: persona lists dropped here are taken in."""
        return self.home / "personas"

    @property
    def intents_dir(self) -> Path:
        """The other watched folder: intents that others wrote (JSONL), run without a seed and unverified."""
        return self.home / "intents"

    @property
    def journals_dir(self) -> Path:
        """One SQLite journal per asset and domain."""
        return self.home / "journals"

    @property
    def reports_dir(self) -> Path:
        """HTML reports and pictures."""
        return self.home / "reports"

    @property
    def exports_dir(self) -> Path:
        """Training data, one folder per format."""
        return self.home / "exports"

    @property
    def benchmark_paths(self) -> tuple[Path, ...]:
        """What decontamination looks at."""
        return tuple(Path(part.strip()).expanduser() for part in self.benchmarks.split(",") if part.strip())

    @property
    def cache_dir(self) -> Path:
        """Model weights and other things that can be fetched again; shared by all homes of a user."""
        return Path(os.environ.get("ISE_CACHE") or Path.home() / ".cache" / "ise_assets")

    @property
    def models(self) -> dict[str, str]:
        """Model string per role."""
        return {"intent_writer": self.intent_model, "user": self.user_model, "agent": self.agent_model}

    @property
    def uses_paid_models(self) -> bool:
        """Whether any role is played by something else than the scripted teacher."""
        return any(model != SCRIPTED_MODEL for model in self.models.values())

    @property
    def plays_scripts(self) -> bool:
        """Whether the user or the agent of sessions is scripted, and so can only play scenarios."""
        return any(model.startswith(f"{SCRIPTED_PROVIDER}/") for model in (self.user_model, self.agent_model))


def load_settings(**overrides: object) -> Settings:
    """Settings from the environment with `overrides` on top.

    Raises:
        SettingsError: naming the variable, what came and what is allowed.
    """
    from pydantic import ValidationError

    try:
        return Settings(**overrides)  # type: ignore[arg-type]
    except ValidationError as error:
        lines = [f"ISE_{str(e['loc'][0]).upper()}: {e['msg']}" for e in error.errors()]
        raise SettingsError("; ".join(lines)) from error

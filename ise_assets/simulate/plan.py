"""What a run would do and cost, before anybody starts it: intents and sessions that are missing, tokens, money, time.

Tokens are those of earlier sessions, of the same models where there are any; scripted ones count theirs, too, so that even the
demo's 200 say what a real model would be asked. An estimate, then, and the better the more has run. What writing the intents
costs is left out: one call beside the fifty of a session.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ise_assets.intent.pool import count_missing_intents
from ise_assets.llm import price_of
from ise_assets.simulate.stage import session_work
from ise_assets.stage import StageRun
from ise_assets.warehouse import sql


@dataclass(frozen=True)
class DomainPlan:
    """What is missing in one domain."""

    domain: str
    intents: int
    """To be written; each may become a session once it is deduplicated."""
    sessions: int
    """To be run for intents that are kept already."""
    stale: int
    """There already, lived by other models or made from older settings; a run leaves them as they are."""


@dataclass(frozen=True)
class Projection:
    """What that comes to."""

    domains: tuple[DomainPlan, ...]
    rollouts: int
    calls_per_session: float | None
    """Model calls; None where no session has run yet to learn it from."""
    sent_per_session: float | None
    """Tokens sent, both models together."""
    received_per_session: float | None
    usd_per_session: float | None
    """None, too, where a model's price is not known."""
    seconds_per_session: float | None
    """None where no session with these models has run."""
    at_once: int

    @property
    def sessions(self) -> int:
        """Sessions to run, with those that the intents still to be written may become."""
        return sum(one.sessions + one.intents * self.rollouts for one in self.domains)

    @property
    def stale(self) -> int:
        """Sessions that a run leaves as they are, though it would make others of them now."""
        return sum(one.stale for one in self.domains)

    @property
    def usd(self) -> float | None:
        """US dollars for all of them."""
        return None if self.usd_per_session is None else self.sessions * self.usd_per_session

    @property
    def hours(self) -> float | None:
        """Hours of one run process after the other."""
        if self.seconds_per_session is None:
            return None
        return self.sessions * self.seconds_per_session / self.at_once / 3_600


def project(run: StageRun, domains: Sequence[str]) -> Projection:
    """The projection for `domains`; reads the warehouse, calls no model and writes nothing."""
    settings, warehouse = run.settings, run.warehouse
    models = {"user_model": settings.user_model, "agent_model": settings.agent_model}
    asked = {row["role"]: row for row in warehouse.rows(sql("simulate/tokens_of_sessions"), models)}
    prices = {"user": price_of(settings, settings.user_model), "agent": price_of(settings, settings.agent_model)}
    usd: float | None = None
    if asked and all(prices[role] is not None for role in asked):
        usd = sum(
            (row["sent"] * price[0] + row["received"] * price[1]) / 1e6
            for role, row in asked.items()
            if (price := prices[role]) is not None
        )

    def total(what: str) -> float | None:
        return float(sum(row[what] for row in asked.values())) if asked else None

    return Projection(
        domains=tuple(_plan(run, name) for name in domains),
        rollouts=settings.rollouts,
        calls_per_session=total("calls"),
        sent_per_session=total("sent"),
        received_per_session=total("received"),
        usd_per_session=usd,
        seconds_per_session=warehouse.scalar(sql("simulate/duration_of_sessions"), models),
        at_once=settings.max_concurrent_sessions,
    )


def _plan(run: StageRun, domain: str) -> DomainPlan:
    jobs, stale = session_work(run, domain)
    return DomainPlan(domain, count_missing_intents(run, domain), len(jobs), stale)

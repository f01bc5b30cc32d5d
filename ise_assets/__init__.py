"""ISE as software: persona lists in, verified SFT records for OS agents out.

The rooms are the stages of the paper (arXiv 2606.11520): `intent`, `simulate`, `execute`, `train`. `defs` is the
Dagster shell around them. Imports go one way: defs -> train -> simulate -> execute -> intent -> llm, warehouse,
journal, settings.
"""

__version__ = "0.1.0"

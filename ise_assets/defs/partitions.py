"""The partitions: ISE's ten domains, for every partitioned asset."""

import dagster as dg

from ise_assets.intent.models import DOMAINS

domains = dg.StaticPartitionsDefinition(list(DOMAINS))

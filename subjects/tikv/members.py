"""The members and their kinds."""

from collections.abc import Mapping

PD, STORE, METRICS = "pd", "store", "metrics"

KINDS: Mapping[str, str] = {
    "pd0": PD, "pd1": PD, "pd2": PD, "tikv0": STORE, "tikv1": STORE, "tikv2": STORE, "prometheus": METRICS,
}
"""By name of the service, in the order in which they are shown."""

"""The stores' metrics from Prometheus, in one request.

The metrics and where TiKV v8.5.7 defines them (the scrape target is the status port, 20180; 20160 speaks gRPC alone):

| metric | labels used | defined in |
| --- | --- | --- |
| tikv_grpc_msg_duration_seconds (histogram) | type | src/server/metrics.rs; types: `GrpcTypeKind` there |
| tikv_grpc_msg_fail_total | type | src/server/metrics.rs |
| tikv_store_size_bytes | type: capacity, available, used | components/pd_client/src/metrics.rs |
| tikv_raftstore_region_count | type: region, leader | components/raftstore/src/coprocessor/metrics.rs |
| tikv_raftstore_log_lag (histogram, raft entries) | | components/raftstore/src/store/metrics.rs |
| process_cpu_seconds_total (whole seconds) | | components/tikv_util/src/metrics/process_linux.rs |
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from operator_demo.subject_kit import NoAnswer
from subjects.tikv.http import Http

PORT = 9090

_JOB = 'job="tikv"'
# Requests of clients; kv_gc is TiKV's own work, as in its dashboards (metrics/grafana/tikv_details.dashboard.py).
_CLIENTS = f'{_JOB},type=~"kv_.+|raw_.+|coprocessor.*",type!="kv_gc"'
_DURATION = "tikv_grpc_msg_duration_seconds"


def _rate(metric: str, labels: str, window: str, by: str = "instance") -> str:
    return f"sum by ({by}) (rate({metric}{{{labels}}}[{window}]))"


def _quantile(share: float, metric: str, labels: str, window: str, by: str = "instance") -> str:
    return f"histogram_quantile({share}, {_rate(f'{metric}_bucket', labels, window, f'{by}, le'.lstrip(', '))})"


def _gauge(metric: str, type: str) -> str:
    return f'sum by (instance) ({metric}{{{_JOB},type="{type}"}})'


ALWAYS: Mapping[str, str] = {
    "cpu": _rate("process_cpu_seconds_total", _JOB, "30s"),
    "capacity": _gauge("tikv_store_size_bytes", "capacity"),
    "available": _gauge("tikv_store_size_bytes", "available"),
    "used": _gauge("tikv_store_size_bytes", "used"),
    "regions": _gauge("tikv_raftstore_region_count", "region"),
    "leaders": _gauge("tikv_raftstore_region_count", "leader"),
}
"""Queries that every running store answers; without any answer, the query or the target is wrong."""

WITH_LOAD: Mapping[str, str] = {
    "qps": _rate(f"{_DURATION}_count", _CLIENTS, "5s"),
    "p99": _quantile(0.99, _DURATION, _CLIENTS, "15s"),
    "lag": _quantile(0.99, "tikv_raftstore_log_lag", _JOB, "1m"),
}
"""Queries about requests: no answer without requests."""


@dataclass(frozen=True)
class Metrics:
    """`stores` maps hosts to their values by name of the query; `missing` names the queries of `ALWAYS` that no store
    answers."""

    stores: dict[str, dict[str, float]]
    missing: tuple[str, ...]


class Prometheus:
    """Each call raises `NoAnswer` or `Refusal`."""

    def __init__(self, address: str) -> None:
        self._http = Http(address, PORT)

    def close(self) -> None:
        self._http.close()

    def stores(self, timeout: float) -> Metrics:
        stores: dict[str, dict[str, float]] = {}
        for what, labels, value in self._ask({**ALWAYS, **WITH_LOAD}, timeout):
            stores.setdefault(labels.get("instance", "").rpartition(":")[0], {})[what] = value
        known = {what for values in stores.values() for what in values}
        return Metrics(stores, tuple(what for what in ALWAYS if what not in known))

    def _ask(self, queries: Mapping[str, str], timeout: float) -> list[tuple[str, dict[str, str], float]]:
        """(name of the query, labels, value) of each answer; what is not a number is left out."""
        answer = self._http.json("/api/v1/query", timeout, query=combined(queries))
        try:
            results: list[dict[str, Any]] = answer["data"]["result"]
            values = [(r["metric"]["what"], r["metric"], float(r["value"][1])) for r in results]
        except (KeyError, TypeError, ValueError, IndexError) as e:
            raise NoAnswer("the answer of Prometheus has another format") from e
        return [(what, labels, value) for what, labels, value in values if math.isfinite(value)]


def combined(queries: Mapping[str, str]) -> str:
    """All queries as one; each answer carries the name of its query in the label `what`."""
    return " or ".join(f'label_replace({query}, "what", "{name}", "", "")' for name, query in queries.items())

"""What some faults need to know about TiKV's stores (see `operator_demo.subject.Anatomy`).

Everything here is from the sources of tikv/tikv and tikv/pd v8.5.7.

**Space.** Every 60 s (DEFAULT_STORAGE_STATS_INTERVAL) a store computes `available = min(capacity - used, free space of
the disk)` (`DiskUsageChecker::inspect`, components/server/src/common.rs), where `used` is the sum of its engines, its
placeholder file and its folder of snapshots (`init_storage_stats_task`, components/server/src/server.rs), and reports
it to PD with its next heartbeat, and to Prometheus. In that folder, `<data-dir>/snap`, every file counts with its
length, except those that end in .clone or .meta (`SnapManagerCore::get_total_snap_size`,
components/raftstore/src/store/snap.rs; `metadata().len()`, so a sparse file counts in full). The clean-up every minute
keeps a file whose name is no key of a snapshot (`list_idle_snap`: "failed to parse snapkey"), and the start removes
only .tmp (`SnapManager::init`). The folder has no limit by default (snap-max-total-size 0), so nothing else is
affected. A sparse file there, like a forgotten copy, is therefore a real shortage for the store and for PD, and takes
no space on the machine's disk. It stops at 76 %, because from 80 % on (low-space-ratio) PD would act too.

**Leaders.** An evict-leader-scheduler, as used before a store is taken out of service. Handlers: CreateScheduler and
DeleteScheduler in server/api/scheduler.go, evictLeaderHandler in pkg/schedule/schedulers/evict_leader.go. There is one
for all stores: POST creates it (200, "The scheduler is created.") or adds the store to it (200). DELETE of
`evict-leader-scheduler-N` removes store N (200, or 404 if it is not listed), and with the last store the scheduler
(`delete`, removeSchedulerCb). GET scheduler-config/evict-leader-scheduler/list names its stores, 404 without it.

**Settings.** tikv.toml is in no volume, but last_tikv.toml is. A store writes it when it starts, and reads it at the
next start: a file that cannot be parsed ends it with a panic (`get_last_config`, src/config/mod.rs: "invalid auto
generated configuration file"). A setting without a value is no valid TOML.

**Data.** A store without data asks PD for a new id, and PD refuses a second store with the same address: the store ends
with "duplicated store address" (PutMetaStore in server/cluster/cluster.go), until its old entry is removed as
physically destroyed (`DELETE store/ID?force=true`).

**Log.** Not given. raft-engine treats a torn end as an interrupted write and drops it (recovery-mode
tolerate-tail-corruption), so whether a store refuses to start depends on the part that was cut off.
"""

from operator_demo.subject import Anatomy, Script
from subjects.tikv.members import STORE

BALLAST = "before-upgrade.tar"
SHARE = 76  # per cent of the capacity

_SPACE = f"""
folder=/volumes/0/tikv/snap
file=$folder/{BALLAST}
address=${{ADDRESSES%% *}}
look() {{
    curl --silent --fail --max-time 5 "http://$address:20180/metrics" >/metrics || return 1
    for name in capacity available used; do
        value=$(sed -n 's/^tikv_store_size_bytes{{type="'$name'"}} //p' /metrics)
        eval "$name=${{value%.*}}"
    done
    [ -n "$capacity" ] && [ -n "$available" ] && [ -n "$used" ] && [ "$capacity" -gt 0 ]
}}
short() {{ look && [ $((available * 100)) -lt $((capacity * 30)) ]; }}
"""

_FILL = _SPACE + f"""
[ -d "$folder" ] || {{ echo "it has no folder of snapshots"; exit 1; }}
look || {{ echo "it does not tell its size"; exit 1; }}
! short || {{ echo "it is short of space without that"; exit 1; }}
bytes=$((capacity * {SHARE} / 100 - used))
most=$((SIZE * 1048576))
if [ $bytes -gt $most ]; then
    echo "$((bytes / 1048576 + 1)) MiB are needed, and at most $SIZE MiB may be written (parameter size)"
    exit 1
fi
truncate --size=$bytes "$file" || exit 1
tries=0
until short; do
    tries=$((tries + 1))
    [ $tries -lt 90 ] || {{ echo "it still says that $available of $capacity bytes are available"; exit 1; }}
    sleep 1
done
"""

_CHECK = _SPACE + """
if look; then echo "$MEMBER says that $(((capacity - available) * 100 / capacity)) % of its capacity are used"
else echo "$MEMBER does not tell its size"; fi
[ -e "$file" ]
"""

_DRAIN = _SPACE + """
rm -f -- "$file"
"""

_PD = """
for address in $ADDRESSES ''; do
    [ -z "$address" ] || ! curl --silent --fail --max-time 2 --output /dev/null "http://$address:2379/pd/api/v1/ping" ||
        break
done
[ -n "$address" ] || { echo "no PD member answers"; exit 1; }
api=http://$address:2379/pd/api/v1
ask() { curl --silent --show-error --fail --max-time 10 "$api/$1"; }
send() { curl --silent --show-error --max-time 15 --output /answer --write-out '%{http_code}' "$@"; }
said() { tr -d '"' </answer; exit 1; }
store=$(ask stores | jq -r --arg host "$MEMBER" \\
    '.stores[].store | select((.address | split(":")[0]) == $host and .state_name != "Offline") | .id')
[ -n "$store" ] || { echo "PD does not know it, or has no leader"; exit 1; }
led() { ask stats/region | jq -r --arg id "$store" '.store_leader_count[$id] // 0'; }
"""

_EVICT = _PD + """
status=$(send --data '{"name":"evict-leader-scheduler","store_id":'"$store"'}' "$api/schedulers")
[ "$status" = 200 ] || said
tries=0
until [ "$(led)" = 0 ]; do
    tries=$((tries + 1))
    [ $tries -lt 90 ] || { echo "PD gave the order, and it still leads regions"; exit 1; }
    sleep 1
done
"""

_EVICTED = _PD + """
echo "PD evicts the leaders of $MEMBER (store $store), which leads $(led) regions"
ask scheduler-config/evict-leader-scheduler/list 2>/dev/null |
    jq --exit-status --arg id "$store" '.["store-id-ranges"] | has($id)' >/dev/null
"""

_CALL_BACK = _PD + """
for try in 1 2 3 4 5 6 7 8 9 10; do
    status=$(send --request DELETE "$api/schedulers/evict-leader-scheduler-$store")
    case $status in 200 | 404) exit 0 ;; esac
    sleep 2
done
said
"""

ANATOMY = Anatomy(
    kind=STORE,
    settings="/data/tikv/last_tikv.toml",
    bad_setting="grpc-concurrency =\n",
    data="/data/tikv",
    space=Script(do=_FILL, check=_CHECK, undo=_DRAIN),
    evict=Script(do=_EVICT, check=_EVICTED, undo=_CALL_BACK),
)

#!/bin/sh
# Start one etcd member. Its flags live in a file on the data volume, written at the first start only: what an operator
# changes there stays. The variables have neutral names because etcd ignores its own (ETCD_...) beside a config file.
#
#   MEMBER_NAME            this member, and the host name under which the others reach it (etcd0)
#   INITIAL_CLUSTER        all members: etcd0=http://etcd0:2380,etcd1=http://etcd1:2380,...
#   CLUSTER_TOKEN          keeps two clusters apart (default operator-demo)
#   INITIAL_CLUSTER_STATE  new, or existing for a member that joins a running cluster (default new)
#   QUOTA_BYTES            size of the database at which etcd refuses writes (default 64 MiB)
set -eu

DATA=/var/lib/etcd
CONFIG=$DATA/etcd.conf.yaml

if [ ! -s "$CONFIG" ]; then
    : "${MEMBER_NAME:?the name of this member}" "${INITIAL_CLUSTER:?all members, as name=peer URL, with commas}"
    cat >"$CONFIG.new" <<EOT
name: $MEMBER_NAME
data-dir: $DATA/data
listen-client-urls: http://0.0.0.0:2379
advertise-client-urls: http://$MEMBER_NAME:2379
listen-peer-urls: http://0.0.0.0:2380
initial-advertise-peer-urls: http://$MEMBER_NAME:2380
initial-cluster: $INITIAL_CLUSTER
initial-cluster-token: ${CLUSTER_TOKEN:-operator-demo}
initial-cluster-state: ${INITIAL_CLUSTER_STATE:-new}
# The JSON gateway is on by default for flags, but not in a config file.
enable-grpc-gateway: true
quota-backend-bytes: ${QUOTA_BYTES:-67108864}
# Over a fixed key space only old revisions grow, by about 66 bytes each (measured with small values): 100 writes/s for
# two hours would come to some 47 MB, too near the quota. Forgetting those older than a minute, once a minute, held
# the database under 1 MB in a measured run of three minutes.
auto-compaction-mode: periodic
auto-compaction-retention: 1m
logger: zap
log-level: info
EOT
    mv "$CONFIG.new" "$CONFIG" # whole or not at all: a start may be killed
fi

exec etcd --config-file "$CONFIG"

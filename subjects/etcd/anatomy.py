"""What some faults need to know about etcd (see `operator_demo.subject.Anatomy`).

Space: one key is overwritten with values of a megabyte until the database reaches its quota (NOSPACE). Compaction and
defragmentation free the old revisions. To revert, the script does both, and disarms the alarm.
"""

from operator_demo.subject import Anatomy, Script

_COMMON = """
post() { curl --silent --show-error --max-time 15 --data-binary "$3" "http://$1:2379/v3/$2"; }
key=$(printf /reports/nightly | base64)
first=${ADDRESSES%% *}
"""

_FULL = _COMMON + """
for address in $ADDRESSES; do
    post "$address" maintenance/status '{}' | jq -r '"\\(.dbSize // 0) \\(.errors // [] | join(" "))"'
done >/status
sed -n 's/.*NOSPACE.*/alarm NOSPACE/p' /status | head -n 1
echo "largest database: $(sort -n /status | tail -n 1 | cut -d ' ' -f 1) bytes"
grep -q NOSPACE /status
"""

_FILL = _COMMON + """
{ printf '{"key":"%s","value":"' "$key"; head -c 1000000 /dev/zero | base64 -w 0; printf '"}'; } >/body
n=0
while [ $n -lt "$SIZE" ]; do
    n=$((n + 1))
    answer=$(post "$first" kv/put @/body)
    case $answer in
        *'"code":8'* | *'database space exceeded'*) exit 0 ;;
        *'"header"'*) ;;
        *) failed=$((failed + 1)); [ $failed -lt 10 ] || { echo "$answer"; exit 1; }; sleep 0.5 ;;
    esac
done
echo "$SIZE MiB were written, and the quota was not reached"
exit 1
"""

_DRAIN = _COMMON + """
for try in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do
    answer=$(post "$first" kv/range "{\\"key\\":\\"$key\\",\\"keys_only\\":true}")
    revision=$(printf %s "$answer" | jq -r '.header.revision // empty')
    [ -z "$revision" ] || break
    sleep 2
done
[ -n "$revision" ] || { echo "no member answers: $answer"; exit 1; }
alarms=$(post "$first" maintenance/alarm '{"action":"GET"}')
case "$(printf %s "$answer" | jq -r '.count // "0"') $alarms" in 0*NOSPACE* | [1-9]*) ;; *) exit 0 ;; esac
post "$first" kv/deleterange "{\\"key\\":\\"$key\\"}" >/dev/null
revision=$(post "$first" kv/range "{\\"key\\":\\"$key\\"}" | jq -r '.header.revision')
post "$first" kv/compaction "{\\"revision\\":\\"$revision\\",\\"physical\\":true}" >/dev/null
for address in $ADDRESSES; do post "$address" maintenance/defragment '{}' >/dev/null; done
printf %s "$alarms" | jq -r '.alarms[]? | select(.alarm == "NOSPACE") | .memberID' | while read -r member; do
    post "$first" maintenance/alarm \\
        "{\\"action\\":\\"DEACTIVATE\\",\\"memberID\\":\\"$member\\",\\"alarm\\":\\"NOSPACE\\"}" >/dev/null
done
! post "$first" maintenance/alarm '{"action":"GET"}' | grep NOSPACE
"""

ANATOMY = Anatomy(
    settings="/var/lib/etcd/etcd.conf.yaml",
    # etcd refuses an election timeout of less than five heartbeats (100 ms each by default).
    bad_setting="election-timeout: 150\n",
    # A member that the others know, and that has no data and is to begin a new cluster, ends ("has already been
    # bootstrapped").
    data="/var/lib/etcd/data",
    log="/var/lib/etcd/data/member/wal/*.wal",
    space=Script(do=_FILL, check=_FULL, undo=_DRAIN),
)

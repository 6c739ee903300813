"""The fixed vocabulary of causes: what a finding may name as the reason of an incident."""

CAUSES = {
    "process_killed": "the process was ended by a signal from outside (exit status 137, not by the memory limit)",
    "process_stopped": "the process was ended in an orderly way, as by `docker stop`",
    "process_crashed": "the process ended by itself with an error, or keeps restarting",
    "process_frozen": "the process is there and does nothing: paused, or stopped by a signal",
    "network_disconnected": "the member is not on the network at all",
    "network_partition": "the member is on the network and some of its peers cannot be reached, or packets are lost",
    "resource_exhausted": "a limit of CPU, memory or descriptors was reached (including the out-of-memory killer)",
    "disk_full": "no room is left on the disk, or the store's own space quota was reached",
    "misconfiguration": "a wrong setting, flag, file or permission",
    "data_corruption": "stored data is damaged or lost, or members disagree about it",
    "overload": "more load than the healthy system can carry",
    "no_fault": "nothing is wrong, or it healed by itself",
    "unknown": "looked at, and not understood",
}

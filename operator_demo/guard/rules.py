"""The guard's policy in words, for those who meet it: the agent's model, its shell, and who reads a refusal."""

ON_THE_SUBJECT = (
    "docker ps, inspect, logs, stats, top, events, diff, wait; start, stop, restart, kill, pause, unpause; update of "
    "limits; exec (not privileged); cp out of a member, and into its volumes; network connect and disconnect on the "
    "subject's networks")

ONE_SHOT = ("docker run --rm --network none --volumes-from MEMBER [--user USER] [--entrypoint COMMAND] "
            "IMAGE-OF-THAT-MEMBER [ARGUMENTS]")

ALL = (f"The Docker engine is behind a guard. Allowed on the ticket's containers: {ON_THE_SUBJECT}. For a member that "
       f"cannot run: {ONE_SHOT}. Everything else is refused and recorded: no other run or create, no rm, no build, no "
       "pull, no prune, no volume or network rm.")

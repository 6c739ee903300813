"""All fault primitives by their kind."""

from operator_demo.chaos.container_state import KILL, Disconnect, Pause, Restart, Stop
from operator_demo.chaos.data import CrashLoop, WalCut
from operator_demo.chaos.harmless import Decoy, LoadSurge, Nothing
from operator_demo.chaos.lost_data import LostData
from operator_demo.chaos.network import Bandwidth, Latency, Loss, Partition
from operator_demo.chaos.primitive import Primitive
from operator_demo.chaos.resources import Cpu, Memory, SlowDisk
from operator_demo.chaos.scripted import DiskFull, EvictLeaders

FAULTS: dict[str, Primitive] = {
    fault.kind: fault
    for fault in (KILL, Stop(), Pause(), Disconnect(), Partition(), Latency(), Loss(), Bandwidth(), Cpu(),
                  Memory(), SlowDisk(), CrashLoop(), WalCut(), LostData(), DiskFull(), EvictLeaders(), LoadSurge(),
                  Restart(), Decoy(), Nothing())
}

"""What the presenter wants of the agent, as the monitor keeps it in the record (event `agent_order`)."""

GO, HOLD, PAUSE, STOP = "go", "hold", "pause", "stop"
ORDERS = (GO, HOLD, PAUSE, STOP)
PRESENTER = "presenter"  # who hands over the ticket of an agent that was stopped
STOPPED = "The presenter stopped the agent."

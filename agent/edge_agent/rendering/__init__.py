"""Applications that the edge renders itself: Git is followed and rendered by a process beside the agent."""

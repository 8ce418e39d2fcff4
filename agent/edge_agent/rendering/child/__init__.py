"""The process that pulls Git and renders, beside the agent: it has a network and nothing else, and may die without harm.

The agent imports nothing of this folder. What it knows of the process: `edge_agent.rendering.process`.
"""

"""The `outrider` command: a hub on one machine, an agent, and what people ask a hub.

A file per group of commands; `hub` finds a hub and asks it, `output` prints answers as table, JSON or YAML. What comes from
a hub is text of strangers (names, messages of a cluster): nothing of it reaches a terminal but through `terminal.visible`.
"""

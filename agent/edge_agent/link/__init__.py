"""The link to the hub: what comes down, what goes up. The rest of the agent does not notice when it is gone."""

"""What the hub may ask of an agent: the verbs and their answers."""

"""What two or more processes share: the contract on the bus, the input language, the renderer."""

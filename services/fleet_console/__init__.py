"""HTTP API and web page of the hub."""

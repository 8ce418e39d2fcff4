"""The agent on its site: a Unix socket that whoever runs the agent may ask, and the commands that ask there."""

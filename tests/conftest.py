import asyncio
import logging

# Plugins may ask for the thread's event loop, and Python would make one that nobody closes.
asyncio.set_event_loop(None)
# Python's TLS warns of every connection that the other side closes.
logging.getLogger("asyncio").setLevel(logging.ERROR)

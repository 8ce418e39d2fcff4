import asyncio

# A plugin may ask for the thread's event loop in every test, and Python would make one that nobody closes.
asyncio.set_event_loop(None)

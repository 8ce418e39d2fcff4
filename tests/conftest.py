import asyncio
import logging
import signal

from hypothesis import HealthCheck, settings

# Plugins may ask for the thread's event loop, and Python would make one that nobody closes.
asyncio.set_event_loop(None)
# Python's TLS warns of every connection that the other side closes.
logging.getLogger("asyncio").setLevel(logging.ERROR)
# How long an example takes says something of the machine, and nothing of the code.
settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")
# A shell starts what it runs in the background with interrupts ignored; so would be the commands that tests interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

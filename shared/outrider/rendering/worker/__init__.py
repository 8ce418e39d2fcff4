"""The process that renders: it takes one source at a time, from a folder that is all it can see, and may die without harm.

Run as `python -I -m outrider.rendering.worker`, by `outrider.rendering.pool` alone. It does not import dulwich or pydantic.
"""

"""The process that renders: it takes one source at a time, from a folder that is all it can see, and may die without harm.

Started by `outrider.rendering.pool` alone, at `main.main`. It does not import dulwich or pydantic.
"""

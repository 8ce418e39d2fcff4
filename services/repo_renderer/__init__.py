"""Git to bundles: the only process that fetches repositories."""

"""What is known of the fleet: presence, folded status, freshness, metrics."""

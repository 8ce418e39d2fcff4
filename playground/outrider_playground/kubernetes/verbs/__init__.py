"""What clients can do: read, create, change, apply, delete. Plain calls without I/O; a refusal is an ApiError."""

"""`outrider app`: a file per command or group of commands; `group` lists them, and imports the one that runs."""

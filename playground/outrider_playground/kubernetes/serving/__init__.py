"""The cluster over HTTP: paths to calls, calls to answers, watches to streams."""

"""What runs where: applications, clusters, repositories, identities, Desired records."""

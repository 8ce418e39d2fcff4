"""The input language: Argo CD's Application and AppProject, and Outrider's Cluster and Repository."""

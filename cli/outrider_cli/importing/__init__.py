"""`outrider import`: take over what another system manages, after saying what would become of each object.

Data takes one way: `kubernetes` or files give objects, `held` sorts them, `clusters` and `cleaning` fit them to this hub, `checking`
has the hub judge each, `report` shows that, `carrying` writes what is taken. Secrets are read for what they say of repositories and
clusters; what is secret in them is shown nowhere, and goes to the hub only when asked for, sealed.
"""

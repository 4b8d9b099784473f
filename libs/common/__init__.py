"""What every service shares: contracts, broker, blobs, authority, tenants, logs, probes, runtime.

Nothing here knows a service. A module belongs here once a second service uses it.
"""

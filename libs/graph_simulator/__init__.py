"""Microsoft Graph mail and sign-in in one process, as faithful as we know how.

`libs.graph_simulator.server.serve` starts it; `docs/graph-simulator.md` tells what it does and what
it does not. Nothing in here is used in production.
"""

"""What goes wrong between processes: the network's faults, made by ourselves on loopback."""

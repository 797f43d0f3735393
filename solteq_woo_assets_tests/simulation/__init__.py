"""The shop's life, simulated from a seed: the real flows between both stand-ins, in one process, on a virtual clock."""

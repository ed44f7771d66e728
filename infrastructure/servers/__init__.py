"""Real servers on this machine, started without root and ended by their own pid."""

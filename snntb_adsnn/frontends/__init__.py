"""What turns somebody's model into a network: one folder for each framework."""

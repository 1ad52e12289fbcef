"""What runs inside a simulator's process, and what it shares with the bench: kept free of imports that take long."""
